"""The two carriers of the trigger protocol have one meaning: every guest and script gives the same on both."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from carrier_worlds import CARRIERS, NATIVE, run
from engines import need_machine_code

from hds.session.session import Session
from machine.events.definition import ScriptAction
from machine.native.tables import ActionRow, EventRow, EventTable
from vm.facts.events import SYSCALL
from vm.facts.limits import Limits

need_machine_code()

from vm.native.engine import NativeEngine  # noqa: E402 - it can be imported
from vm.native.trigger import entry_point  # noqa: E402

# Calls 55, 66, 55, ... with rcx and r11 as SYSCALL leaves them, 300 times.
LOOP = (
    "mov ebx, 300; next: mov eax, 0x55; syscall; add r15, rax; mov eax, 0x66; syscall; add r14, rcx; dec ebx; jnz next"
)
FEW = LOOP.replace("300", "4")
# Writes a line, and then something unknown; 3 times.
WRITER = (
    "mov ebx, 3; mov rsi, rsp; mov dword ptr [rsi], 0x0a646c6f; next: mov eax, 1; mov edi, 1; mov edx, 4; syscall; "
    "mov eax, 0x1f0; syscall; dec ebx; jnz next; mov eax, 60; mov edi, 7; syscall"
)
# Maps a page and unmaps it; a script reads it in between.
MAPPER = (
    "mov eax, 9; xor edi, edi; mov esi, 0x1000; mov edx, 3; mov r10d, 0x22; mov r8, -1; xor r9d, r9d; syscall; "
    "mov r12, rax; mov qword ptr [r12], 0x1234; mov eax, 0x1f1; syscall; mov rdi, r12; mov esi, 0x1000; mov eax, 11; "
    "syscall; mov eax, 0x1f1; syscall"
)

SCRIPTS = {
    "no event": "",
    "counter": "!syscall script { if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; } }",
    "number": "!syscall 66 script { .n = .n + 1; print($context); }",
    "number ffffffff": "!syscall ffffffff script { .n = .n + 1; }",
    "several": "!syscall script { .a = .a * 3 + 1; }\n!syscall 55 script { .a = .a * 5 + 2; @rbp = .a; }\n"
    "!syscall script { print(@rbp); }",
    "registers written": "!syscall script { @r8 = @r8 + @rax; @r9d = @r9d + 1; @rdi = @rip; @rdx = @rflags; }",
    "number written": "!syscall 55 script { @rax = 0x66; }\n!syscall 66 script { .n = .n + 1; }\n"
    "!syscall 55 script { @rax = 0x66; print($context); }",
    "flags written": "!syscall 55 script { @rflags = @rflags | 0x801; } \n!syscall script { print(@rflags); }",
    "one flag written": "!syscall 55 script { @cf = 1; @zf = 0; }",
    "selectors": "!syscall script { print(@cs); print(@ss); @cs = 0x33; print(@cs); }",
    "rip moved past": "!syscall 55 script { @rip = @rip + 2; @r13 = @r13 + 1; }",
    "rip moved further": "!syscall 66 script { @rip = @rip + 5; @r13 = @r13 + 1; }",
    "rip written as it was": "!syscall script { @rip = @rip; }",
    "rip moved by the first of two": "!syscall script { print($ip); print(@rip); }\n"
    "!syscall script { @rip = @rip + 2; }",
    "sc on": "!syscall 55 sc on script { .n = .n + 1; @r12 = @rax; }",
    "event_sc": "!syscall script { if (@rax == 0x55) { event_sc(1); } }",
    "event_sc of another event": "!syscall script { .n++; event_sc(.n & 2); }\n"
    "!syscall script { .m++; event_sc(.m & 1); }",
    "event_sc in stage post": "!syscall stage all script { .n++; event_sc(.n & 1); }",
    "event_sc before a break": "!syscall script { .n++; event_sc(.n & 1); if (.n < 4) { pause(); } }",
    "event_sc off": "!syscall sc on script { if (@rax == 0x55) { event_sc(0); } }",
    "event_sc after a request": "!syscall script { event_disable(0n77); event_sc(1); event_enable($event_id); }",
    "disables itself": "!syscall script { .n = .n + 1; if (.n == 5) { event_disable($event_id); } }",
    "clears itself": "!syscall script { .n = .n + 1; if (.n == 5) { event_clear($event_id); } print(.n); }",
    "clears the next": "!syscall script { .n = .n + 1; }\n"
    "!syscall script { if (.n == 5) { event_clear(0); event_sc(1); } }",
    "enables another": "!syscall script { .m = .m + 1; }\n!syscall script { .n = .n + 1; if (.n == 5) "
    "{ event_enable(0); } }\nevents d 0",
    "disabled by a command": "!syscall script { .n = .n + 1; }\nevents d 0",
    "cleared by a command": "!syscall script { .n = .n + 1; }\n!syscall script { .m = .m + 1; }\nevents c 0",
    "core": "!syscall core 0 script { .n = .n + 1; print($core); }",
    "pid": "!syscall pid 1000 script { print($pid); print($tid); }\n!syscall pid 1000 script { .n = .n + 1; }",
    "division by zero": "!syscall script { .n = .n + 1; @r10 = 7; print(1 / (@rax - 0x55)); print(2); }\n"
    "!syscall script { .m = .m + 1; }",
    "a counter stops": "!syscall script { .n++; @r10 = 7; .m = 1 / (@rax - 0x55); }",
    "a counter of a number stops": "!syscall 66 buffer 20 script { .n++; .m = poi(.n & 1); }",
    "a counter never ends": "!syscall script { while (1) { .n = .n + 1; } }",
    "a counter of this process": "!syscall script { .n = .n + $pid + $tid; @r9 = $proc; }",
    "a counter of all flags": "!syscall script { .n = .n ^ @rflags; @rflags = @rflags | 0x4000; }",
    "bad address": "!syscall script { @r10 = 5; print(poi(0)); }",
    "step limit": "!syscall script { print(1); while (1) { .n = .n + 1; } }",
    "injection": "!syscall script { print(1); event_inject(2, 2); print(2); }",
    "injected exception": "!syscall script { .n++; if (.n == 3) { event_inject_error_code(3, 0xd, 4); } }",
    "printf": '!syscall script { printf("%llx %llx\\n", @rax, @rcx); }',
    "printf imm no": '!syscall imm no script { printf("%llx %llx\\n", @rax, @rcx); }',
    "printf imm no and yes": '!syscall imm no script { printf("%llx;", @rax); }\n'
    "!syscall 55 script { print(.n); .n++; }",
    "imm no with a fault": '!syscall imm no script { .n++; printf("%d;", .n); '
    "if (.n % 9 == 0) { print(1 / (.n - .n)); } }",
    "imm no with text": '!syscall imm no script { .n++; printf("%d;", .n); if (.n & 1) { printf("%s;", "odd"); } }',
    "flush": '!syscall imm no script { .n++; printf("%d;", .n); if (.n == 0n50) { flush(); } }',
    "flush by another": '!syscall imm no script { .n++; printf("%d;", .n); }\n'
    "!syscall script { if (.n == 0n50) { flush(); } }",
    "text": '!syscall script { printf("%s %d\\n", "text", $event_id); }',
    "memory": "!syscall script { .x = poi(@rip); eq(@rsp, @rax); .y = poi(@rsp); print(.y); }",
    "code written": "!syscall script { eb(@rip - 4, db(@rip - 4)); .n++; }",
    "pseudo-registers": '!syscall script { printf("%llx %llx %llx %llx %llx %llx %llx %llx %llx %s\\n", '
    "$pid, $tid, $core, $ip, $context, $event_id, $event_tag, $event_stage, $proc, $pname); }",
    "buffer": "!syscall buffer 100 script { eq($buffer, @rax); .x = poi($buffer); }",
    "time": "!syscall script { .t = .t + rdtsc(); print(rdtsc()); microsleep(3); }",
    "control register": "!syscall script { .c = @cr0; @r13 = @cr4; }",
    "condition": "!syscall script { .n++; }\n!syscall condition { 48 31 c0 } script { .m++; }",
    "post stage": "!syscall script { .n++; }\n!syscall stage post script { .m++; print(@rip); }",
    "all stages": "!syscall stage all script { .m++; print($event_stage); @r13 = @r13 + @rax; }",
    "syscall2": "!syscall2 script { .n++; }\n!syscall script { .m++; }",
    "sysret": "!syscall script { .n++; @r13 = @r13 + 1; }\n!sysret script { .m++; print(@rcx); }",
    "pause": "!syscall script { .n++; if (.n == 3) { @r12 = 0x77; pause(); } }",
}


# Conditions and code blocks. rcx in a condition and rdx in code is GUEST_REGS.
BLOCKS = {
    "true": "!syscall condition { b001 } script { .n++; }",
    "by number": "!syscall asm condition { mov rax, [rcx]; cmp rax, 55; sete al; movzx eax, al } script { .n++; }",
    "by context": "!syscall asm condition { mov rax, rdx; sub rax, 66 } script { .n++; }\n"
    "!syscall asm condition { mov rax, rdx; sub rax, 66 } script { .m++; } sc on",
    "registers are clean": "!syscall asm condition { lea rax, [rbx+rsi]; lea rdi, [rdi+8]; pushfq; pop rdx; "
    "add rax, rdx;"
    " mov rbx, 5; mov rsi, 6; std; cmp rax, 2; sete al; movzx eax, al } script { .n++; }",
    "writes registers": "!syscall asm condition { inc qword ptr [rcx+68]; xor eax, eax } script { .n++; }",
    "reads what the script wrote": "!syscall script { @r8 = @r8 + 3; } asm code { add qword ptr [rdx+48], 4 }",
    "code reads the buffer": "!syscall buffer 20 script { eq($buffer, @rax); .x = .x + poi($buffer); } "
    "asm code { inc qword ptr [rcx] ; mov rax, [rcx]; mov [rdx+50], rax }",
    "code gets the context": "!syscall asm code { add [rdx+58], r8 }",
    "code writes rsp": "!syscall 55 asm code { sub qword ptr [rdx+20], 8 }\n!syscall 66 asm code { add "
    "qword ptr [rdx+20], 8 }",
    "memory of the process": "!syscall asm code { mov rax, [rdx+20]; inc qword ptr [rax-18] }\n"
    "!syscall script { print(poi(@rsp - 18)); }",
    "fault": "!syscall asm condition { mov rax, [rax] } script { .n++; }",
    "fault in code": "!syscall script { .n++; @r8++; } asm code { inc qword ptr [rdx+40]; ud2 }",
    "fault every other time": "!syscall asm condition { mov rax, rdx; sub rax, 55; mov rax, [rax] } script { .n++; }",
    "division": "!syscall asm condition { xor ecx, ecx; div rcx } script { .n++; }",
    "endless": "!syscall 55 asm condition { again: jmp again } script { .n++; }",
    "breakpoint": "!syscall condition { cc } script { .n++; }",
    "system call": "!syscall asm code { syscall }",
    "halt": "!syscall asm code { hlt }",
    "vector registers": "!syscall asm code { movq xmm0, qword ptr [rdx]; paddq xmm1, xmm0; movq qword ptr "
    "[rdx+60], xmm1 }",
    "a vector instruction with the name of a plain one": "!syscall asm code { movsd qword ptr [rdx+60], xmm1 }\n"
    "!syscall asm code { movq xmm1, qword ptr [rdx] }",
    "more than computing": "!syscall asm condition { mov eax, 1; mov dr0, rax; mov rax, dr0 } script { .n++; }\n"
    "!syscall asm condition { mov rax, dr0 } script { .m++; }",
    "model-specific": "!syscall asm condition { mov ecx, c0000101; mov eax, 5; xor edx, edx; wrmsr; mov rax, gs:[0] } "
    "script { .n++; }\n!syscall asm condition { mov rax, gs:[188] } script { .m++; }",
    "processor block": "!syscall asm condition { mov rax, gs:[188]; mov rax, [rax+220] } script { .m++; }",
    "time stamp": "!syscall asm condition { rdtsc; mov [rcx+70], rax } script { .m++; }",
    "code changes itself": "!syscall asm condition { lea rax, [rip]; mov byte ptr [rax], 90; mov al, 1 } "
    "script { .n++; }",
    "jumps into the middle": "!syscall asm condition { jmp over; over: xor eax, eax; inc eax } script { .n++; }",
    "writes guest code": "!syscall 55 asm code { mov rax, [rdx+20]; xor rax, rax }",
    "several": "!syscall asm condition { mov rax, rdx; cmp rax, 55; sete al; movzx eax, al } script { .n++; "
    "print(.n); } "
    "asm code { inc qword ptr [rdx+68] }\n!syscall asm code { add qword ptr [rdx+68], 10 }",
    "post stage": "!syscall stage post asm condition { mov rax, [rcx] } script { .n++; print(@rip); } "
    "asm code { inc qword ptr [rdx+68] }",
    "short-circuit by code": "!syscall sc on asm condition { mov rax, rdx; sub rax, 66 } asm code { mov "
    "qword ptr [rdx], 7 }",
    "on a core": "!syscall core 0 asm condition { mov rax, gs:[188] } script { .n++; }",
    "break": "!syscall asm condition { mov rax, [rcx]; sub rax, 55 }",
}

# The guest of BLOCKS and SCRIPTS begins at 400000; `add r15, rax` is at 40000c.
EXECUTION = {
    "counter": "!epthook 40000c script { .n++; }",
    "registers": "!epthook 40000c script { @r15 = @r15 + @rbx; print(@rip); print($context); print(@r15); }",
    "flags": "!epthook 40000c script { @zf = 1; @cf = 1; .f = @rflags; }",
    "flags decide": "!epthook 40001c script { @zf = 1; }",
    "moves on": "!epthook 40000c script { @rip = @rip + 3; }",
    "moves within a block": "!epthook 40000f script { print(.n); .n++; @rip = @rip + 5; }\n"
    "!epthook 400014 script { print(.n); }",
    "moves within blocks that change": "!epthook 40000f script { .n++; @rip = @rip + 5; if (.n % 3 == 0) { "
    "eb(40000c, 4d); } if (.n % 3 == 1) { eb(40000c, 90); eb(40000d, 90); eb(40000e, 90); } }\n"
    "!epthook 400014 script { print(.n); }",
    "ticks": "!epthook 40000c script { print(1); }\n!epthook 40000f script { print(2); @cf = 1; }\n"
    "!epthook 40001c script { print(3); }",
    "moves back": "!epthook 40000c script { if (.n < 9) { .n++; @rip = 400005; } }",
    "stays": "!epthook 40000c script { @rip = @rip; }",
    "condition": "!epthook 40000c asm condition { mov rax, [rcx+18]; and rax, 1 } script { .n++; } "
    "asm code { inc qword ptr [rdx+60] }",
    "sc": "!epthook 40000c sc on script { event_sc(1); .n++; }",
    "two": "!epthook 40000c script { .a = .a * 3 + 1; }\n!epthook 40000c script { .a = .a * 5 + 2; }\n"
    "!epthook 400005 script { .b++; }",
    "with system calls": "!syscall script { .n++; }\n!epthook 40000c script { .m = .m + .n; }",
    "clears itself": "!epthook 40000c script { .n++; if (.n == 5) { event_clear($event_id); } }",
    "disables itself": "!epthook 40000c script { .n++; if (.n == 5) { event_disable($event_id); } }",
    "changes code": "!epthook 40000c script { .n++; eb(40000f, db(40000f)); }",
    "with code that a system call changes": "!syscall script { eb(@rip, db(@rip)); }\n"
    "!epthook 40000c script { print(.n); .n++; }",
    "messages": '!epthook 40000c imm no script { printf("%llx\\n", @rbx); }\n!epthook 400005 script { '
    "print(.n); .n++; }",
    "pause": "!epthook 40000c script { .n++; if (.n == 3) { pause(); } }",
    "fault": "!epthook 40000c script { .n++; @r8++; print(1 / (.n - 5)); }",
    "break": "!epthook 40000c",
    "epthook2": "!epthook2 40000c script { .n++; }",
    "everywhere": "!epthook 400005 script { .a++; }\n!epthook 40000a script { .b++; }\n!epthook 40000c "
    "script { .c++; }",
}

SYSRETS = {
    "counter": "!sysret script { .n++; }",
    "registers": "!sysret script { print(@rip); print(@rcx); print(@r11); print($context); print(@rflags); "
    "print(@cs); }",
    "post": "!sysret stage post script { .n++; print(@rip); print(@cs); print($context); }",
    "all": "!sysret stage all script { .n++; print($event_stage); @r8 = @r8 + @rcx; }",
    "result": "!sysret script { @rax = 7; }",
    "moves": "!sysret script { @rcx = @rcx + 3; }",
    "sc": "!sysret sc on script { .n++; @rip = @rcx; }",
    "moves rip": "!sysret script { @rip = @rcx; .n++; }",
    "flags": "!sysret script { @r11 = @r11 | 1; }\n!sysret stage post script { print(@rflags); @cf = 0; }",
    "flags put back": "!sysret stage all script { @if = 0; print(@rflags); }",
    "condition": "!sysret asm condition { mov rax, [rcx]; and rax, 1 } script { .n++; } asm code { inc "
    "qword ptr [rdx+60] }",
    "with syscall": "!sysret script { .n++; }\n!syscall stage all script { .m = .m * 3 + $event_stage; }",
    "syscall2": "!sysret2 script { .n++; }\n!sysret script { .m++; }\n!syscall script { .k++; }",
    "clears itself": "!sysret script { .n++; if (.n == 4) { event_clear($event_id); } }",
}


# What is typed while an event holds the guest.
TYPED = {
    "registers are shown": "!syscall 55 script { @r12 = .n + 7; .n++; pause(); }\ng\n? print(@r12);\ng\nr r12",
    "registers are written": "!syscall 55 script { @r12 = 7; pause(); @r13 = @r12 + 1; }\ng\nr r12 = 9\n? @rbp = 5;",
    "rip is written": "!syscall 55 script { @r12 = 7; pause(); }\ng\n? @rip = @rip + 2;\ng\nr rax = 66",
    "flags are written": "!syscall 66 script { @rflags = 47; pause(); print(@rflags); }\ng\n? @zf = 0;\ng\ng",
    "the handler is moved": "!syscall 55 script { pause(); }\ng\nwrmsr c0000082 400000\ng",
    "at an address": "!epthook 40000c script { @zf = 1; @r12 = 3; pause(); @cf = 1; }\ng\nr r12 = 9\n? print(@r12);\ng",
    "at a return": "!sysret stage all script { @r12 = .n; .n++; pause(); }\ng\n? print(@r12);\nr r8 = 5\ng\ng",
    "events are cleared": "!epthook 40000c script { .n++; pause(); }\n!syscall\ng\nevents c all\ng",
}


# What a script that is called without the protocol of stages may do, and what it may not.
LONE = {
    "!syscall script { if (@rax == 0x55 && @rcx > 10) { .n = .n + 1; @r8 = @rip; } }": True,
    "!syscall 55 script { .n = poi(@rsp) / $pid; }": True,
    "!syscall script { print(.n); }": False,
    '!syscall imm no script { printf("%d", .n); }': False,
    "!syscall script { .n = $context; }": False,
    "!syscall script { .n = @rflags; }": False,
    "!syscall script { event_sc(1); }": False,
    "!syscall script { pause(); }": False,
    "!syscall sc on script { .n++; }": False,
    "!syscall core 0 script { .n++; }": False,
    "!syscall condition { b001 } script { .n++; }": False,
    "!syscall script { .n++; } code { 90 }": False,
    "!syscall script { .n++; }\n!syscall script { .m++; }": False,
    "!syscall stage post script { .n++; }": False,
}


def alike(guest: str, commands: str, **options: Any) -> None:
    """The run is the same on all carriers."""
    expected = run("portable", guest, commands, **options)
    for carrier in NATIVE:
        assert run(carrier, guest, commands, **options) == expected, carrier


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_at_a_trigger_does_the_same_on_both_carriers(name: str) -> None:
    alike(FEW, TYPED[name], halts=True)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_does_the_same_on_both_carriers(name: str) -> None:
    guest = FEW if name in ("step limit", "unsupported") else LOOP
    alike(guest, SCRIPTS[name], limits=Limits(max_steps=2000))


@pytest.mark.parametrize("commands", LONE)
def test_what_keeps_to_itself_is_called_at_once(commands: str) -> None:
    tables: list[EventTable] = []

    def table() -> EventTable:
        tables.append(EventTable())
        return tables[-1]

    with mock.patch("machine.native.carried_addresses.EventTable", side_effect=table):
        session = Session(b"\x0f\x05", kind="raw", engine=NativeEngine(Limits()), prompt_messages=False)
        for command in commands.splitlines():
            session.execute(command)
        session.run()
    assert any(table.lone for table in tables) is LONE[commands]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_does_the_same_on_both_carriers(name: str) -> None:
    alike(LOOP.replace("300", "20"), BLOCKS[name], limits=Limits(max_root_instructions=1000))


@pytest.mark.parametrize("name", EXECUTION)
def test_a_hooked_address_does_the_same_on_both_carriers(name: str) -> None:
    alike(LOOP, EXECUTION[name])


@pytest.mark.parametrize("kernel", ["bare", "linux"])
@pytest.mark.parametrize("name", SYSRETS)
def test_a_sysret_does_the_same_on_both_carriers(name: str, kernel: str) -> None:
    alike(FEW, SYSRETS[name], kernel=kernel)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("hook_first", [True, False])
def test_a_hook_comes_before_the_access_to_efer_at_its_address(carrier: str, hook_first: bool) -> None:
    guest = "mov ecx, 0xc0000080; rdmsr; mov r12, rax; mov eax, 0x55; syscall"
    commands = ["!epthook 400005 script { .at = @rip; @rax = 7; }", "!syscall script { .n++; }"]
    outcome = run(carrier, guest, "\n".join(commands if hook_first else reversed(commands)))
    assert outcome.globals["at"] == (0x40_0005).to_bytes(8, "little")
    assert outcome.registers["r12"] & 1  # SCE is set for the guest


@pytest.mark.parametrize("carrier", NATIVE)
def test_a_handler_with_a_hook_is_executed_on_both_carriers(carrier: str) -> None:
    commands = (
        "!sysret script { .n++; }\n!epthook fffff80000001000 script { .m++; }\n!syscall stage post script { .k++; }"
    )
    assert run(carrier, FEW, commands, kernel="bare") == run("portable", FEW, commands, kernel="bare")


@pytest.mark.parametrize("length", [1, 7, 1365, 4094])
def test_held_messages_are_packed_the_same(length: int) -> None:
    commands = (
        f'!syscall imm no script {{ .n++; printf("{"x" * length}"); if (.n % 7 == 0) {{ printf("%llx", .n); }} }}'
    )
    assert run("native", LOOP, commands) == run("portable", LOOP, commands)


@pytest.mark.parametrize("kernel", ["bare", "linux", "nt"])
@pytest.mark.parametrize("name", ["no event", "counter", "registers written", "several"])
def test_every_kernel_answers_the_same_on_both_carriers(kernel: str, name: str) -> None:
    results = [run(carrier, LOOP, SCRIPTS[name], kernel=kernel) for carrier in ("native", "portable")]
    assert results[0] == results[1]


@pytest.mark.parametrize("carrier", NATIVE)
def test_held_messages_of_a_trigger_in_python_come_behind_those_of_machine_code(carrier: str) -> None:
    # The hook is that of an instruction that repeats itself, which machine code leaves to Python.
    commands = "!syscall imm no script { print(@rax); }\n!epthook 400014 imm no script { print(1); }"
    guest = LOOP.replace("add r15, rax", "mov ecx, 2; rep stosb").replace("mov ebx, 300", "mov ebx, 20; mov rdi, rsp")
    assert run(carrier, guest, commands) == run("portable", guest, commands)


@pytest.mark.parametrize("imm", ["yes", "no"])
def test_messages_and_the_output_of_the_guest_come_in_the_same_order(imm: str) -> None:
    commands = f'!syscall imm {imm} script {{ printf("%llx %llx\\n", @rax, @rdi); }}'
    assert run("native", WRITER, commands, kernel="linux") == run("portable", WRITER, commands, kernel="linux")


def test_memory_that_comes_and_goes_is_seen_the_same() -> None:
    commands = "!syscall 1f1 script { print(check_address(@r12)); print(poi(@r12)); }"
    assert run("native", MAPPER, commands, kernel="linux") == run("portable", MAPPER, commands, kernel="linux")


@pytest.mark.parametrize("cores", [1, 2])
def test_processes_take_the_same_turns(cores: int) -> None:
    commands = "!syscall script { print($pid); print($core); }\n!syscall core 0 pid 1010 script { .n++; }"
    guests = [FEW, FEW, FEW]
    results = [run(carrier, guests, commands, cores=cores) for carrier in ("native", "portable")]
    assert results[0] == results[1]


def test_a_guest_that_moves_lstar_enters_its_own_kernel() -> None:
    guest = (
        "mov ecx, 0xc0000082; lea rax, [rip + handler]; mov rdx, rax; shr rdx, 32; wrmsr; mov eax, 0x55; syscall; hlt; "
        "handler: inc r15; hlt"
    )
    commands = "!syscall script { .n++; }"
    assert run("native", guest, commands) == run("portable", guest, commands)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_fs_in_a_block_is_the_guests_at_the_trigger(carrier: str) -> None:
    step = (
        "mov ecx, 0xc0000100; lea rax, [rsp - {0}]; mov rdx, rax; shr rdx, 32; wrmsr; "
        "mov qword ptr [rsp - {0}], {1}; syscall"
    )
    guest = "; ".join(step.format(distance, value) for distance, value in ((0x100, 5), (0x200, 7), (0x300, 5)))
    commands = "!syscall script { .n++; } asm condition { cmp qword ptr fs:[0], 5; sete al; ret }"
    assert run(carrier, guest, commands, kernel="bare").triggers == [2]


def test_hooks_take_over_what_is_compiled_once_more_in_a_later_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDS_CACHE", "")  # what was compiled well before is used at once
    text = "!syscall script { .taken_over = .taken_over + @rcx - @rcx + 1; }"
    limits = Limits(quantum_instructions=200)
    session = Session(
        b"\xbb\x84\x03\x00\x00\xb8\x55\x00\x00\x00\x0f\x05\xff\xcb\x75\xf5\xf4", kind="raw",
        limits=limits, engine=NativeEngine(limits, steps_that_pay=300), kernel="bare",
    )  # fmt: skip
    session.execute(text)
    (event,) = session.machine.registry.of_kind(SYSCALL).pre
    (action,) = event.definition.actions
    assert isinstance(action, ScriptAction)
    before = entry_point(action.program)
    session.run()
    (counter,) = event.counters
    assert isinstance(counter, EventRow)
    row = ActionRow.from_address(counter.actions)
    assert before != row.entry == entry_point(action.program)
    assert session.globals["taken_over"] == session.triggers == 900
