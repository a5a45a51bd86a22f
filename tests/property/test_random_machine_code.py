"""Random bytes as a guest program, as a condition and as a code block: every run ends, within its limits, and nothing
gets out of it but counts.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hds import Session
from machine.summary import StopCause
from vm.interpreter import Interpreter
from vm.limits import Limits

LIMITS = Limits(max_instructions=20_000, max_steps=20_000, max_root_instructions=2_000)
SYSCALL = b"\x0f\x05"
ENDS = set(StopCause) - {StopCause.TIMEOUT, StopCause.NOTHING_LOADED}


@settings(max_examples=60)
@given(guest=st.binary(min_size=1, max_size=60), block=st.binary(min_size=1, max_size=20), code=st.binary(min_size=1))
def test_random_machine_code_never_escapes_its_limits(guest: bytes, block: bytes, code: bytes) -> None:
    session = Session(program=SYSCALL + guest + SYSCALL, kind="raw", limits=LIMITS, engine=Interpreter(LIMITS))
    try:
        event = f"!syscall script {{ .n = .n + @rax; }} condition {{ {block.hex()} }} code {{ {code[:20].hex()} }}"
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
