"""What a run costs, keeps and shares, on both engines."""

from __future__ import annotations

import pytest
from engines import make_engine
from language_world import Run, example_host

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.engine import Engine
from vm.facts.limits import Limits
from vm.program import GlobalSymbol
from vm.script_memory import GlobalConflict, GlobalStore

pytestmark = pytest.mark.slow

# docs/language.md 19: source, and the operators that HyperDbg v0.23 counts for it beside the 1 of every script.
COSTS = [
    ("y = 1; x = y;", 3),
    ("@rax = 1;", 1),
    ("x = 1;", 2),
    ("y = 1; x = y + y;", 4),
    ("y = 1; y += 2;", 4),
    ("y = 1; y++;", 3),
    ("y = 1; if (y == 1) { y = 2; }", 6),
    ("y = 0; while (y < 3) { y++; }", 2 + 3 * 4 + 2),
    ("for (i = 0; i < 3; i++) { }", 2 + 3 * 6 + 2),
    ("void fn() { return; } fn();", 9),
    ("int fn(int n) { return n; } x = fn(1);", 9 + 2 + 1 + 3),
    ("print(5);", 1),
    ('y = 5; printf("%d\\n", y + 1);', 4),
    ("int v[3] = {1, 2, 3};", 9),
    ("int v[3] = {1, 2, 3}; x = v[1];", 9 + 6 + 1),
    ("x = poi(10000000);", 2),
]


@pytest.mark.parametrize(("script", "most"), COSTS, ids=[script for script, _ in COSTS])
def test_a_script_costs_no_more_steps_than_in_v023(run: Run, script: str, most: int) -> None:
    assert run(script).steps <= most + 1


def test_the_effects_before_a_run_time_error_stay(run: Run) -> None:
    outcome = run("print(1); @rax = 5; eb(10000000, 0x4a); x = 0; @rbx = 1 / x; @rcx = 7;")
    assert outcome.fault == "division_by_zero"
    assert outcome.output == "1\n"
    assert outcome.host.registers["rax"] == 5
    assert outcome.host.registers["rcx"] == 0x22
    assert outcome.host.read_memory(0x10000000, 5) == b"Jello"


def test_the_fault_knows_its_place(run: Run, engine: Engine) -> None:
    script = "x = 0;\ny = 1 +\n  5 / x;\n"
    program = Compiler().compile(SourceFile("test", script)).program
    assert program is not None
    fault = engine.run(engine.load(program, GlobalStore()), example_host()).fault
    assert fault is not None
    position = program.position(fault.pc)
    assert position is not None
    assert script[position.start : position.end] == "5 / x"


def scripts_in_one_session(engine: Engine, *scripts: str) -> str:
    store, compiler, host = GlobalStore(), Compiler(), example_host()
    for script in scripts:
        program = compiler.compile(SourceFile("test", script)).program
        assert program is not None
        engine.run(engine.load(program, store), host)
    return b"".join(host.messages).decode()


def test_globals_live_as_long_as_the_session(engine: Engine) -> None:
    scripts = ("int .level = -1; .list = &.level;", ".n = 5;", "print(.level); print(.n); print(poi(.list));")
    assert scripts_in_one_session(engine, *scripts) == "ffffffffffffffff\n5\nffffffffffffffff\n"


def test_locals_start_at_zero_in_every_run(engine: Engine) -> None:
    assert scripts_in_one_session(engine, "x = 5; print(x);", "print(x);") == "5\n0\n"


def test_a_loaded_program_runs_again_and_again(engine: Engine) -> None:
    program = Compiler().compile(SourceFile("test", ".n++; k++; print(.n); print(k);")).program
    assert program is not None
    loaded, host = engine.load(program, GlobalStore()), example_host()
    for _ in range(3):
        engine.run(loaded, host)
    assert b"".join(host.messages) == b"1\n1\n2\n1\n3\n1\n"


def test_a_global_has_one_type_in_a_session() -> None:
    store = GlobalStore()
    store.bind((GlobalSymbol("g", "int", 8),))
    with pytest.raises(GlobalConflict, match=r"\.g is int in this session, not char"):
        store.bind((GlobalSymbol("g", "char", 8),))


@pytest.mark.parametrize(
    ("script", "limits", "detail"),
    [
        ("while (1) { }", Limits(max_steps=100), "limit max_steps"),
        ("void again() { again(); } again();", Limits(max_call_depth=5), "limit max_call_depth"),
        ("void fn() { int v[40]; fn(); } fn();", Limits(max_stack_bytes=4096), "limit max_stack_bytes"),
        (
            "memcpy(10000100, 10000000, 100); memcpy(10000100, 10000000, 100);",
            Limits(max_bulk_bytes=300),
            "max_bulk_bytes",
        ),
    ],
)
def test_a_limit_is_named_when_it_strikes(script: str, limits: Limits, detail: str) -> None:
    for name in ("reference", "native"):
        engine = make_engine(name, limits)
        program = Compiler(limits).compile(SourceFile("test", script)).program
        assert program is not None
        fault = engine.run(engine.load(program, GlobalStore(limits)), example_host()).fault
        assert fault is not None
        assert detail in fault.detail


def test_requests_reach_the_host(run: Run) -> None:
    outcome = run("event_disable(3); microsleep(0n10); event_sc(1); flush(); x = rdtsc(); print(x > 0);")
    assert outcome.host.requests[0] == ("event_disable", (3,))
    assert [name for name, _ in outcome.host.requests] == ["event_disable", "microsleep", "event_sc", "flush", "rdtsc"]
    assert outcome.output == "1\n"
