"""Keystone runs in a process of its own: what ends, hangs or grows there refuses one instruction, and hds goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from machine.root import assembler_process
from machine.root.assembler import AssemblerError, assemble
from machine.root.assembler_process import Refusal
from vm.facts.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.lasting


def running() -> int:
    """The process that assembles, started if need be."""
    assemble("nop")
    number = assembler_process.running()
    assert number is not None
    return number


def state(number: int) -> str:
    """The letter of proc(5): S, R, T, Z ..., or X without such a process."""
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2]
    except FileNotFoundError:
        return "X"


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


# For these Keystone calls exit(): no register AH, BH, CH or DH in an instruction with a REX prefix (SDM 3.7.2.1).
@pytest.mark.parametrize(
    "text",
    [
        "mov ah, byte ptr [r8]",
        "mov r8b, ah",
        "mov ah, sil",
        "xchg ah, r9b",
        "movsx rax, ah",
        "movzx rax, bh",
        "and ah, [r12]",
        "crc32 rax, ah",
    ],
)
def test_what_ends_keystone_is_refused_where_it_stands(text: str) -> None:
    (answer,) = assembler_process.encode_singly([text], DEFAULT_LIMITS)
    assert isinstance(answer, Refusal)
    assert answer.reason == "cannot encode high byte register in REX-prefixed instruction"
    number = running()
    with pytest.raises(AssemblerError, match=r"no instruction has both [ab]h and ") as caught:
        assemble(f"nop\n  {text}; nop")
    assert (caught.value.line, caught.value.column, caught.value.hint) == (2, 3, "")
    assert running() == number  # Keystone need not be asked for that
    assert assemble("inc eax").code == b"\xff\xc0"


def test_the_reason_is_not_what_keystone_wrote_before() -> None:
    assembler_process.encode_singly(["lodsq [r8]"] * 200, DEFAULT_LIMITS)
    (answer,) = assembler_process.encode_singly(["mov r8b, ah"], DEFAULT_LIMITS)
    assert isinstance(answer, Refusal)
    assert answer.reason == "cannot encode high byte register in REX-prefixed instruction"


def test_the_one_of_many_that_ends_keystone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("machine.root.assembly_check.without_encoding", lambda operands: "")
    text = "\n".join(f"mov eax, {number}" if number != 400 else "mov r8b, ah" for number in range(600))
    with pytest.raises(AssemblerError) as caught:
        assemble(text)
    assert caught.value.line == 401


def test_many_that_end_keystone_end_it_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    end = assembler_process.stop

    def stop() -> None:
        ends.append(assembler_process.running())
        end()

    monkeypatch.setattr("machine.root.assembly_check.without_encoding", lambda operands: "")
    monkeypatch.setattr(assembler_process, "stop", stop)
    running()
    ends.clear()
    with pytest.raises(AssemblerError) as caught:
        assemble("\n".join(f"mov [r8 + {number}], ah" for number in range(1000)))
    assert caught.value.line == 1
    assert len([number for number in ends if number is not None]) == 2


def test_a_process_that_does_not_answer_is_ended_by_a_limit() -> None:
    first = running()
    os.kill(first, signal.SIGSTOP)
    with pytest.raises(AssemblerError, match="max_assembler_seconds"):
        assemble("inc ecx", limits=replace(DEFAULT_LIMITS, max_assembler_seconds=1))
    assert state(first) == "X"
    assert assemble("inc ecx").code == b"\xff\xc1"


def test_the_memory_of_the_process_is_limited() -> None:
    few = replace(DEFAULT_LIMITS, max_assembler_bytes=1 << 20)
    with pytest.raises(AssemblerError, match="max_assembler_bytes"):
        assemble("inc edx", limits=few)
    assert assemble("inc edx").code == b"\xff\xc2"


def test_a_process_that_somebody_ended_is_started_again() -> None:
    first = running()
    os.kill(first, signal.SIGKILL)
    assert soon(lambda: state(first) == "Z")
    assert assemble("inc ebx").code == b"\xff\xc3"
    assert state(first) == "X"


def test_the_process_can_open_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x90\x90")
    (found,) = assembler_process.encode_singly([f'.incbin "{secret}"'], DEFAULT_LIMITS)
    assert isinstance(found, Refusal) or not found
    limits = Path(f"/proc/{running()}/limits").read_text()
    assert {line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")} == {"0"}


def test_the_process_sees_no_environment_and_no_ctrl_c() -> None:
    number = running()
    assert b"PATH=" not in Path(f"/proc/{number}/environ").read_bytes().replace(b"LD_LIBRARY_PATH=", b"")
    assert os.getpgid(number) != os.getpgid(0)


def test_threads_share_the_process() -> None:
    found: dict[int, bytes] = {}

    def work(first: int) -> None:
        for number in range(first, first + 20):
            found[number] = assemble(f"mov eax, {number}").code

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: b"\xb8" + number.to_bytes(4, "little") for number in found}
    assert len(found) == 80


def test_a_fork_of_hds_has_a_process_of_its_own() -> None:
    number = running()
    fork = os.fork()
    if fork == 0:
        good = assemble("inc esi").code == b"\xff\xc6" and assembler_process.running() != number
        assembler_process.stop()
        os._exit(0 if good else 1)
    assert os.waitpid(fork, 0)[1] == 0
    assert assemble("inc edi").code == b"\xff\xc7"
    assert assembler_process.running() == number


@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_the_process_ends_with_hds(end: str) -> None:
    program = (
        "import os\n"
        "from machine.root import assembler, assembler_process\n"
        "assembler.assemble('nop')\n"
        f"print(assembler_process.running(), flush=True)\n{end}"
    )
    root = str(Path(__file__).parents[3])
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert made.stderr == ""
    assert soon(lambda: state(int(made.stdout)) in "XZ")


def test_without_standard_streams_it_assembles_as_well(tmp_path: Path) -> None:
    program = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "from machine.root.assembler import assemble\n"
        "os._exit(7 if assemble('nop').code == b'\\x90' else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 7
