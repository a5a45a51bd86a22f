"""The table of kernel stand-ins."""

from __future__ import annotations

import pytest

from machine.kernel import DEFAULT_BUILD, Services, create
from machine.kernel.stand_ins import ENTRY_POINTS, KERNEL_NAMES, STAND_INS
from machine.schedule import VirtualClock

SERVICES = Services(lambda *written: None, VirtualClock(lambda: 0), DEFAULT_BUILD.number)


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_a_row_says_what_its_class_says(name: str) -> None:
    kernel = create(name, SERVICES)
    assert (kernel.name, kernel.entry) == (name, STAND_INS[name].entry)
    assert ENTRY_POINTS[name] is kernel.entry
    assert not kernel.unknown_calls


def test_no_other_kernel_is_made() -> None:
    with pytest.raises(KeyError):
        create("dos", SERVICES)
