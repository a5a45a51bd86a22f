"""SYSRET as an event, the two ways to tell SYSCALL and SYSRET apart, and EFER while they are intercepted."""

from __future__ import annotations

import pytest
from machine_guests import CODE, Bench, bench, pseudo, read, say, script, write

from machine.events.definition import EventDefinition
from machine.events.system_calls import ANY_UNDEFINED, BOTH, NONE, READ_BYTES, TakenFor, tell
from machine.kernel.bare import BareKernel
from machine.kernel.text import KernelText
from machine.machine import StopCause
from machine.processor import msr
from vm.facts.events import EVENT_BY_NAME, SYSCALL, SYSRET, Detection
from vm.facts.stages import Stage
from vm.host import Host

TWO_CALLS = "mov eax, 0x55; syscall; inc rbx; mov eax, 0x66; syscall; inc rbx"
TEXT = BareKernel.entry.text


def ran(guest: Bench) -> Bench:
    guest.machine.run()
    return guest


# --- what a script sees


def test_pre_sees_the_kernel_right_before_the_return_and_post_the_user_state() -> None:
    guest = bench("stc; mov eax, 0x55; syscall; inc rbx")
    names = ("rip", "rcx", "cs", "ss", "rax")
    seen: list[tuple[int, ...]] = []
    look = script(
        lambda host: seen.append(
            (pseudo(host, "event_stage"), pseudo(host, "context"), *(read(host, name) for name in names))
        )
    )
    guest.on(SYSRET, look, stage=Stage.ALL)
    assert ran(guest).register("rbx") == 1
    behind = CODE + 8
    assert seen == [
        (0, TEXT.sysret, TEXT.sysret, behind, 0x10, 0x18, 0),
        (1, TEXT.sysret, behind, behind, 0x33, 0x2B, 0),
    ]


def test_in_pre_r11_has_the_users_flags() -> None:
    guest = bench("stc; syscall")
    seen: list[int] = []
    guest.on(SYSRET, script(lambda host: seen.append(read(host, "r11") & 0x201)))
    ran(guest)
    assert seen == [0x201]


def test_a_sysret_really_lies_in_the_kernels_page() -> None:
    guest = bench("nop")
    assert guest.machine.read_memory(TEXT.sysret, 3) == b"\x48\x0f\x07"
    assert guest.machine.read_memory(TEXT.entry, 3) == b"\x0f\x01\xf8"  # swapgs


def test_a_script_changes_the_result_of_a_call() -> None:
    guest = bench("mov eax, 0x55; syscall; mov rbx, rax")
    guest.on(SYSRET, script(lambda host: write(host, "rax", 7)))
    assert ran(guest).register("rbx") == 7


def test_a_call_and_its_return_come_in_pairs() -> None:
    guest = bench(TWO_CALLS)
    guest.on(SYSRET, say(b"return"))
    guest.on(SYSCALL, say(b"call"))
    assert ran(guest).texts == [b"call", b"return"] * 2


def test_sysret_events_alone_do_not_trigger_at_syscalls() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on(SYSRET, say(b"x"), stage=Stage.POST)
    ran(guest)
    assert (event.triggers, [message.stage for message in guest.messages]) == (2, [1, 1])


def test_a_short_circuited_syscall_has_no_return() -> None:
    guest = bench(TWO_CALLS)
    event = guest.on(SYSRET, say(b"x"))
    guest.on(SYSCALL, say(b"y"), parameters=(0x55,), short_circuit=True)
    ran(guest)
    assert (event.triggers, guest.register("rbx")) == (1, 2)


def test_a_short_circuited_sysret_goes_on_in_the_kernel_behind_it() -> None:
    guest = bench(TWO_CALLS)
    guest.on(SYSRET, say(b"x"), short_circuit=True)
    summary = guest.machine.run()
    assert (summary.cause, summary.ends[0].reason.rip) == (StopCause.FAULT, TEXT.sysret + 4)  # type: ignore[union-attr]  # int3


def test_a_script_returns_to_another_place() -> None:
    guest = bench("syscall; inc rbx; inc rcx; nop; inc rbx")
    guest.on(SYSRET, script(lambda host: write(host, "rip", CODE + 8)))
    assert ran(guest).register("rbx") == 1


def test_no_return_follows_an_exit() -> None:
    guest = bench("mov eax, 60; syscall", kernel="linux")
    event = guest.on(SYSRET, say(b"x"))
    assert guest.machine.run().cause is StopCause.EXIT
    assert event.triggers == 0


@pytest.mark.parametrize("kernel", ["bare", "linux", "nt"])
def test_sysret_events_work_with_every_kernel(kernel: str) -> None:
    guest = bench(TWO_CALLS, kernel=kernel)
    event = guest.on(SYSRET, say(b"x"), stage=Stage.ALL)
    assert (ran(guest).register("rbx"), event.triggers) == (2, 4)


# --- D.2


@pytest.mark.parametrize(
    ("read_as", "rip", "variants", "result"),
    [
        (TakenFor.SYSCALL, CODE, NONE, (TakenFor.SYSCALL, BOTH)),
        (TakenFor.SYSRET, TEXT.sysret, READ_BYTES, (TakenFor.SYSRET, BOTH)),
        (None, CODE, READ_BYTES, (None, READ_BYTES)),
        (None, CODE, ANY_UNDEFINED, (TakenFor.SYSCALL, ANY_UNDEFINED)),
        (None, TEXT.sysret, ANY_UNDEFINED, (TakenFor.SYSRET, ANY_UNDEFINED)),
        (None, CODE, BOTH, (TakenFor.SYSCALL, ANY_UNDEFINED)),
        (TakenFor.SYSRET, CODE, READ_BYTES, (TakenFor.SYSRET, READ_BYTES)),
        (TakenFor.SYSRET, CODE, ANY_UNDEFINED, (TakenFor.SYSCALL, ANY_UNDEFINED)),
        (TakenFor.SYSRET, CODE, BOTH, (TakenFor.SYSRET, READ_BYTES)),
    ],
)
def test_the_first_variant_reads_bytes_and_the_second_looks_at_rip(
    read_as: TakenFor | None,
    rip: int,
    variants: frozenset[Detection],
    result: tuple[TakenFor | None, frozenset[Detection]],
) -> None:
    assert tell(read_as, rip, variants) == result


@pytest.mark.parametrize("kind", [SYSCALL, SYSRET])
def test_the_first_variant_leaves_an_undefined_instruction_to_the_guest(kind: object) -> None:
    guest = bench("mov eax, 0x55; ud2; inc rbx")
    event = guest.on(kind, say(b"x"))  # type: ignore[arg-type]
    summary = guest.machine.run()
    assert (summary.cause, event.triggers, summary.ends[0].describe()) == (
        StopCause.INVALID,
        0,
        "guest at 0x400005: invalid instruction",
    )


def test_the_second_variant_takes_an_undefined_instruction_for_a_syscall() -> None:
    guest = bench("mov eax, 0x55; ud2; inc rbx")
    event = guest.on(SYSCALL, say(b"x"), detection=Detection.ANY_UNDEFINED)
    summary = guest.machine.run()
    assert (event.triggers, summary.unknown_system_calls, guest.register("rbx")) == (1, {0x55: 1}, 1)


def test_the_second_variant_lets_a_longer_undefined_instruction_break_the_guest_down() -> None:
    guest = bench("vmcall; inc rbx", kernel="bare")  # three bytes; the guest goes on behind the second
    event = guest.on(SYSCALL, say(b"x"), detection=Detection.ANY_UNDEFINED)
    summary = guest.machine.run()
    assert (event.triggers, summary.cause) == (1, StopCause.UNMAPPED)


def test_the_second_variant_takes_an_undefined_kernel_instruction_for_a_sysret() -> None:
    guest = bench(
        f"mov rcx, {CODE + 0x17:#x}; mov rax, {BareKernel.entry.text.page:#x}; jmp rax; nop; inc rbx", kernel="bare"
    )
    guest.machine.write_memory(BareKernel.entry.text.page, b"\x0f\x0b")
    event = guest.on(SYSRET, say(b"x"), detection=Detection.ANY_UNDEFINED)
    ran(guest)
    assert (event.triggers, guest.register("cs")) == (1, 0x33)


def test_events_of_both_variants_work_side_by_side() -> None:
    guest = bench("mov eax, 0x55; syscall; ud2; nop")
    first = guest.on(SYSCALL, say(b"x"))
    second = guest.on(SYSCALL, say(b"x"), detection=Detection.ANY_UNDEFINED)
    ran(guest)
    assert (first.triggers, second.triggers) == (1, 2)


def test_the_second_variant_finds_the_same_calls_and_returns() -> None:
    guest = bench(TWO_CALLS)
    call = guest.on(SYSCALL, say(b"x"), detection=Detection.ANY_UNDEFINED)
    back = guest.on(SYSRET, say(b"x"), detection=Detection.ANY_UNDEFINED)
    assert (ran(guest).register("rbx"), call.triggers, back.triggers) == (2, 2, 2)


@pytest.mark.parametrize(
    ("command", "detection"),
    [("!syscall", 0), ("!sysret", 0), ("!syscall2", 1), ("!sysret2", 1)],
)
def test_the_command_names_the_variant(command: str, detection: int) -> None:
    assert EVENT_BY_NAME[command].spelling.detection == detection


def test_the_first_variant_is_the_default() -> None:
    assert EventDefinition(0, SYSCALL, "!syscall").detection is Detection.READ_BYTES


# --- EFER


READ_EFER = "mov ecx, 0xc0000080; rdmsr; mov rbx, rax"


@pytest.mark.parametrize("hooked", [False, True])
def test_the_guest_reads_sce_as_set(hooked: bool) -> None:
    guest = bench(READ_EFER)
    if hooked:
        guest.on(SYSCALL, say(b"x"))
    assert ran(guest).register("rbx") & 1 == 1
    assert guest.machine.read_msr(0, msr.EFER) & 1 == 1


def test_a_write_of_efer_does_not_end_the_interception() -> None:
    guest = bench("mov ecx, 0xc0000080; rdmsr; wrmsr; or eax, 0x800; wrmsr; rdmsr; mov rbx, rax; syscall")
    event = guest.on(SYSRET, say(b"x"))
    ran(guest)
    assert (guest.register("rbx") & 0x801, event.triggers) == (0x801, 1)


def test_other_msrs_are_read_as_ever_while_efer_is_intercepted() -> None:
    guest = bench("mov ecx, 0xc0000082; rdmsr; shl rdx, 32; lea rbx, [rdx + rax]")
    guest.on(SYSCALL, say(b"x"))
    assert ran(guest).register("rbx") == TEXT.entry


# --- a guest with a kernel of its own

OWN_KERNEL = f"""
    mov ecx, 0xc0000082
    mov eax, {CODE + 0x100}
    xor edx, edx
    wrmsr
    mov eax, 0x55
    syscall
    inc rbx
    syscall
    inc rbx
"""


@pytest.mark.parametrize("hooked", [False, True])
def test_a_guest_may_bring_its_own_handler(hooked: bool) -> None:
    guest = bench(OWN_KERNEL)
    guest.machine.write_memory(CODE + 0x100, b"\x48\xff\xc6\x0f\x01\xf8\x0f\x01\xf8\x48\x0f\x07")  # inc rsi; swapgs x 2
    events = [guest.on(kind, say(b"x")) for kind in (SYSCALL, SYSRET)] if hooked else []
    write(guest.machine.host_for_commands(), "rsi", 0)
    summary = guest.machine.run()
    assert (guest.register("rsi"), guest.register("rbx"), summary.unknown_system_calls) == (2, 2, {})
    assert [event.triggers for event in events] == ([2, 2] if hooked else [])


def test_a_sysret_that_returns_to_itself_ends_at_the_instruction_limit() -> None:
    guest = bench(f"mov rcx, {CODE + 7}; sysretq")
    event = guest.on(SYSRET, script(lambda host: None))
    assert guest.machine.run(1000).cause is StopCause.BUDGET
    assert event.triggers > 1


def test_the_handler_keeps_to_its_page() -> None:
    text = KernelText(0xFFFF_F800_0000_1000)
    assert len(text.code) == 0x1000
    assert text.code[text.sysret - text.page :][:3] == b"\x48\x0f\x07"


def test_a_script_may_watch_every_step_of_a_call() -> None:
    guest = bench("mov eax, 0x55; syscall; nop")
    seen: list[tuple[str, int]] = []

    def look(name: str) -> object:
        return script(lambda host: seen.append((name, read(host, "rip"))))

    guest.on(SYSCALL, look("syscall"), stage=Stage.ALL)  # type: ignore[arg-type]
    guest.on(SYSRET, look("sysret"), stage=Stage.ALL)  # type: ignore[arg-type]
    ran(guest)
    assert seen == [
        ("syscall", CODE + 5),
        ("syscall", TEXT.entry),
        ("sysret", TEXT.sysret),
        ("sysret", CODE + 7),
    ]


def test_registers_that_a_sysret_script_writes_reach_the_guest() -> None:
    guest = bench("syscall; nop")

    def change(host: Host) -> None:
        write(host, "rbx", 5)

    guest.on(SYSRET, script(change), stage=Stage.POST)
    assert ran(guest).register("rbx") == 5
