"""Guests with handlers of their own, and a timer, on all carriers."""

from __future__ import annotations

from carrier_worlds import CARRIERS, Outcome, run

HZ = 10_000  # every 100,000 ticks


def with_handlers(handlers: dict[int, str], program: str, *, kind: int = 0x8E, stack: int = 0) -> str:
    """A listing for level 0 that loads a table with these handlers and goes on; rsi is the address of the table."""
    lines = ["sub rsp, 0x4000", "mov rsi, rsp"]
    for vector, code in handlers.items():
        at = f"rsi + {16 * vector}"
        lines += [
            f"call over{vector}", code, f"over{vector}: pop rax", f"mov word ptr [{at}], ax",
            f"mov word ptr [{at} + 2], 0x10", f"mov byte ptr [{at} + 4], {stack}", f"mov byte ptr [{at} + 5], {kind}",
            "shr rax, 16", f"mov word ptr [{at} + 6], ax", "shr rax, 16", f"mov dword ptr [{at} + 8], eax",
        ]  # fmt: skip
    lines += ["mov word ptr [rsp - 16], 0xfff", "mov qword ptr [rsp - 14], rsp", "lidt [rsp - 16]", "xor eax, eax"]
    return "\n".join((*lines, program))


COUNT = "inc ebx; iretq"
SPIN = "mov ecx, 110000; spin: dec ecx; jnz spin"  # 220,001 instructions


def outcomes(guest: str, commands: str = "", **named: object) -> Outcome:
    """What a run leaves, which is the same on all carriers."""
    found = [run(carrier, guest, commands, kernel="bare", **named) for carrier in CARRIERS]  # type: ignore[arg-type]
    assert found[0] == found[1] == found[2]
    return found[0]


def texts(outcome: Outcome) -> list[str]:
    """The messages of scripts."""
    return [line[1].text.decode().strip() for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]
