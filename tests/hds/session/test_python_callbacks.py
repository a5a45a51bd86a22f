"""Python at a trigger: callbacks, loops over triggers, what they see and change; both engines, cores in parallel."""

from __future__ import annotations

import operator
import subprocess
import sys
import threading
from typing import Any

import pytest
from hds_guests import CALLS, session

import hds
from machine import StopCause
from vm import Engine

LOOP = "mov rdi, -1; mov rsi, 2; mov rbx, 3; again: mov rax, rbx; syscall; dec rbx; jnz again; hlt"


def guest(engine: Engine, listing: str = LOOP, **options: Any) -> hds.Session:
    return session(listing, engine=engine, **{"kernel": "bare", **options})[0]


def test_a_callback_is_called_at_each_trigger(engine: Engine) -> None:
    made, seen = guest(engine), list[tuple[int, int]]()
    subscription = made.on("!syscall", lambda trigger: seen.append((trigger.context, trigger.registers.rbx)))
    assert made.run().cause is StopCause.END
    assert seen == [(3, 3), (2, 2), (1, 1)]
    assert subscription.triggers == 3


def test_a_decorator_leaves_the_function_as_it_is(engine: Engine) -> None:
    made, seen = guest(engine), list[int]()

    @made.on("!syscall 2")
    def note(trigger: hds.Trigger) -> None:
        seen.append(trigger.context)

    made.run()
    assert seen == [2]
    assert note.__name__ == "note"


def test_the_script_of_the_event_runs_behind_the_callback(engine: Engine) -> None:
    made = guest(engine)

    def change(trigger: hds.Trigger) -> None:
        trigger.registers.rsi = 0x10 + trigger.context

    made.on("!syscall script { print(@rsi); }", change)
    made.run()
    assert [message.text for message in made.messages] == [b"13\n", b"12\n", b"11\n"]


def test_it_may_block_the_operation_and_stop_the_run(engine: Engine) -> None:
    made, seen = guest(engine, kernel="linux"), list[int]()

    def block(trigger: hds.Trigger) -> None:
        trigger.block()
        seen.append(trigger.context)
        if trigger.context == 2:
            trigger.stop()

    made.on("!syscall", block)
    assert made.run().cause is StopCause.STOPPED
    assert seen == [3, 2]
    assert made.registers.rax == 2  # nothing has answered
    made.run()
    assert seen == [3, 2, 1]


def test_what_it_raises_comes_out_unchanged(engine: Engine) -> None:
    made, error = guest(engine), ValueError("mine")

    def fail(trigger: hds.Trigger) -> None:
        raise error

    made.on("!syscall", fail)
    with pytest.raises(ValueError, match="mine") as raised:
        made.run()
    assert raised.value is error


def test_memory_is_read_and_written(engine: Engine) -> None:
    listing = "lea rsi, [rip+text]; mov eax, 1; syscall; mov eax, 2; syscall; hlt; text: db 104, 105, 0, 0"
    made, seen = guest(engine, listing), list[object]()

    def look(trigger: hds.Trigger) -> None:
        memory, at = trigger.memory, trigger.registers.rsi
        seen.extend([memory.string(at), memory[at], memory[at : at + 2], memory.integer(at, 2)])
        memory[at : at + 2] = b"ho"

    made.on("!syscall", look)
    made.run()
    assert seen == ["hi", 0x68, b"hi", 0x6968, "ho", 0x68, b"ho", 0x6F68]


def test_memory_that_is_not_mapped_is_said(engine: Engine) -> None:
    made = guest(engine)
    with pytest.raises(hds.UnmappedMemory, match="the 2 bytes at 0x10 are not all mapped"):
        _ = made.memory[0x10:0x12]
    with pytest.raises(hds.UnmappedMemory):
        made.memory[0x10] = 1
    with pytest.raises(IndexError):
        _ = made.memory[0x10:]


def test_a_trigger_that_is_over_says_so(engine: Engine) -> None:
    made, kept = guest(engine), list[hds.Trigger]()
    made.on("!syscall 3", kept.append)
    made.run()
    assert kept[0].context == 3
    for use in (lambda: kept[0].registers.rax, lambda: kept[0].memory[0], kept[0].stop, kept[0].to_record):
        with pytest.raises(hds.TriggerIsOver, match="the trigger is over"):
            use()


def test_globals_are_shared_with_scripts(engine: Engine) -> None:
    made = guest(engine)
    made.execute(
        "? { .n = 1; }\n? { int .minus = 0 - 1; }\n? { char .text[4] = {1, 2, 3, 4}; }\n!syscall script { .n++; }"
    )
    made.on("!syscall", lambda trigger: trigger.globals.update({".n": trigger.globals[".n"]}))
    made.run()
    assert dict(made.globals) == {".n": 4, ".minus": -1, ".text": b"\1\2\3\4"}
    made.globals["n"] = 0xFFFF
    made.execute("print .n")
    with pytest.raises(KeyError, match=r"there is no global '\.missing'"):
        _ = made.globals[".missing"]
    with pytest.raises(KeyError, match=r"there is no global '\.missing'"):
        made.globals[".missing"] = 1
    with pytest.raises(ValueError, match="4 bytes"):
        made.globals[".text"] = b"1"


def test_registers_have_the_names_of_scripts(engine: Engine) -> None:
    made = guest(engine)
    registers = made.registers
    registers.rax = 0x1122334455667788
    registers["eax"] = 0
    registers.ah = 7
    assert registers["@rax"] == 0x1122334400000700
    assert list(registers)[:3] == ["rax", "rcx", "rdx"]
    assert "zf" in dir(registers)
    with pytest.raises(AttributeError, match="there is no register 'rxx'"):
        _ = registers.rxx
    with pytest.raises(AttributeError):
        registers.rxx = 1
    with pytest.raises(KeyError):
        _ = registers["rxx"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!syscall script {", "E201"), ("print 1", "one event command is wanted"), ("", "one event command"),
        ("!syscall\n!syscall", "one event command"), ("!syscall core 9 script { x = 1; }", "err, "),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(engine: Engine, text: str, reason: str) -> None:
    with pytest.raises(hds.ScriptError, match=reason):
        guest(engine).on(text, print)


def test_a_loop_has_each_trigger_while_it_holds_the_guest(engine: Engine) -> None:
    made, seen = guest(engine), list[int]()
    for trigger in made.events("!syscall"):
        seen.append(trigger.registers.rbx)
        if trigger.context == 3:
            trigger.registers.rbx = 2
    assert seen == [3, 1]
    assert made.machine.registry.ids == set()
    assert made.totals.last is not None
    assert made.totals.last.cause is StopCause.END


def test_leaving_a_loop_ends_the_run_and_another_goes_on(engine: Engine) -> None:
    made = guest(engine)
    for trigger in made.events("!syscall"):
        assert trigger.context == 3
        break
    assert [trigger.context for trigger in made.events("!syscall 2", "!syscall 1")] == [2, 1]


def test_what_a_loop_raises_comes_out_and_so_does_what_a_callback_raises(engine: Engine) -> None:
    made = guest(engine)
    triggers = made.events("!syscall")

    def fail() -> None:
        for _ in triggers:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    other = guest(engine)
    other.on("!syscall 2", lambda trigger: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        list(other.events("!syscall 1"))


def test_cores_in_parallel_call_it_one_at_a_time(engine: Engine) -> None:
    made = hds.Session(engine=engine, cores=2, parallel=True, kernel="bare")
    for number in (1, 2):
        made.load(LOOP.encode(), "asm", name=f"p{number}", process_id=number * 0x100)
    seen: list[tuple[int, int]] = []

    def note(trigger: hds.Trigger) -> None:
        seen.append((trigger.pid, trigger.registers.rbx))

    made.on("!syscall", note)
    made.run()
    assert sorted(seen) == [(pid, rbx) for pid in (0x100, 0x200) for rbx in (1, 2, 3)]


def test_functions_are_hooked_with_their_arguments(engine: Engine) -> None:
    made = guest(engine, CALLS)
    found = [(trigger.arguments[2], trigger.name, trigger.stage) for trigger in made.events("!epthook 400010")]
    assert found == [(1, None, "pre"), (6, None, "pre")]


def test_a_trigger_has_the_names_of_records(engine: Engine) -> None:
    made = guest(engine, kernel="linux", record="triggers")
    records = [trigger.to_record() for trigger in made.events("!syscall")]
    kept = made.to_records("trigger")
    assert [{key: each[key] for key in kept[0]} for each in records] == kept
    names = set(kept[0]) - {"type"}
    (again,) = [trigger for trigger in guest(engine).events("!syscall 1") if names <= set(dir(trigger))]
    assert again.event == 0


def test_what_python_shows_is_never_markup(engine: Engine) -> None:
    made = guest(engine)
    made.execute('!syscall script { printf("<b>"); }')
    assert "&lt;b&gt;" in made._repr_html_()
    assert "<b>" not in made._repr_html_()
    assert "0x0" in made.registers._repr_html_()


def test_the_package_lists_its_names_and_is_cheap_to_import() -> None:
    assert {"Session", "Trigger", "ScriptError", "UnmappedMemory", "testing"} <= set(dir(hds))
    code = "import hds, sys; print(sorted({'unicorn', 'lark', 'llvmlite', 'pyarrow', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_star_takes_the_names_and_needs_no_extra() -> None:
    found: dict[str, object] = {}
    exec("from hds import *", found)
    assert found["Session"] is hds.Session
    assert {"strategies", "testing"}.isdisjoint(found)


def test_values_of_another_type_are_told() -> None:
    with guest_of_none() as made:
        for use, reason in (
            (lambda: setattr(made.registers, "rax", "1"), "a register is a number, not '1'"),
            (lambda: made.memory["x"], "an address is a number, not 'x'"),  # type: ignore[call-overload]
            (lambda: made.memory.write(1, "x"), "memory takes bytes, not 'x'"),  # type: ignore[arg-type]
            (lambda: made.execute(5), "commands are a text, not 5"),  # type: ignore[arg-type]
            (lambda: made.execute(b"x"), "commands are a text, not b'x'"),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError, match=reason):
                use()
        with pytest.raises(ValueError, match="no records of the type 'mesage'; there are message, "):
            made.to_records("mesage")


def test_a_session_is_a_context_that_reads_what_it_is_given(tmp_path: Any) -> None:
    listing = "xor eax, eax; xor edi, edi; lea rsi, [rip+place]; mov edx, 5; syscall; hlt; place: db 0,0,0,0,0,0,0,0"
    with hds.Session(
        listing.encode(), kind="asm", kernel="linux", stdin=b"hello", root=tmp_path, limits=hds.Limits()
    ) as made:
        for trigger in made.events("!syscall stage post"):
            assert trigger.memory.string(trigger.registers.rsi) in ("hello", "")
        made.run()
        assert made.memory.string(made.registers.rsi) == "hello"


@pytest.mark.parametrize("text", [5, None, b"!syscall"])
def test_an_event_is_a_text(text: Any) -> None:
    with guest_of_none() as made:
        with pytest.raises(TypeError, match="an event is given as its command"):
            made.on(text, print)
        with pytest.raises(TypeError, match="an event is given as its command"):
            next(made.events(text))


def test_a_callback_can_be_called() -> None:
    with guest_of_none() as made, pytest.raises(TypeError, match="5 cannot be called"):
        made.on("!syscall", 5)  # type: ignore[call-overload]


def guest_of_none() -> hds.Session:
    return session(LOOP, kernel="bare")[0]


def test_a_loop_ends_with_its_session(engine: Engine) -> None:
    before = threading.active_count()
    with guest(engine) as made:
        waiting = made.events("!syscall")
        first = next(waiting)
    with pytest.raises(hds.TriggerIsOver):
        first.stop()
    assert threading.active_count() == before
    assert list(waiting) == []
    assert not made.machine.registry.ids


def test_a_loop_whose_body_closes_the_session_ends(engine: Engine) -> None:
    seen = list[int]()
    with guest(engine) as made:
        for trigger in made.events("!syscall"):
            seen.append(trigger.context)
            made.close()
    assert seen == [3]


def test_the_run_of_a_callback_or_loop_is_told_apart(engine: Engine) -> None:
    made = guest(engine)
    made.on("!syscall 2", lambda trigger: made.run())
    with pytest.raises(RuntimeError, match="a callback, a loop's body or a reporter cannot call run"):
        made.run()


def test_memory_is_no_sequence() -> None:
    with guest_of_none() as made:
        with pytest.raises(TypeError):
            iter(made.memory)
        with pytest.raises(TypeError):
            operator.contains(made.memory, 0)  # type: ignore[arg-type]  # this is the mistake
        with pytest.raises(hds.UnmappedMemory, match="at 0xffffffffffffffff"):
            made.memory[-1]
        with pytest.raises(KeyError):
            made.registers[5]  # type: ignore[index]
        with pytest.raises(KeyError):
            made.globals[5]  # type: ignore[index]


def test_the_module_shows_what_users_need_and_no_more() -> None:
    import hds.version

    shown = {name for name in dir(hds) if not name.startswith("_")}
    assert shown == {
        "Limits", "LoadError", "Memory", "Message", "MissingExtra", "Program", "Registers", "RunSummary",
        "ScriptError", "Session", "StopCause", "Subscription", "Trigger", "TriggerIsOver", "UnmappedMemory", "VERSION",
        "strategies", "testing",
    }  # fmt: skip
    assert all(hasattr(hds, name) for name in shown)


def test_a_number_that_no_call_has_is_not_named_after_those_of_int_0x80(engine: Engine) -> None:
    listing = "mov rax, 0x7fffffffffffffff; syscall; hlt"
    with guest(engine, listing, kernel="linux") as made:
        assert [trigger.name for trigger in made.events("!syscall")] == [None]


def test_an_event_knows_the_time_that_it_took(engine: Engine) -> None:
    made = guest(engine, record="times")
    busy, idle = made.on("!syscall", lambda trigger: trigger.context), made.on("!cpuid", lambda trigger: None)
    made.run()
    assert busy.triggers > 0
    assert busy.time_ns > 0
    assert idle.time_ns == 0
    plain = guest(engine)
    unmeasured = plain.on("!syscall", lambda trigger: trigger.context)
    plain.run()
    assert unmeasured.triggers > unmeasured.time_ns == 0
