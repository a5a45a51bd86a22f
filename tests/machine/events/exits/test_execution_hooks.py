"""!epthook and !epthook2: actions before the instruction at an address, hidden from the guest."""

from __future__ import annotations

import pytest
from machine_guests import CODE, DATA, Bench, bench, block, pseudo, read, say, script, write

from machine.events.definition import BreakAction, CodeAction
from machine.events.registry import RegistrationError
from machine.machine import StopCause
from machine.processor import msr
from vm.facts.events import EPTHOOK, EPTHOOK2, SYSCALL, SYSRET
from vm.facts.stages import Stage
from vm.host import Host

LOOP = "mov ecx, 5; again: inc rbx; inc rsi; dec ecx; jnz again"
INC_RSI = CODE + 8
LSTAR = 0xFFFF_F800_0000_1000


def ran(guest: Bench) -> Bench:
    guest.machine.run()
    return guest


def test_a_hook_triggers_before_each_execution_of_its_instruction() -> None:
    guest = bench(LOOP)
    seen: list[tuple[int, ...]] = []
    guest.on(
        EPTHOOK,
        script(lambda h: seen.append((pseudo(h, "context"), pseudo(h, "ip"), read(h, "rip"), read(h, "rsi")))),
        parameters=(INC_RSI,),
    )
    assert ran(guest).register("rsi") == 5
    assert seen == [(INC_RSI, INC_RSI, INC_RSI, count) for count in range(5)]


def test_only_the_start_of_an_instruction_counts() -> None:
    guest = bench(LOOP)
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI + 1,))
    ran(guest)
    assert event.triggers == 0


def test_reads_of_the_page_show_the_original_bytes() -> None:
    guest = bench("mov al, [0x400009]; nop; nop; inc rbx")
    before = guest.machine.read_memory(CODE, 16)
    guest.on(EPTHOOK, say(b"x"), parameters=(CODE + 7,))
    assert guest.machine.read_memory(CODE, 16) == before
    assert ran(guest).register("rax") & 0xFF == before[9]  # type: ignore[index]


def test_a_script_replaces_the_instruction_by_moving_rip() -> None:
    guest = bench(LOOP)
    guest.on(EPTHOOK, script(lambda host: write(host, "rip", INC_RSI + 3)), parameters=(INC_RSI,))
    assert (ran(guest).register("rsi"), guest.register("rbx")) == (0, 5)


def test_writing_the_same_rip_changes_nothing() -> None:
    guest = bench(LOOP)

    def write_twice(host: Host) -> None:
        write(host, "rip", 0x1234)
        write(host, "rip", INC_RSI)

    guest.on(EPTHOOK, script(write_twice), parameters=(INC_RSI,))
    assert ran(guest).register("rsi") == 5


def test_a_script_skips_a_function() -> None:
    guest = bench("call function; inc rbx; jmp end; function: mov ebx, 50; ret; end: nop")

    def skip(host: Host) -> None:
        stack = read(host, "rsp")
        write(host, "rip", int.from_bytes(host.read_memory(stack, 8) or b"", "little"))
        write(host, "rsp", stack + 8)

    guest.on(EPTHOOK, script(skip), parameters=(CODE + 10,))
    assert ran(guest).register("rbx") == 1


@pytest.mark.parametrize("cleared", [False, True])
def test_a_script_decides_a_branch_by_its_flag(cleared: bool) -> None:
    guest = bench("xor eax, eax; jne taken; mov ebx, 1; jmp end; taken: mov ebx, 2; end: nop")
    event = guest.on(EPTHOOK, script(lambda host: write(host, "rflags", 0x202)), parameters=(CODE + 2,))
    if cleared:
        guest.machine.registry.clear(event.definition.id)
    assert ran(guest).register("rbx") == (1 if cleared else 2)


def test_several_hooks_in_a_page_each_trigger() -> None:
    guest = bench(LOOP)
    first = guest.on(EPTHOOK, say(b"x"), parameters=(CODE,))
    second = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
    again = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
    ran(guest)
    assert (first.triggers, second.triggers, again.triggers) == (1, 5, 5)


def test_epthook2_triggers_like_epthook() -> None:
    guest = bench(LOOP)
    event = guest.on(EPTHOOK2, say(b"x"), parameters=(INC_RSI,))
    ran(guest)
    assert event.triggers == 5


def test_conditions_and_code_work_at_a_hook() -> None:
    guest = bench(LOOP)
    code = CodeAction(block("add qword ptr [rdx+30], 10"))
    event = guest.on(EPTHOOK, code, parameters=(INC_RSI,), condition=block("cmp qword ptr [rcx+8], 2; sete al"))
    assert (ran(guest).register("rsi"), event.triggers) == (0x15, 1)


def test_short_circuiting_has_no_meaning_at_a_hook() -> None:
    guest = bench(LOOP)
    guest.on(EPTHOOK, script(lambda host: host.request("event_sc", (1,))), parameters=(INC_RSI,), short_circuit=True)
    assert ran(guest).register("rsi") == 5


def test_an_event_clears_its_own_hook() -> None:
    guest = bench(LOOP)
    event = guest.on(EPTHOOK, script(lambda host: host.request("event_clear", (0,))), parameters=(INC_RSI,))
    assert (ran(guest).register("rsi"), event.triggers) == (5, 1)


def test_a_disabled_hook_stays_and_can_be_enabled() -> None:
    guest = bench(LOOP)
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
    guest.machine.registry.disable(0)
    guest.on(
        EPTHOOK,
        script(lambda host: read(host, "rsi") == 3 and host.request("event_enable", (0,))),
        parameters=(INC_RSI - 3,),
    )
    ran(guest)
    assert event.triggers == 2


def test_a_hook_registered_at_a_break_works_at_once() -> None:
    guest = bench(LOOP)

    def prompt(trigger: object) -> bool:
        if len(guest.machine.registry.oldest_first()) == 1:
            guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
        return True

    guest.machine.goes_on = prompt
    guest.on(EPTHOOK, BreakAction(), parameters=(CODE + 5,))
    ran(guest)
    assert guest.texts == [b"x"] * 5


def test_after_a_break_the_run_goes_on_behind_the_trigger() -> None:
    guest = bench(LOOP)
    event = guest.on(EPTHOOK, BreakAction(), parameters=(INC_RSI,))
    causes = [guest.machine.run().cause for _ in range(6)]
    assert causes == [StopCause.BREAK] * 5 + [StopCause.END]
    assert (event.triggers, guest.register("rsi")) == (5, 5)


def test_a_break_stops_before_the_instruction() -> None:
    guest = bench(LOOP)
    guest.on(EPTHOOK, BreakAction(), parameters=(INC_RSI,))
    ran(guest)
    assert (guest.register("rip"), guest.register("rsi")) == (INC_RSI, 0)
    write(guest.machine.host_for_commands(), "rip", CODE)
    ran(guest)
    assert (guest.register("rip"), guest.register("rsi")) == (INC_RSI, 0)


def test_a_repeated_instruction_triggers_once() -> None:
    guest = bench("mov edx, 2; again: mov ecx, 7; mov edi, 0x400100; rep stosb; dec edx; jnz again")
    event = guest.on(EPTHOOK, say(b"x"), parameters=(CODE + 15,))
    ran(guest)
    assert event.triggers == 2


def test_the_pid_filters() -> None:
    guest = bench(LOOP, cores=2)
    guest.machine.load(LOOP.encode(), "asm", process_id=0x20)
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,), process_id=0x20)
    ran(guest)
    assert (event.triggers, {message.process_id for message in guest.messages}) == (5, {0x20})


def test_without_a_pid_processes_of_the_same_program_share_the_hooked_page() -> None:
    guest = bench(LOOP, cores=3)
    guest.machine.load(LOOP.encode(), "asm")
    guest.machine.load(b"\x90" * 16, "raw")
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
    ran(guest)
    assert event.triggers == 10


def test_a_process_that_is_loaded_later_shares_the_hook() -> None:
    guest = bench(LOOP, cores=2)
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,))
    guest.machine.load(LOOP.encode(), "asm")
    ran(guest)
    assert event.triggers == 10


def test_the_core_filters() -> None:
    guest = bench(LOOP, cores=2)
    guest.machine.load(LOOP.encode(), "asm")
    event = guest.on(EPTHOOK, say(b"x"), parameters=(INC_RSI,), core=1)
    ran(guest)
    assert event.triggers == 5


# --- in the kernel


@pytest.mark.parametrize("kernel", ["bare", "linux", "nt"])
@pytest.mark.parametrize("others", [(), (SYSCALL,), (SYSCALL, SYSRET)])
def test_a_hook_behind_lstar_triggers_at_every_system_call(kernel: str, others: tuple[object, ...]) -> None:
    guest = bench("mov ebx, 3; mov eax, 0xeee; again: syscall; mov eax, 0xeee; dec ebx; jnz again", kernel=kernel)
    lstar = guest.machine.read_msr(0, msr.LSTAR)
    for kind in others:
        guest.on(kind, say(b""))  # type: ignore[arg-type]
    seen: list[tuple[int, int]] = []
    event = guest.on(EPTHOOK, script(lambda h: seen.append((read(h, "rax"), read(h, "rcx")))), parameters=(lstar + 3,))
    summary = guest.machine.run()
    assert (event.triggers, seen[0], summary.unknown_system_calls) == (3, (0xEEE, CODE + 12), {0xEEE: 3})
    assert guest.register("rbx") == 0


def test_behind_swapgs_gs_is_the_processor_block_and_after_the_return_it_is_the_users() -> None:
    guest = bench("mov ecx, 0xc0000101; rdmsr; mov rsi, rax; syscall; mov ecx, 0xc0000101; rdmsr; mov rdi, rax")
    cpu = guest.machine.processes[0].cpu
    seen: list[int] = []
    guest.on(EPTHOOK, script(lambda h: seen.append(cpu.read_msr(msr.GS_BASE))), parameters=(LSTAR + 3,))
    ran(guest)
    assert seen == [guest.machine.processes[0].processor_block]
    assert guest.register("rsi") == guest.register("rdi")


def test_the_whole_handler_can_be_watched_and_keeps_the_users_stack() -> None:
    guest = bench("mov rbx, rsp; syscall; sub rbx, rsp")
    text = guest.machine.kernels.get("bare").entry.text
    seen: list[int] = []
    for address in (text.entry, text.entry + 3, text.entry + 12, text.service, text.service + 3, text.sysret):
        guest.on(EPTHOOK, script(lambda host: seen.append(read(host, "rip"))), parameters=(address,))
    assert ran(guest).register("rbx") == 0
    assert seen == sorted(seen)
    assert len(seen) == 6


def test_a_system_call_model_sees_the_users_stack_arguments_while_the_handler_runs() -> None:
    write_file = """
        mov rax, 0x0a6968
        push rax
        mov rsi, rsp
        sub rsp, 0x58
        mov r10d, 0x54
        lea rax, [rsp + 0x48]
        mov [rsp + 0x28], rax
        mov [rsp + 0x30], rsi
        mov qword ptr [rsp + 0x38], 3
        mov eax, 8
        syscall
    """
    guest = bench(write_file, kernel="nt")
    guest.on(EPTHOOK, say(b"x"), parameters=(guest.machine.read_msr(0, msr.LSTAR) + 3,))
    ran(guest)
    assert (guest.register("rax"), guest.output) == (0, [(1, b"hi\n")])


def test_a_hook_at_a_syscall_comes_before_the_syscall_event() -> None:
    guest = bench("nop; syscall")
    guest.on(SYSCALL, say(b"syscall"))
    guest.on(EPTHOOK, say(b"hook"), parameters=(CODE + 1,))
    assert ran(guest).texts == [b"hook", b"syscall"]


# --- registration


def refused(guest: Bench, match: str, **options: object) -> RegistrationError:
    kind = options.pop("kind", EPTHOOK)
    with pytest.raises(RegistrationError, match=match) as caught:
        guest.on(kind, say(b"x"), **options)  # type: ignore[arg-type]
    return caught.value


def test_an_address_is_required() -> None:
    assert "choose an address" in str(refused(bench(LOOP), "c0000005", parameters=()))


def test_zero_is_no_address() -> None:
    assert "choose an address" in str(refused(bench(LOOP), "c0000005", parameters=(0,)))


def test_an_unmapped_address_is_refused_with_hints() -> None:
    error = refused(bench(LOOP), "c0000005", parameters=(DATA,))
    assert str(error).splitlines()[0] == "err, invalid address 600000 (c0000005)"
    assert len(error.hints) == 2


def test_without_a_program_no_address_is_mapped() -> None:
    refused(bench(), "c0000005", parameters=(CODE,))


def test_the_address_must_be_mapped_in_the_process_of_the_pid() -> None:
    guest = bench(LOOP, cores=2)
    guest.machine.load(b"\x90", "raw", base=0x70_0000, process_id=0x20)
    refused(guest, "c0000005", parameters=(INC_RSI,), process_id=0x20)
    guest.on(EPTHOOK, say(b"x"), parameters=(0x70_0000,), process_id=0x20)


@pytest.mark.parametrize("stage", [Stage.POST, Stage.ALL])
def test_a_hook_has_no_other_stage_than_pre(stage: Stage) -> None:
    assert "stage is not meaningful" in str(refused(bench(LOOP), "c000001f", parameters=(CODE,), stage=stage))


def test_a_page_has_at_most_forty_hooks() -> None:
    guest = bench("nop; " * 60)
    for offset in range(40):
        guest.on(EPTHOOK, say(b"x"), parameters=(CODE + offset,))
    guest.on(EPTHOOK, say(b"x"), parameters=(CODE,))  # the same breakpoint
    refused(guest, "c0000022", parameters=(CODE + 50,))


@pytest.mark.parametrize(("first", "second"), [(EPTHOOK, EPTHOOK2), (EPTHOOK2, EPTHOOK)])
def test_a_page_carries_one_kind_of_hook(first: object, second: object) -> None:
    guest = bench(LOOP)
    guest.on(first, say(b"x"), parameters=(CODE,))  # type: ignore[arg-type]
    refused(guest, "c0000026", kind=second, parameters=(INC_RSI,))
