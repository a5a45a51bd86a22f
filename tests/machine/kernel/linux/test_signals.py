"""Signal handlers of Linux guests: real programs see what they see natively, and end as they do natively."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from effort import often
from linux_guests import Listening, build
from native_runs import native_outputs

from hds.session import Session, load_engine
from machine.kernel.linux import World
from machine.kernel.linux.signal_frame import FRAME_BYTES, NO_TRAP, Context, SignalInfo, place_below
from machine.machine import StopCause
from vm.facts.limits import DEFAULT_LIMITS
from vm.facts.registers import GENERAL, RFLAGS, RIP

SOURCE = Path(__file__).with_name("signals.c").read_text()
KINDS = ("glibc", "musl")
RETURNING = (
    "faults", "resume", "masks", "nested", "stack", "interrupted", "awakened",
    "not_canonical",
)  # fmt: skip
DYING = (
    "in_handler", "in_handler_nodefer", "blocked", "ignored", "no_stack", "bad_frame", "halt", "trap", "divide",
)  # fmt: skip
ENGINES = ("reference", "native")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The program, by the kind of its build."""
    return cache(lambda kind: build(SOURCE, kind, tmp_path_factory.mktemp(kind)))


def here(file: Path, name: str, engine: str, commands: str = "") -> tuple[bytes, int | None]:
    """What a program prints and with which code it ends, as `hds run --guest-exit-code` has it."""
    heard = Listening()
    session = Session(
        file, arguments=(name,), world=World(), reporter=heard, engine=load_engine(engine, DEFAULT_LIMITS)
    )
    session.execution.halts_at_int3 = False
    session.execute(commands)
    summary = session.run(timeout=60)
    code = summary.exit_code if summary.crash is None else summary.crash.crash_code
    return heard.output, code


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["faults", "nested", "not_canonical"])
def test_handlers_run_as_natively(name: str, engine: str, program: Callable[[str], Path], tmp_path: Path) -> None:
    found = here(program("glibc"), name, engine)
    assert found == native_outputs([program("glibc"), name], tmp_path).like(found)


@pytest.mark.programs
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*RETURNING, *DYING])
def test_a_program_with_handlers_runs_as_natively(
    name: str, kind: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    found = here(program(kind), name, "reference")
    assert found == native_outputs([program(kind), name], tmp_path).like(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "event",
    [
        "!syscall script { .n++; }",
        "!syscall stage post script { .n++; }",
        "!sysret script { .n++; }",
        "!epthook ffffffff81e00000 script { .n++; }",
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_events_of_system_calls_change_nothing(event: str, engine: str, program: Callable[[str], Path]) -> None:
    for name in often(("nested",), ("masks", "nested", "interrupted")):
        assert here(program("glibc"), name, engine, event) == here(program("glibc"), name, engine)


def test_a_fault_that_is_handled_is_no_end(program: Callable[[str], Path]) -> None:
    session = Session(program("glibc"), arguments=("resume",), world=World())
    assert session.run(timeout=60).cause is StopCause.EXIT


def test_a_frame_brings_back_what_it_was_made_of() -> None:
    registers = {**{number: 0x1000 + number for number in range(len(GENERAL))}, RIP: 0x40_0000, RFLAGS: 0x246}
    context = Context(registers, 0x202, (0x7000, 0, 0x4000), 0x6F40)
    frame = context.frame(SignalInfo(11, 1, 0x1234), NO_TRAP, 0x55)
    assert len(frame) == FRAME_BYTES == 440
    assert Context.of(frame) == context


def test_a_frame_is_aligned_as_behind_a_call() -> None:
    place = place_below(0x7FFF_0123)
    assert (place.frame % 16, place.image % 64) == (8, 0)
    assert place.frame + FRAME_BYTES <= place.image
