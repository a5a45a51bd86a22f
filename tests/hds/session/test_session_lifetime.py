"""A session that nobody has any more leaves nothing behind."""

from __future__ import annotations

import gc
from weakref import ref

import pytest

from hds.session import Session
from machine import Silent

pytestmark = pytest.mark.lasting

CALL = bytes.fromhex("b827000000 0f05")  # mov eax, 27h; syscall
EVENTS = [
    "!syscall script { .n = .n + 1; }",
    "!syscall condition { 4883c001 c3 } script { .n = .n + 1; }",  # add rax, 1; ret
    "!epthook 400000 code { 90 c3 }",
    "!cpuid script { .n = 1; }",
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_session_goes_when_nobody_has_it(event: str) -> None:
    session = Session(CALL, kind="raw", kernel="bare", reporter=Silent())
    session.execute(event)
    session.run()
    gone = ref(session)
    del session
    gc.collect()
    assert gone() is None
