"""The two carriers of the trigger protocol have one meaning: every guest and script gives the same on both."""

from __future__ import annotations

import pytest
from carrier_worlds import run

from vm.limits import Limits

pytest.importorskip("llvmlite")

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
    "bad address": "!syscall script { @r10 = 5; print(poi(0)); }",
    "step limit": "!syscall script { print(1); while (1) { .n = .n + 1; } }",
    "unsupported": "!syscall script { print(1); event_inject(3, 0xd); print(2); }",
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


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_does_the_same_on_both_carriers(name: str) -> None:
    limits = Limits(max_steps=2000)
    guest = FEW if name in ("step limit", "unsupported") else LOOP
    assert run("native", guest, SCRIPTS[name], limits=limits) == run("portable", guest, SCRIPTS[name], limits=limits)


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
