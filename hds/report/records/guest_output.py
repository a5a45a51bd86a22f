"""What the guest program writes: the record is `machine.records.GuestOutput`."""

from __future__ import annotations

from typing import Literal

from hds.report.records.shown import Guest
from hds.report.records.texts import Text, text_of
from machine import GuestOutput


class GuestOutputObject(Text):
    """What the guest program wrote to its descriptor 1 or 2."""

    type: Literal["guest_output"]
    descriptor: int


def as_object(output: GuestOutput) -> GuestOutputObject:
    """The record of JSON mode."""
    return {"type": "guest_output", "descriptor": output.descriptor, **text_of(output.data)}


def shown(output: GuestOutput) -> Guest:
    """Its bytes."""
    return Guest(output.descriptor, output.data)
