from __future__ import annotations

import pytest

from machine.memory.guest_memory import GuestMemory, MapError, Protection, Quota


def memory() -> GuestMemory:
    result = GuestMemory(Quota(0x10000))
    result.map(0x1000, 0x1000, Protection.ALL, "first")
    result.map(0x2000, 0x1000, Protection.READ, "second")
    return result


def test_reads_and_writes_cross_adjacent_regions() -> None:
    guest = memory()
    assert guest.write(0x1FFE, b"abcd")
    assert guest.read(0x1FFD, 6) == b"\0abcd\0"


def test_a_write_that_leaves_the_mapped_memory_changes_nothing() -> None:
    guest = memory()
    assert not guest.write(0x2FFE, b"abcd")
    assert guest.read(0x2FFE, 2) == b"\0\0"


def test_a_read_that_leaves_the_mapped_memory_is_none() -> None:
    assert memory().read(0x2FFE, 3) is None
    assert memory().read(0xFFFF_FFFF_FFFF_FFFF, 2) is None


def test_read_up_to_stops_at_the_first_unmapped_byte() -> None:
    assert memory().read_up_to(0x2FFE, 15) == b"\0\0"


@pytest.mark.parametrize(
    ("start", "size"),
    [(0x1000, 0x1000), (0x0, 0x2000), (0x2000, 0x3000), (0x3001, 0x1000), (0x3000, 0), (0x3000, 0x1_0000_0000)],
)
def test_a_region_that_cannot_be_mapped_is_refused(start: int, size: int) -> None:
    with pytest.raises(MapError):
        memory().map(start, size, Protection.ALL, "bad")


def test_the_last_page_of_the_address_space_can_be_mapped() -> None:
    guest = GuestMemory(Quota(0x1000))
    guest.map(0xFFFF_FFFF_FFFF_F000, 0x1000, Protection.ALL, "last")
    assert guest.read(0xFFFF_FFFF_FFFF_FFFF, 1) == b"\0"


def test_release_gives_the_quota_back() -> None:
    quota = Quota(0x1000)
    guest = GuestMemory(quota)
    guest.map(0x1000, 0x1000, Protection.ALL, "only")
    guest.release()
    assert (quota.used, guest.regions) == (0, ())
