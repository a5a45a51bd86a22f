"""`hds run`: formats, summary, statistics, halts without a terminal, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from engines import need_machine_code
from hds_guests import TWO_CALLS, command_line, listing_file

from hds.exit_codes import ExitCode

LOG = '!syscall script { printf("%llx\\n", @rax); }'
CRASH = "mov rax, [0x10]"


def records(*arguments: str) -> list[dict[str, object]]:
    """The objects of `hds run --format json`."""
    ran = command_line("run", "--format", "json", *arguments)
    assert ran.errors == ""
    return [json.loads(line) for line in ran.output.splitlines()]


# --- text


def test_messages_go_to_standard_output_and_the_summary_to_standard_error(tmp_path: Path) -> None:
    ran = command_line("run", "--kernel", "bare", "-e", LOG, listing_file(tmp_path))
    assert ran.output == "55\n66\n"
    assert ran.errors == (
        "hds: 2 triggers, 2 messages, 0 lost, 7 guest instructions, "
        "system calls that failed as unknown or refused: 55 x 1, 66 x 1; guest.asm at 0x40001d: end\n"
    )


def test_quiet_leaves_the_summary_out(tmp_path: Path) -> None:
    assert command_line("run", "--quiet", "-e", LOG, listing_file(tmp_path)).errors == ""


def test_a_file_and_standard_names_are_read(tmp_path: Path) -> None:
    script = tmp_path / "log.hds"
    script.write_text(LOG)
    assert command_line("run", str(script), listing_file(tmp_path)).output == "55\n66\n"


def test_errors_of_scripts_and_code_are_shown_and_counted(tmp_path: Path) -> None:
    ran = command_line(
        "run", "-e", "!syscall 55 script { x = poi(0); }\n!syscall 55 code { cc }", listing_file(tmp_path)
    )
    assert "event 0: <command line>:1:26: run-time error: invalid_address:" in ran.errors
    assert "event 1: code stopped: exception 3 at " in ran.errors
    assert "1 script error, 1 code error" in ran.errors
    assert ran.code == 0


def test_flushed_messages_are_lost_and_counted(tmp_path: Path) -> None:
    commands = '!syscall 55 imm no script { printf("kept back"); }\n!syscall 66\ng\nflush'
    ran = command_line("run", "-e", commands, listing_file(tmp_path))
    assert ran.output == "buffers are flushed successfully, 1 messages were removed\n"
    assert "0 messages, 1 lost" in ran.errors


# --- json


def test_every_message_says_when_and_where(tmp_path: Path) -> None:
    first, second, summary = records("-e", LOG, listing_file(tmp_path))
    assert first == {
        "type": "message", "event": 0, "stage": "pre", "core": 0, "tick": 3, "pid": 0x1000, "tid": 0x1004,
        "pc": 0x40000E, "symbol": None, "text": "55\n", "outputs": [],
    }  # fmt: skip
    assert (second["text"], second["pc"], second["tick"]) == ("66\n", 0x400018, 6)
    assert summary["type"] == "summary"


def test_a_tick_counts_instructions_up_to_the_one_at_hand(tmp_path: Path) -> None:
    listing = tmp_path / "within.asm"
    listing.write_text("mov eax, 39\nsyscall\nmov rbx, 1\nnop\nnop\nnop\nnop\nxor ecx, ecx\ndiv ecx\nnop\nnop\n")
    hooks = [
        part for place in ("400007", "40000e", "400011") for part in ("-e", f"!epthook {place} script {{ print(1); }}")
    ]
    said = records("--kernel", "linux", *hooks, str(listing))
    assert [record["tick"] for record in said if record["type"] == "message"] == [3, 4, 7]
    assert [record["instructions"] for record in said if record["type"] == "summary"] == [8]  # DIV has faulted


def test_the_summary_is_the_last_record(tmp_path: Path) -> None:
    assert records("--kernel", "bare", "-e", LOG, listing_file(tmp_path))[-1] == {
        "type": "summary", "schema": "1.3", "triggers": 2, "messages": 2, "lost_messages": 0,
        "lost": {"flushed": 0, "overwritten": 0, "overwritten_packets": 0, "unsent": 0},
        "instructions": 7, "script_errors": 0, "code_errors": 0, "refused_commands": 0, "breaks": 0,
        "unknown_system_calls": {"55": 1, "66": 1}, "reached_limits": [], "not_emulated": [],
        "events": [{
            "event": 0, "kind": "syscall", "command": '!syscall script  printf("%llx\\n", @rax);  ',
            "file": "<command line>", "line": 1, "end_line": 1, "triggers": 2, "rejections": 0, "fuel": 4,
            "errors": 0, "code_errors": 0,
        }],
        "outputs": [], "cause": "end", "stopped": "guest.asm at 0x40001d: end", "exit_code": None,
        "crash": None,
        "processes": [{"pid": 0x1000, "name": "guest.asm", "threads": {"4100": "guest.asm"}, "exit_code": None}],
    }  # fmt: skip


def test_forwarded_messages_are_records_that_name_their_outputs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    commands = f'output create log file "{log}"\noutput open log\n{LOG} output {{log}}'
    *messages, summary = records("-e", commands, listing_file(tmp_path))
    assert [message["outputs"] for message in messages] == [["log"], ["log"]]
    assert summary["outputs"] == [{"name": "log", "type": "file", "sent": 6, "lost": 0, "failure": None}]


def test_results_notices_findings_errors_and_breaks_are_records(tmp_path: Path) -> None:
    commands = (
        "print 1\n.connect local\nr zzz\n!syscall 55\n!syscall 66 script { x = poi(0); }\n!syscall 66 code { cc }"
    )
    found = records("--keep-going", "--on-break", "continue", "-e", commands + "\nevents", listing_file(tmp_path))
    assert [record["type"] for record in found] == [
        "message", "notice", "finding", "result", "break", "code_error", "script_error", "summary",
    ]  # fmt: skip
    by_type = {record["type"]: record for record in found}
    assert by_type["message"]["event"] is by_type["message"]["stage"] is None
    assert by_type["break"]["text"] == "event 0x0 triggered (pre)"
    assert by_type["break"]["instruction"] == "00000000`0040000e    0F 05                               syscall"
    assert (by_type["finding"]["code"], by_type["finding"]["line"]) == ("E240", 3)
    assert (by_type["script_error"]["event"], by_type["script_error"]["kind"]) == (1, "invalid_address")


def test_text_that_is_not_utf_8_comes_with_its_bytes(tmp_path: Path) -> None:
    commands = '!syscall 55 script { eb(@rsp, 0xff); eb(@rsp + 1, 0); printf("%s", @rsp); }'
    message = records("-e", commands, listing_file(tmp_path))[0]
    assert (message["text"], message["bytes"]) == ("\ufffd", "ff")


def test_the_output_of_the_guest_is_a_record() -> None:
    guest = str(Path(__file__).parents[4] / "examples" / "guests" / "greet.asm")
    outputs = [record for record in records("-e", "g", guest) if record["type"] == "guest_output"]
    assert outputs[0] == {"type": "guest_output", "descriptor": 1, "text": "hello\n"}
    assert not any(r["type"] == "guest_output" for r in records("--guest-output", "none", "-e", "g", guest))


def test_a_file_with_mistakes_gives_findings_and_a_summary() -> None:
    finding, summary = records("-e", "bogus")
    assert (finding["code"], finding["severity"]) == ("E200", "error")
    assert (summary["type"], summary["cause"]) == ("summary", "none")


def test_two_runs_give_the_same_records(tmp_path: Path) -> None:
    arguments = ("run", "--format", "json", "-e", '!syscall script { printf("%s %llx\\n", $time, rdtsc()); }')
    path = listing_file(tmp_path)
    assert command_line(*arguments, path).output == command_line(*arguments, path).output


# --- statistics


def test_stats_show_time_and_triggers_of_every_event(tmp_path: Path) -> None:
    commands = "!syscall 55 script { x = poi(0); }\nevents c 0\n!syscall script { }\n!syscall 66 script { x = poi(0); }"
    ran = command_line("run", "--stats", "--quiet", "-e", commands, listing_file(tmp_path))
    lines = ran.errors.splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(" instructions a second"))
    time, head, *rows = lines[start : start + 5]
    assert time.endswith(" instructions a second")
    assert head.split() == ["event", "triggers", "errors", "command"]
    assert [row.split(maxsplit=3)[:3] for row in rows] == [["0", "0", "0"], ["1", "2", "0"], ["2", "1", "1"]]


def test_stats_name_what_machine_code_asked_python_for(tmp_path: Path) -> None:
    need_machine_code()
    commands = "!syscall imm no script { print(1); }\n!syscall 66 script { event_enable(0); print(2); }"
    ran = command_line("run", "--stats", "--quiet", "--engine", "native", "-e", commands, listing_file(tmp_path))
    _, _, calls = ran.errors.partition("  of Python by machine code\n")
    counts = {name: int(count) for count, name in (line.split(maxsplit=1) for line in calls.splitlines())}
    # Of messages: what was collected before one is sent at once, and those of the script that makes a request.
    assert (counts["event_enable"], counts["trigger: message or error"]) == (1, 2)
    assert "printf" not in counts


# --- halts without a terminal


def test_on_break_stop_ends_the_run_at_the_first_break(tmp_path: Path) -> None:
    ran = command_line("run", "-e", "!syscall", listing_file(tmp_path))
    assert ran.errors.splitlines()[:2] == [
        "event 0x0 triggered (pre)",
        "00000000`0040000e    0F 05                               syscall",
    ]
    assert ran.errors.endswith("; stopped: break\n")
    assert ran.code == ExitCode.OK


def test_on_break_continue_reports_every_break(tmp_path: Path) -> None:
    ran = command_line("run", "--on-break", "continue", "-e", "!syscall\ng\nprint 1", listing_file(tmp_path))
    assert ran.errors.count("event 0x0 triggered (pre)") == 2
    assert ran.output == "1\n"


def test_on_break_fail_says_so_to_the_shell(tmp_path: Path) -> None:
    assert command_line("run", "--on-break", "fail", "-e", "!syscall", listing_file(tmp_path)).code == ExitCode.BREAK


def test_the_rest_of_a_file_is_carried_out_at_the_break(tmp_path: Path) -> None:
    assert command_line("run", "-e", "!syscall\ng\nr rip", listing_file(tmp_path)).output == "rip=000000000040000e\n"


# --- exit codes


def test_a_go_that_reaches_the_limit_is_the_last_run(tmp_path: Path) -> None:
    ran = command_line("run", "--max-instructions", "1000", "-e", "g", listing_file(tmp_path, "again: jmp again"))
    assert ", 1000 guest instructions; stopped: instruction limit\n" in ran.errors
    assert ran.code == ExitCode.LIMIT


@pytest.mark.parametrize(
    ("commands", "listing", "options", "code"),
    [
        (LOG, TWO_CALLS, (), ExitCode.OK),
        ("bogus", TWO_CALLS, (), ExitCode.FAILED),
        ("r zzz", TWO_CALLS, (), ExitCode.FAILED),
        ("g", CRASH, (), ExitCode.GUEST),
        ("g", "again: jmp again", ("--max-instructions", "1000"), ExitCode.LIMIT),
        ("g", "again: jmp again", ("--timeout", "0.05"), ExitCode.LIMIT),
        ("!syscall script { x = poi(0); }", TWO_CALLS, (), ExitCode.OK),
        ("!syscall script { x = poi(0); }", TWO_CALLS, ("--fail-on-script-errors",), ExitCode.RUNTIME),
        ("!syscall code { cc }", TWO_CALLS, ("--fail-on-script-errors",), ExitCode.RUNTIME),
    ],
)
def test_the_exit_code_says_what_happened(
    tmp_path: Path, commands: str, listing: str, options: tuple[str, ...], code: ExitCode
) -> None:
    assert command_line("run", *options, "-e", commands, listing_file(tmp_path, listing)).code == code


def test_a_program_that_cannot_be_loaded_is_refused() -> None:
    ran = command_line("run", "-e", "g", "/no/where")
    assert (ran.code, ran.errors) == (ExitCode.NO_INPUT, "hds: cannot read /no/where: No such file or directory\n")


# --- message loss

COLLECTED = '!syscall imm no script { printf("%llx\\n", @rax); }'


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_collected_messages_are_lost_as_in_hyperdbg_when_asked_for(tmp_path: Path, engine: str) -> None:
    options = ("--engine", engine, "--emulate-message-loss", "--max-packet-bytes", "4")
    ran = command_line("run", *options, "-e", COLLECTED, listing_file(tmp_path))
    assert ran.output == "55\n"
    assert "1 message, 1 lost (1 in a packet that was not full)" in ran.errors


def test_a_ring_that_is_full_loses_the_oldest_packet(tmp_path: Path) -> None:
    options = ("--emulate-message-loss", "--max-packet-bytes", "4", "--max-packets", "1")
    commands = f"{COLLECTED}\n{COLLECTED}"
    *messages, summary = records(*options, "-e", commands, listing_file(tmp_path))
    assert [message["text"] for message in messages] == ["66\n"]
    assert (summary["lost_messages"], summary["lost"]) == (
        3, {"flushed": 0, "overwritten": 2, "overwritten_packets": 2, "unsent": 1}
    )  # fmt: skip


def test_the_reader_reads_at_a_break(tmp_path: Path) -> None:
    options = ("--emulate-message-loss", "--max-packet-bytes", "4", "--on-break", "continue")
    commands = f"{COLLECTED}\n!syscall 66"
    assert command_line("run", *options, "-e", commands, listing_file(tmp_path)).output == "55\n"


def test_the_console_says_what_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{COLLECTED}\ng\n"))
    ran = command_line("console", "--emulate-message-loss", listing_file(tmp_path))
    assert ran.errors.endswith("messages: 2 lost (2 in a packet that was not full)\n")


def test_where_a_guest_crashed_is_named_after_the_symbol_there(tmp_path: Path) -> None:
    path = listing_file(tmp_path, "nop; nop; mov rax, [0]")
    ran = command_line("run", "--symbol", "guest!start=400000", "-e", "? .x = 0;", path)
    assert " at 0x400002 (guest!start+0x2): read of 0x0, which is not mapped or not allowed\n" in ran.errors
    assert ran.code == ExitCode.GUEST
