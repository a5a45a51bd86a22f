"""Random bytes as a guest program, as a condition and as a code block: every run ends, within its limits, and nothing
gets out of it but counts.
"""

from __future__ import annotations

import pytest
from effort import often
from hypothesis import given, settings, strategies as st

from hds import Session
from machine.summary import StopCause
from vm.facts.limits import Limits
from vm.interpreter import Interpreter

pytestmark = pytest.mark.slow

LIMITS = Limits(max_instructions=20_000, max_steps=20_000, max_root_instructions=2_000)
SYSCALL = b"\x0f\x05"
ENDS = set(StopCause) - {StopCause.TIMEOUT, StopCause.NOTHING_LOADED}


# Valid instructions of many kinds: arithmetic, memory by a register, stack, branches, strings, system registers, SSE.
INSTRUCTIONS = tuple(
    bytes.fromhex(text)
    for text in (
        "4801d8",
        "4829c8",
        "48f7f1",
        "480fafc3",
        "48c1e005",
        "488b03",
        "488903",
        "488b4110",
        "48894140",
        "50",
        "58",
        "9c",
        "9d",
        "e800000000",
        "c3",
        "ebfe",
        "75fd",
        "eb02",
        "f348a5",
        "f3aa",
        "f4",
        "cc",
        "cd80",
        "0f05",
        "480f07",
        "0fa2",
        "0f31",
        "0f32",
        "0f30",
        "0f20c0",
        "0f22c0",
        "fa",
        "fb",
        "90",
        "0f28c1",
        "f20f58c1",
        "d9e8",
        "48cf",
        "6a00",
        "c9",
        "65488b042588010000",
        "64488b042500000000",
        "488d0500000000",
        "f0480fc103",
        "0f0b",
        "f4",
    )
)
machine_code = st.binary(min_size=1, max_size=60) | st.lists(st.sampled_from(INSTRUCTIONS), min_size=1).map(b"".join)


@settings(max_examples=often(40, 400))
@given(guest=machine_code, block=machine_code, code=machine_code)
def test_random_machine_code_never_escapes_its_limits(guest: bytes, block: bytes, code: bytes) -> None:
    session = Session(program=SYSCALL + guest + SYSCALL, kind="raw", limits=LIMITS, engine=Interpreter(LIMITS))
    try:
        event = f"!syscall script {{ .n = .n + @rax; }} condition {{ {block.hex()} }} code {{ {code.hex()} }}"
        session.execute(event)
        summary = session.run(timeout=20)
    finally:
        session.close()
    assert summary.cause in ENDS
    assert summary.instructions <= LIMITS.max_instructions


@pytest.mark.parametrize(
    "block", ["f4", "0f01c1", "cd80", "ebfe", "0f0b", "31c0f7f0", "48a100000000000000ff", "0fa2c3"]
)
def test_a_block_that_faults_or_loops_leaves_the_guest_alone(block: str) -> None:
    session = Session(program=SYSCALL + b"\x90", kind="raw", limits=LIMITS, engine=Interpreter(LIMITS))
    try:
        session.execute(f"!syscall script {{ print(5); }} code {{ {block} }}")
        summary = session.run(timeout=20)
    finally:
        session.close()
    assert summary.cause is StopCause.END
    assert [message.text for message in session.messages] == [b"5\n"]
