"""What the processor of Linux guests computes and announces, compared with the one below."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from linux_guests import build, flags_below

from hds.report.records import GuestOutput, Record
from hds.session import Session, load_engine
from machine.kernel.linux import World
from vm.facts.limits import DEFAULT_LIMITS

SOURCE = Path(__file__).with_name("cpu_model.c").read_text()
NEEDED = {"bmi1", "bmi2", "abm", "movbe", "rdrand", "rdseed", "adx", "fsgsbase", "popcnt"}

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("cpu_model"))


def ran(program: Path, *arguments: str, engine: str = "reference", seed: int = 0, commands: str = "") -> list[str]:
    """The lines that it prints."""
    output: list[bytes] = []

    class Output:
        def report(self, record: Record, /) -> None:
            if isinstance(record, GuestOutput):
                output.append(record.data)

    session = Session(
        program,
        arguments=arguments,
        world=World(seed=seed),
        reporter=Output(),
        engine=load_engine(engine, DEFAULT_LIMITS),
    )
    session.execute(commands)
    assert session.run(timeout=60).exit_code == 0
    return b"".join(output).decode().splitlines()


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_instructions_compute_what_the_processor_below_does(engine: str, program: Path) -> None:
    if missing := NEEDED - flags_below():
        pytest.skip(f"the processor below has no {', '.join(sorted(missing))}")
    native = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    here = ran(program, engine=engine)
    assert [pair for pair in zip(native, here, strict=True) if pair[0] != pair[1]] == []
    assert len(here) > 9000


def test_random_numbers_follow_the_seed(program: Path) -> None:
    first, again, other = ran(program, "x"), ran(program, "x", engine="native"), ran(program, "x", seed=1)
    assert first == again
    assert not {*first} & {*other}
    assert len({*first, *other}) == 8


def test_events_change_no_random_numbers(program: Path) -> None:
    assert ran(program, "x", commands="!cpuid script { .n++; }\n!exception 6 script { .m++; }") == ran(program, "x")
