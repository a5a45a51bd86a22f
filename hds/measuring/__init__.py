"""What events cost: scripts measured on a program, or on a small guest that triggers them as often as needed."""

from hds.measuring.costs import Cost, Plan, measure
from hds.measuring.guests import BuiltIn, guest_of

__all__ = ["BuiltIn", "Cost", "Plan", "guest_of", "measure"]
