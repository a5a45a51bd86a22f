"""`watch back`: what has written memory last, whoever it was."""

from __future__ import annotations

import pytest
from recorded_consoles import answers, static_program

pytestmark = pytest.mark.programs

# The parts of written_guest.c in which a system call has written, by its number.
SYSTEM_CALLS = {"r": 0, "u": 63, "v": 311, "m": 9, "d": 28, "h": 234}


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(static_program("written_guest.c", tmp_path_factory.mktemp("written")))


@pytest.fixture(params=["reference", "native"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_system_call_that_writes_is_found(engine: str, guest: str) -> None:
    commands = "bp done\n" + "g\nwatch back @rdi l 1\nr rax\ng\n" * len(SYSTEM_CALLS)
    found = answers(commands, "--engine", engine, guest, "".join(SYSTEM_CALLS))
    assert ["syscall" in said for said in found[2::4]] == [True] * len(SYSTEM_CALLS)
    assert found[3::4] == [f"rax={number:016x}\n" for number in SYSTEM_CALLS.values()]


def test_what_the_kernel_writes_at_the_end_of_a_wait_is_found(engine: str, guest: str) -> None:
    found = answers(
        "bp done\ng\nwatch back @rdi l 1\ndb @rdi l 5\nbc all\nbp done\ng\ndb @rdi l 5", "--engine", engine, guest, "w"
    )
    assert "the kernel wrote there for thread 1004" in found[2]
    assert "words" in found[-2]


def test_a_child_that_shares_memory_is_found_and_one_with_a_copy_is_not(engine: str, guest: str) -> None:
    found = answers("bp done\ng\nwatch back @rdi l 1\n? print($pid);", "--engine", engine, guest, "s")
    assert "byte ptr ds:[rax], 0x02" in found[2]
    assert found[3] == "1010\n"
    found = answers("bp done\ng\nwatch back @rdi l 1\n? print($pid);", "--engine", engine, guest, "c")
    assert found[2].rstrip().endswith(", 0x01")
    assert found[3] == "1000\n"


def test_a_store_that_begins_before_the_byte_is_found(engine: str, guest: str) -> None:
    found = answers("bp done\ng\nwatch back @rdi l 1\nt\nwatch back @rip-1 l 1", "--engine", engine, guest, "o")
    assert "qword ptr" in found[2]
    assert "nothing has written" in found[4]


def test_another_program_has_memory_of_its_own(engine: str, guest: str) -> None:
    found = answers("g\nwatch back @rdi+1 l 1\nwatch back @rdi l 1", "--engine", engine, guest, "e")
    assert "since this program was executed" in found[1]
    assert found[2].rstrip().endswith(", 0x01")


REFUSED = {
    "@rsp l 0": "the length is 0",
    "@rsp l zz": "correct hex value",
    "@rsp l": "specify a value",
    "@rsp 8": "incorrect use",
    "ffffffffffffffff l 2": "past the last address",
}


def test_a_range_that_is_none_is_refused(guest: str) -> None:
    asked = "\n".join(f"watch back {words}" for words in REFUSED)
    found = answers(f"{asked}\nt 2\nt-\nr rip", guest, "r")
    assert [said in answer for said, answer in zip(REFUSED.values(), found, strict=False)] == [True] * len(REFUSED)
    assert found[len(REFUSED) + 1].startswith("00")
