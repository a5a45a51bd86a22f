"""Threads that race do so alike, wherever runs have halted, without a record, too."""

from __future__ import annotations

import pytest
from engines import make_engine
from hds_guests import session

from vm.facts.limits import Limits

# Two threads, each of which makes another number of the one at r13: the last one tells of every switch between them.
RACE = """
    lea r13, [rsp - 0x100]
    mov eax, 56
    mov edi, 0x10f00
    lea rsi, [rsp - 0x2000]
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    syscall
    mov ebx, 1
    test eax, eax
    jz work
    mov ebx, 2
work:
    mov ecx, 100
again:
    mov r12, [r13]
    imul r12, r12, 31
    add r12, rbx
    nop
    mov [r13], r12
    dec ecx
    jnz again
    mov eax, 60
    syscall
"""
AGAIN = "400037"
TOLD = '!syscall 3c script { printf("%llx ", poi(@r13)); }\n'
HALTS = {
    "a breakpoint": f"bp {AGAIN}\n" + "g\n" * 50 + "bc all\n",
    "a breakpoint of one thread": f"bp {AGAIN} tid 1008\n" + "g\n" * 50 + "bc all\n",
    "steps": f"t 8\nbp {AGAIN}\ng\nt 2\ng\np 2\nbc all\n",
    "an event": f"!epthook {AGAIN} script {{ pause(); }}\n" + "g\n" * 20 + "events c 1\n",
    "a look at another thread": f"bp {AGAIN}\n" + "g\n" * 9 + ".thread tid 1008\nr\n.thread tid 1004\nbc all\n",
}


def outcome(commands: str, engine: str) -> list[bytes]:
    limits = Limits(quantum_instructions=60)
    made, _ = session(RACE, kernel="linux", limits=limits, engine=make_engine(engine, limits))
    made.execute(TOLD + commands + "g")
    made.close()
    return [message.text for message in made.messages]


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("name", HALTS)
def test_a_halt_changes_nothing_of_how_threads_take_turns(name: str, engine: str) -> None:
    assert outcome(HALTS[name], engine) == outcome("", engine)
