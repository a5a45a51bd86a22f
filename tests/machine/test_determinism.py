"""Two runs of the same programs and events are the same, with any number of cores and of processes."""

from __future__ import annotations

import pytest
from machine_guests import CODE, Bench, bench, block, pseudo, read, script
from msgspec.structs import astuple

from machine.events.definition import CodeAction
from machine.processor import msr
from vm.facts.events import EPTHOOK, SYSCALL, SYSRET
from vm.facts.limits import Limits
from vm.facts.stages import Stage
from vm.host import Host

PROGRAM = """
    mov esi, 6
again:
    rdtsc
    mov eax, 0x34
    lea rdx, [rsp - 64]
    syscall
    cpuid
    mov ecx, 50
wait:
    dec ecx
    jnz wait
    dec esi
    jnz again
"""


def tell(host: Host) -> None:
    values = [pseudo(host, name) for name in ("pid", "tid", "core", "context", "event_id", "event_stage", "thread")]
    values += [read(host, name) for name in ("rax", "rcx", "rdx", "rsp", "rip", "rflags", "r11")]
    values.append(host.request("rdtsc", ()))
    host.message(" ".join(f"{value:x}" for value in values).encode() + b"\n")


def transcript(
    cores: int, processes: int, kernel: str
) -> tuple[list[tuple[object, ...]], object, list[tuple[int, str]]]:
    guest: Bench = bench(cores=cores, kernel=kernel, limits=Limits(quantum_instructions=77))
    for index in range(processes):
        guest.machine.load(PROGRAM.encode(), "asm", name=f"p{index}")
    lstar = guest.machine.read_msr(0, msr.LSTAR)
    guest.on(SYSCALL, script(tell), CodeAction(block("rdtsc; mov r9, [rcx]; inc qword ptr [rcx]")), buffer_size=8)
    guest.on(SYSRET, script(tell), stage=Stage.ALL, immediate=False)
    guest.on(
        EPTHOOK, script(tell), parameters=(CODE + 5,), condition=block("rdtsc; test al, 1; setz al; movzx eax, al")
    )
    guest.on(EPTHOOK, script(tell), CodeAction(block("ud2")), parameters=(lstar + 3,))
    summary = guest.machine.run(1_000_000)
    return [astuple(message) for message in guest.messages], summary, guest.code_faults


@pytest.mark.parametrize(
    ("cores", "processes", "kernel"),
    [(1, 1, "linux"), (1, 3, "nt"), (2, 2, "linux"), (2, 5, "nt"), (4, 3, "linux"), (8, 8, "nt")],
)
def test_two_runs_are_identical(cores: int, processes: int, kernel: str) -> None:
    assert transcript(cores, processes, kernel) == transcript(cores, processes, kernel)


def test_a_run_in_pieces_is_the_run_in_one() -> None:
    def ids(budgets: list[int | None]) -> list[bytes]:
        guest = bench()
        guest.machine.load(PROGRAM.encode(), "asm")
        guest.on(SYSCALL, script(tell))
        for budget in budgets:
            guest.machine.run(budget)
        return guest.texts

    assert ids([None]) == ids([100, 1, 200, None])
