"""A run is ended from outside: at its next loop, call or bulk operation, on either engine."""

from __future__ import annotations

import threading

import pytest
from engines import make_engine
from language_world import example_host

from lang.compiler import Compiler
from lang.source import SourceFile
from vm import Brake, Fault, FaultKind, GlobalStore, Sharing
from vm.facts.limits import Limits

HUGE = Limits(max_steps=1 << 60, max_bulk_bytes=1 << 60, max_call_depth=1000)
ENDLESS = {
    "a loop": "while (1) { .n = .n + 1; }",
    "an empty loop": "for (;;) { }",
    "a loop of locals": "int i_x = 0; do { i_x = i_x + 1; } while (1);",
    "calls without a loop": (
        "int fn(int n) { if (n == 0) { return 1; } return fn(n - 1) + fn(n - 1); } print(fn(0n200));"
    ),
    "copies": "char v[0x10000]; while (1) { memcpy(&v[0], &v[0x8000], 0x8000); }",
}


def cut(engine_name: str, text: str) -> Fault | None:
    """What becomes of a script whose brake is pulled while it runs."""
    engine = make_engine(engine_name, HUGE)
    brake = Brake()
    engine.sharing = Sharing(brake=brake)  # type: ignore[attr-defined]  # both engines are shareable
    program = Compiler(portability=False).compile(SourceFile("<script>", text)).program
    assert program is not None
    loaded = engine.load(program, GlobalStore())
    timer = threading.Timer(0.05, brake.pull)
    timer.start()
    try:
        return engine.run(loaded, example_host()).fault
    finally:
        timer.join()


@pytest.mark.parametrize("text", ENDLESS.values(), ids=list(ENDLESS))
@pytest.mark.parametrize("name", ["reference", "native"])
def test_a_run_that_would_not_end_is_ended(name: str, text: str) -> None:
    fault = cut(name, text)
    assert fault is not None
    assert fault.kind is FaultKind.INTERRUPTED


def test_what_is_released_runs_again() -> None:
    engine = make_engine("native")
    brake = Brake()
    engine.sharing = Sharing(brake=brake)  # type: ignore[attr-defined]
    program = Compiler(portability=False).compile(SourceFile("<script>", "for (i = 0; i < 3; i++) { }")).program
    assert program is not None
    loaded = engine.load(program, GlobalStore())
    brake.pull()
    stopped = engine.run(loaded, example_host()).fault
    assert stopped is not None
    assert stopped.kind is FaultKind.INTERRUPTED
    brake.release()
    assert engine.run(loaded, example_host()).ok
