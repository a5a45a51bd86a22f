"""/proc and /sys of Linux guests (proc(5)): texts about the guest's own processes and machine, never about the host.

`files` is the table of what is there, `system` and `processes` write the texts, `nodes` makes files and folders of it.
"""

from machine.kernel.linux.proc.nodes import OpenedNode, folders, shown
from machine.kernel.linux.proc.system import System

__all__ = ["OpenedNode", "System", "folders", "shown"]
