"""Triggers as records (`--record`), statistics of events, symbols, numbers that JSON readers cannot hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from engines import make_engine
from hds_guests import CALLS, CODE, command_line, elf_file, listing_file, session

from hds.report.records import Record, Triggered
from hds.report.records.texts import with_hexadecimal
from hds.session import summarize
from vm import Engine

LOOP = "mov rdi, -1; mov rsi, 2; mov rbx, 3; again: mov rax, rbx; syscall; dec rbx; jnz again; hlt"
NOTHING = "condition { 48 31 c0 c3 }"  # xor rax, rax; ret


class Heard(list[Record]):
    def report(self, record: Record, /) -> None:
        self.append(record)


def triggers_of(engine: Engine, commands: str, record: str | list[str] = "triggers", **options: Any) -> list[Triggered]:
    made, _ = session(LOOP, kernel="linux", engine=engine, record=record, **options)
    made.reporter = heard = Heard()
    made.execute(commands)
    made.run()
    return [each for each in heard if isinstance(each, Triggered)]


def lines(*arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in command_line("run", "--format", "json", *arguments).output.splitlines()]


def test_nothing_is_recorded_unless_it_is_asked_for(engine: Engine) -> None:
    assert triggers_of(engine, "!syscall script { x = 1; }", record=[]) == []


def test_a_trigger_has_its_time_place_and_names(engine: Engine) -> None:
    first, *_ = found = triggers_of(engine, "!syscall script { x = 1; }")
    assert [trigger.context for trigger in found] == [3, 2, 1]
    assert [trigger.name for trigger in found] == ["close", "open", "write"]
    assert [trigger.time for trigger in found] == [5, 9, 13]
    assert (first.process_id, first.process, first.thread) == (0x1000, "program", "program")
    assert first.registers is None
    assert first.arguments is None


def test_registers_are_those_before_the_actions(engine: Engine) -> None:
    found = triggers_of(engine, "!syscall script { @rsi = 7; }", "registers")
    assert [(trigger.registers or {})["rsi"] for trigger in found] == [2, 7, 7]


@pytest.mark.parametrize("event", ["!syscall", "!sysret", "!epthook 400010", "!cpuid"])
@pytest.mark.parametrize("ending", ["stop", "error"])
def test_a_run_that_ends_at_a_record_stands_at_the_same_place_on_both_engines(event: str, ending: str) -> None:
    def ended(carrier: str) -> tuple[object, ...]:
        made, _ = session(
            LOOP.replace("dec rbx", "push rbx; xor eax, eax; cpuid; pop rbx; dec rbx"), kernel="linux",
            engine=make_engine(carrier), record="registers",
        )  # fmt: skip
        heard: list[Record] = []

        class Ending:
            def report(self, record: Record, /) -> None:
                if isinstance(record, Triggered):
                    heard.append(record)
                    if len(heard) == 2 and ending == "error":
                        raise OSError
                    if len(heard) == 2:
                        made.machine.stop()

        made.reporter = Ending()
        made.execute(event + " script { @r12 = @r12 + 1; @rflags = @rflags | 1; }")
        process = made.machine.processes[0]
        try:
            cause: object = made.run().cause
        except OSError:
            cause = "error"
        left = cause, process.cpu.registers.user_values(), made.machine.executed
        made.reporter = Heard()
        return *left, made.run().cause, made.machine.executed, process.cpu.registers.user_values(), heard

    assert ended("native") == ended("reference")


@pytest.mark.parametrize("carrier", ["reference", "native"])
@pytest.mark.parametrize("kernel", ["linux", "nt"])
def test_arguments_are_where_the_kernel_takes_them(kernel: str, carrier: str) -> None:
    made, _ = session(
        "mov rdi, 1; mov r10, 2; mov rdx, 3; sub rsp, 0x40; mov qword ptr [rsp+0x28], 4; mov eax, 0x99; syscall; hlt",
        kernel=kernel, engine=make_engine(carrier), record="arguments",
    )  # fmt: skip
    made.reporter = heard = Heard()
    made.execute("!syscall script { x = 1; }")
    made.run()
    arguments = next(each.arguments for each in heard if isinstance(each, Triggered))
    assert arguments is not None
    assert (arguments[:3] if kernel == "linux" else (arguments[0], arguments[1], arguments[4])) == (
        (1, 0, 3) if kernel == "linux" else (2, 3, 4)
    )


def test_a_condition_that_is_false_is_no_trigger_but_counted(engine: Engine) -> None:
    made, _ = session(LOOP, kernel="bare", engine=engine)
    made.execute(f"!syscall {NOTHING} script {{ x = 1; }}\n!syscall script {{ print(1 / (@rax - 2)); }}")
    made.run()
    events = summarize(made).events
    assert [(event.triggers, event.rejections, event.errors, event.line) for event in events] == [
        (0, 3, 0, 1), (3, 0, 1, 2),
    ]  # fmt: skip
    assert events[0].fuel == 0
    assert events[1].fuel > 0


def test_both_engines_use_the_same_fuel() -> None:
    used = []
    for name in ("reference", "native"):
        made, _ = session(LOOP, kernel="bare", engine=make_engine(name))
        made.execute("!syscall script { for (i = 0; i < @rax; i++) { .n = .n + i; } print(1 / (@rax - 1)); }")
        made.run()
        used.append([event.fuel for event in summarize(made).events])
    assert used[0] == used[1]


def test_recorded_triggers_do_not_move_the_buffers(engine: Engine) -> None:
    shown = []
    records: tuple[str | list[str], ...] = ("triggers", [])
    for record in records:
        made, said = session(LOOP, kernel="bare", engine=engine, record=record)
        made.execute("!syscall buffer 10 script { print($buffer); }\n!syscall buffer 10 script { print($buffer); }")
        made.run()
        shown.append([line for line in said.lines if not line.startswith("event")])
    assert shown[0] == shown[1]


def test_records_are_written_as_they_come_with_symbols(tmp_path: Path) -> None:
    program = elf_file(tmp_path / "calls", CALLS, "start", "add_five")
    hook = "!epthook calls!add_five script { print(@rdx); }"
    first, second, *_ = lines("--record", "registers", "--record", "arguments", "-e", hook, program)
    assert [first["type"], second["type"]] == ["trigger", "message"]
    assert first["symbol"] == second["symbol"] == "calls!add_five"
    assert first["registers"]["rdx"] == 1
    assert first["arguments"][2] == 1
    assert first["registers"]["rip"] == first["pc"] == first["context"] > CODE


def test_people_are_shown_them_on_standard_error(tmp_path: Path) -> None:
    ran = command_line("run", "--record", "arguments", "-e", "!syscall script { x = 1; }", listing_file(tmp_path))
    assert "event 0x0 (pre) at 0x40000e, tick 3, pid 1000, tid 1004, context 0x55" in ran.errors
    assert ran.output == ""


def test_the_summary_says_what_events_did_and_which_processes_there_are(tmp_path: Path) -> None:
    script = tmp_path / "two.hds"
    script.write_text("// first\n!syscall script {\n  x = 1;\n}\n")
    *_, summary = lines(str(script), listing_file(tmp_path))
    (event,) = summary["events"]
    assert summary["schema"] == "1.3"
    assert (event["file"], event["line"], event["end_line"]) == (str(script), 2, 4)
    assert (event["kind"], event["triggers"], event["rejections"]) == ("syscall", 2, 0)
    assert event["fuel"] > 0
    (process,) = summary["processes"]
    assert process["pid"] == 0x1000
    assert list(process["threads"].values()) == [process["name"]]


@pytest.mark.parametrize("carrier", ["reference", "native"])
def test_times_of_events_are_measured_where_that_is_asked_for(tmp_path: Path, carrier: str) -> None:
    script = "!syscall script { for (i = 0; i < 0n40; i++) { .n = .n + i; } }\n!syscall 12345 script { x = 1; }"
    words = ("--engine", carrier, "-e", script, listing_file(tmp_path))
    *_, plain = lines(*words)
    assert not any("time_ns" in event for event in plain["events"])
    *_, summary = lines("--record", "times", *words)
    assert summary["events"][0].pop("time_ns") > 0
    assert summary["events"][1].pop("time_ns") == 0  # it never came to its condition
    assert summary == plain
    ran = command_line("run", "--record", "times", "--stats", *words)
    assert re.search(r"^event 0: [0-9.]+ ms for 2 triggers, [0-9,]+ ns each$", ran.errors, re.MULTILINE)
    assert re.search(r"^event 1: 0.000 ms for 0 triggers$", ran.errors, re.MULTILINE)
    assert "errors  time (ms)  command" in ran.errors


@pytest.mark.parametrize("carrier", ["reference", "native"])
def test_the_time_of_a_condition_counts_and_that_of_the_guest_does_not(carrier: str) -> None:
    spin = "48 c7 c1 00 40 00 00 48 ff c9 75 fb 31 c0 c3"  # mov rcx, 0x4000; dec rcx; jnz; xor eax, eax; ret
    made, _ = session(LOOP, kernel="linux", engine=make_engine(carrier), record="times")
    made.execute(f"!syscall condition {{ {spin} }} script {{ x = 1; }}\n!syscall script {{ x = 1; }}")
    made.run()
    slow, fast = summarize(made).events
    assert (slow.triggers, slow.rejections, fast.triggers) == (0, 3, 3)
    assert (slow.time_ns or 0) > (fast.time_ns or 0) > 0


@pytest.mark.parametrize("program", ["missing.bin", "text.txt"])
def test_what_cannot_be_loaded_is_a_record(tmp_path: Path, program: str) -> None:
    (tmp_path / "text.txt").write_text("no program")
    (failure,) = lines("-e", "print 1", str(tmp_path / program))
    assert failure["type"] == "failure"
    assert failure["kind"] in ("no_input", "load_error")


def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'register' cannot be recorded; there are triggers, registers, arguments"):
        session(record="register")


def test_numbers_that_some_readers_round_have_hexadecimal_beside_them() -> None:
    big, small = 1 << 53, (1 << 53) - 1
    given = {"a": big, "b": small, "c": [1, big], "d": {"x": big, "y": 1}, "e": {"x": big, "y": ""}}
    assert with_hexadecimal(given) == {
        "a": big, "a_hex": "0x20000000000000", "b": small, "c": [1, big], "c_hex": ["0x1", "0x20000000000000"],
        "d": {"x": big, "y": 1}, "d_hex": {"x": "0x20000000000000"},
        "e": {"x": big, "x_hex": "0x20000000000000", "y": ""},
    }  # fmt: skip
