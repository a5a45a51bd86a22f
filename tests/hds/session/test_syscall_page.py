"""The page of HyperDbg's documentation on !syscall and !syscall2, rule by rule; each test quotes its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import CODE, FIRST_CALL, command_line, listing_file, session, shown

BOTH = pytest.mark.parametrize("command", ["!syscall", "!syscall2"])
SAY = 'script { printf("%llx\\n", @rax); }'
SECOND = CODE + 0x1F
CALLS = "mov rdi, 1; mov rax, 0x55; syscall; mov rbx, rax; mov rsi, 7; mov eax, 0x66; syscall; mov rbp, rax"


def messages(commands: str, listing: str = CALLS, **options: object) -> list[str]:
    """What the scripts say while the guest runs to its end, without notices and breaks."""
    made, _ = session(listing, goes_on=True, **options)
    made.execute(commands)
    made.run()
    return [message.text.decode().rstrip("\n") for message in made.messages]


@BOTH
def test_it_triggers_when_a_syscall_is_executed(command: str) -> None:
    """Triggers when the debugging machine executes a syscall instruction."""
    assert messages(f'{command} script {{ printf("%llx", $ip); }}') == [f"{FIRST_CALL:x}", f"{SECOND:x}"]


@BOTH
def test_all_calls_of_all_processes_are_monitored(command: str, tmp_path: Path) -> None:
    """All syscall instructions from all processes will be monitored; `pid xx` is for a special process."""
    path = listing_file(tmp_path, CALLS)
    start = f'.start path "{path}"\n'
    script = 'script { printf("%x", $pid); }'
    assert sorted(messages(f"{start}{command} 55 pid all {script}", cores=2)) == ["1000", "1010"]
    assert messages(f"{start}{command} 55 pid 1000 {script}", cores=2) == ["1000"]


@BOTH
def test_a_number_selects_one_call(command: str) -> None:
    """Trigger in the case of a special system-call; without the parameter for all system-calls."""
    assert messages(f"{command} 55 {SAY}") == ["55"]
    assert messages(f"{command} {SAY}") == ["55", "66"]
    assert messages(f"{command} 77 {SAY}") == []


@BOTH
def test_pid_490(command: str, tmp_path: Path) -> None:
    """!syscall pid 490, and !syscall 55 pid 490: ids are hexadecimal."""
    path = listing_file(tmp_path, CALLS)
    run = ("run", "--quiet", "--pid", "490", "--on-break", "continue", "-e")
    assert command_line(*run, f"{command} pid 490", path).errors.count("event 0x0 triggered (pre)") == 2
    assert command_line(*run, f"{command} 55 pid 490", path).errors.count("event 0x0 triggered (pre)") == 1


def test_core_selects_a_core(tmp_path: Path) -> None:
    """The command will be executed if core id is equal to xx; by default events on all cores."""
    start = f'.start path "{listing_file(tmp_path, CALLS)}"\n'
    say = 'script { printf("%x", $core); }'
    assert messages(f"{start}!syscall 55 pid all core 1 {say}", cores=2) == ["1"]
    assert sorted(messages(f"{start}!syscall 55 pid all {say}", cores=2)) == ["0", "1"]


@pytest.mark.parametrize(("option", "together"), [("", False), ("imm yes", False), ("imm no", True)])
def test_messages_are_delivered_at_once_or_collected(option: str, together: bool) -> None:
    """`yes` means that results are delivered immediately, `no` that they are accumulated; the default is `yes`."""
    found = messages(f"!syscall {option} {SAY}")
    assert found == (["55\n66"] if together else ["55", "66"])


@pytest.mark.parametrize(("option", "result"), [("", 0), ("sc off", 0), ("sc on", 0x55)])
def test_short_circuiting_ignores_the_operation(option: str, result: int) -> None:
    """With `sc on` the effects and the execution of the event are ignored; the default is `off`."""
    made, _ = session(CALLS, kernel="bare")
    made.execute(f"!syscall 55 {option} {SAY}")
    made.run()
    assert made.process is not None
    made.execute("? print(@rbx);")
    assert made.messages[-1].text == b"%x\n" % result


@pytest.mark.parametrize(
    ("option", "stages"), [("", "0"), ("stage pre", "0"), ("stage post", "1"), ("stage all", "01")]
)
def test_stages(option: str, stages: str) -> None:
    """`pre` is prior to the kernel transfer, `post` subsequent to it, `all` both; the default is `pre`."""
    text = messages(f'!syscall 55 {option} script {{ printf("%x %x", $event_stage, @rip < 0); }}')
    assert text == [f"{stage} {stage}" for stage in stages]


def test_an_event_is_ignored_in_the_pre_stage_by_its_script() -> None:
    """You can ignore the event in the 'pre' stage."""
    assert messages('!syscall 55 script { event_sc(1); }\n!syscall 66 script { printf("%llx", @rbx); }') == ["55"]


def test_a_buffer_is_reserved() -> None:
    """A safe pre-allocated buffer to be accessed within the event codes."""
    script = 'script { eq($buffer, dq($buffer) + 1); printf("%llx", dq($buffer)); }'
    assert messages(f"!syscall buffer 100 {script}") == ["1", "2"]


def test_a_condition_decides() -> None:
    """Hex assembly codes which check for conditions in assembly."""
    # xor eax, eax; cmp qword ptr [rcx + 30], 7 -- rsi in GUEST_REGS; sete al
    assert messages(f"!syscall condition {{31 c0 48 83 79 30 07 0f 94 c0}} {SAY}") == ["66"]
    assert messages(f"!syscall 55 condition {{31 c0}} {SAY}") == []


@BOTH
def test_custom_code_runs(command: str) -> None:
    """Custom codes are executed each time the event is triggered: code {90 90 90}, with and without a condition."""
    code = f"{command} 55 pid 1000 code {{90 90 90}}"
    for text in (code, f"{code} condition {{90 90 90}}"):
        made, _ = session(CALLS)
        made.execute(text)
        made.run()
        assert (made.totals.code_faults, made.totals.breaks, made.guest_alive) == (0, 0, False)


def test_the_context_of_code_is_the_number() -> None:
    """As the context HyperDbg sends the system-call number: r8 in custom code."""
    # The code leaves it in the guest's rdi, where the script of the next call finds it.
    found = messages('!syscall 66 asm code { mov [rdx + 0x38], r8 }\n!sysret script { printf("%llx", @rdi); }')
    assert found == ["1", "66"]


def test_the_context_of_a_condition_and_a_script_is_the_number() -> None:
    """`$context` in the event's script, and rdx in condition code; it is rax."""
    condition = "asm condition { xor eax, eax; cmp rdx, 0x66; sete al }"
    found = messages(f'!syscall {condition} script {{ printf("%llx", $context); }}')
    assert found == ["66"]


def test_a_break_halts_before_anything_changes() -> None:
    """Events keep the debuggee in a halt state; registers and memory remain untouched."""
    text = shown(f"!syscall 66\ng\nr rip\n? microsleep(5);\nr rip\ndb {CODE:x} l 4", CALLS)
    assert "event 0x0 triggered (pre)" in text
    assert text.count(f"rip={SECOND:016x}") == 2
    assert "48 C7 C7 01" in text.upper()


def test_parameters_of_a_call_can_be_changed() -> None:
    """Check the parameters, and also change the parameters of a syscall."""
    asked = '!syscall 55 script { @rax = 66; @rdi = 9; }\n!syscall 66 stage post script { printf("%llx", @rdi); }'
    assert messages(asked)[0] == "9"


def test_a_script_comes_from_a_file_of_windows(tmp_path: Path) -> None:
    r"""!syscall 55 script {file:c:\users\sina\desktop\script.txt}"""
    folder = tmp_path / "users" / "sina" / "desktop"
    folder.mkdir(parents=True)
    (folder / "script.txt").write_text('printf("%llx\\n", @rax);')
    command = r"!syscall 55 script {file:c:\users\sina\desktop\script.txt}"
    ran = command_line("run", "--quiet", "--drive", f"c={tmp_path}", "-e", command, listing_file(tmp_path, CALLS))
    assert ran.output == "55\n"


def test_results_are_forwarded(tmp_path: Path) -> None:
    """Event forwarding sends the results to an external source, such as a file."""
    log = tmp_path / "log.txt"
    made, _ = session(CALLS)
    made.execute(f'output create log file "{log}"\noutput open log\n!syscall {SAY} output {{log}}')
    made.run()
    made.close()
    assert log.read_text() == "55\n66\n"


def test_every_option_at_once_in_any_order() -> None:
    """The syntax: number, pid, core, imm, sc, stage, buffer, script, condition, code, output."""
    rest = "condition {31 c0 ff c0} code {90} stage pre sc off imm yes core 0 pid 1000 buffer 10"
    assert messages(f"!syscall 55 {rest} {SAY}") == ["55"]
    assert messages(f"!syscall {SAY} buffer 10 pid 1000 core 0 imm yes sc off stage pre code {{90}} 55") == ["55"]


@pytest.mark.parametrize("kernel", ["nt", "linux", "bare"])
def test_the_handler_of_system_calls_is_hooked_by_its_name(kernel: str) -> None:
    """!epthook nt!KiSystemCall64+3 sets a breakpoint on the handler; the interception is done in the kernel."""
    found = messages('!epthook nt!KiSystemCall64+3 script { printf("%llx %x", @rax, @rip < 0); }', kernel=kernel)
    assert found == ["55 1", "66 1"]


def test_behind_swapgs_gs_is_the_kernels() -> None:
    """+3 is added because the first instruction is SWAPGS, which we want to be executed."""
    swapgs = shown("u nt!KiSystemCall64 l 3", kernel="nt").splitlines()
    assert swapgs[-1].endswith("swapgs")
    condition = "asm condition { mov rax, gs:[0x188]; mov rax, [rax + 0x0b8]; cmp qword ptr [rax + 0x2e8], 0x1000 }"
    condition = condition.replace(" }", "; sete al; movzx eax, al }")
    assert messages(f"!epthook nt!KiSystemCall64+3 {condition} {SAY}", kernel="nt") == ["55", "66"]


@pytest.mark.parametrize("kernel", ["nt", "linux", "bare"])
def test_without_symbols_lstar_has_the_address(kernel: str) -> None:
    """Read the address of nt!KiSystemCall64 from MSR 0xc0000082 using rdmsr, add +3 to it."""
    text = shown("rdmsr 0xc0000082\nprint nt!KiSystemCall64", kernel=kernel).splitlines()
    assert text[0].partition("= ")[2].replace("`", "") == text[1]
    assert messages(f"!epthook {text[1]}+3 {SAY}", kernel=kernel) == ["55", "66"]
