"""Directories under watch: which changes count, and how they are told."""

from __future__ import annotations

import struct

from machine.kernel.nt.changes import ADDED, DIRECTORY_NAME, FILE_NAME, REMOVED, Watch
from machine.kernel.nt.status import STATUS_NOTIFY_ENUM_DIR, STATUS_SUCCESS


def test_only_changes_of_the_kinds_and_the_depth_that_were_asked_for_are_told() -> None:
    watches: list[Watch] = []
    watch = Watch(watches, ("Prog",), FILE_NAME, is_deep=False)
    for names, kinds in ((("prog", "d"), DIRECTORY_NAME), (("prog",), FILE_NAME), (("prog", "d", "f"), FILE_NAME)):
        watch.see(names, ADDED, kinds)
    watch.see(("other", "f"), ADDED, FILE_NAME)
    assert not watch.has_changes
    watch.see(("PROG", "f"), REMOVED, FILE_NAME)
    assert watch.take(100) == (STATUS_SUCCESS, struct.pack("<III", 0, REMOVED, 2) + b"f\0\0\0")
    watch.end()
    assert watches == []


def test_changes_below_have_their_way_and_those_that_do_not_fit_are_not_told() -> None:
    watch = Watch([], (), FILE_NAME, is_deep=True)
    watch.see(("a", "b"), ADDED, FILE_NAME)
    watch.see(("c",), ADDED, FILE_NAME)
    status, data = watch.take(100)
    following, _, length = struct.unpack_from("<III", data)
    assert (status, data[12 : 12 + length].decode("utf-16-le"), data[following + 12 :]) == (0, "a\\b", b"c\0\0\0")
    watch.see(("c",), REMOVED, FILE_NAME)
    assert watch.take(8) == (STATUS_NOTIFY_ENUM_DIR, b"")
    assert not watch.has_changes


def test_whoever_does_not_ask_for_long_is_told_to_look_itself() -> None:
    watch = Watch([], (), FILE_NAME, is_deep=True)
    for number in range(2000):
        watch.see((str(number),), ADDED, FILE_NAME)
    assert watch.take(1 << 20) == (STATUS_NOTIFY_ENUM_DIR, b"")
