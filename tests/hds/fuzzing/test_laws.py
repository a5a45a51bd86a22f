"""Every law of `hds.fuzzing.laws` on cases that hypothesis draws, and what `hds fuzz` promises of itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from unittest import mock

import pytest
from engines import make_engine
from evaluator_law import LAW as EVALUATOR, REJECTION
from hypothesis import given
from strategies import BY_NAME, QUICK, SLOW, SLOWEST, cases, cases_of

from hds.cli.main import main
from hds.fuzzing.campaign import Failure, broken_by, saved, saved_case, try_case
from hds.fuzzing.carriers import seen
from hds.fuzzing.choices import Choices, RandomSource, RecordedSource
from hds.fuzzing.crowd import program_of
from hds.fuzzing.laws import LAWS, Case, Law, NativeMissing, compiled
from hds.fuzzing.loaded import seen_run
from hds.fuzzing.programs import program
from hds.fuzzing.runs import ACCESSES, KINDS, RunCommands
from hds.fuzzing.shrinking import HypothesisMissing, Kept, shrunk, strategy_of
from vm import Interpreter
from vm.facts.events import EVENT_KINDS, MonitoredAccess

# The compiler and the evaluator recurse deeply on purpose, and hypothesis warns that it cannot take that back.
pytestmark = [pytest.mark.filterwarnings("ignore:The recursion limit"), pytest.mark.slow]


def holds(law: Law, case: Case) -> None:
    try:
        assert broken_by(law, case) is None
    except NativeMissing:
        pytest.skip("llvmlite is not installed")


@SLOW
@given(cases("engines"))
def test_the_native_engine_does_what_the_reference_engine_does(case: Case) -> None:
    holds(BY_NAME["engines"], case)


@SLOWEST
@given(cases("entries"))
def test_both_engines_count_alike(case: Case) -> None:
    holds(BY_NAME["entries"], case)


@SLOW
@given(cases_of(EVALUATOR))
def test_the_compiled_path_does_what_the_evaluator_does(case: Case) -> None:
    holds(EVALUATOR, case)


@QUICK
@given(cases_of(REJECTION))
def test_checker_and_evaluator_reject_the_same_programs(case: Case) -> None:
    holds(REJECTION, case)


@SLOW
@given(cases("session"))
def test_scripts_that_share_globals_run_alike(case: Case) -> None:
    holds(BY_NAME["session"], case)


@SLOW
@given(cases("verified"))
def test_what_the_compiler_makes_passes_the_verifier(case: Case) -> None:
    holds(BY_NAME["verified"], case)


@SLOW
@given(cases("repeatable"))
def test_two_runs_are_identical(case: Case) -> None:
    holds(BY_NAME["repeatable"], case)


@SLOW
@given(cases("limits"))
def test_limits_strike_alike_on_both_engines(case: Case) -> None:
    holds(BY_NAME["limits"], case)


@SLOW
@given(cases("printed"))
def test_a_printed_tree_parses_to_the_same_tree(case: Case) -> None:
    holds(BY_NAME["printed"], case)


@QUICK
@given(cases("text"))
def test_no_text_crashes_lexer_parser_or_checker(case: Case) -> None:
    holds(BY_NAME["text"], case)


@QUICK
@given(cases("commands"))
def test_no_text_crashes_the_command_reader(case: Case) -> None:
    holds(BY_NAME["commands"], case)


@QUICK
@given(cases("assembly"))
def test_no_text_crashes_the_assembler_guard(case: Case) -> None:
    holds(BY_NAME["assembly"], case)


@QUICK
@given(cases("bytecode"))
def test_bytecode_is_refused_or_stays_in_bounds(case: Case) -> None:
    holds(BY_NAME["bytecode"], case)


@SLOWEST
@given(cases("isolation"))
def test_a_block_does_what_it_does_alone(case: Case) -> None:
    holds(BY_NAME["isolation"], case)


@SLOWEST
@given(cases("carriers"))
def test_both_carriers_do_the_same(case: Case) -> None:
    holds(BY_NAME["carriers"], case)


@SLOWEST
@given(cases("carriers"))
def test_both_carriers_do_the_same_where_registers_are_copied(case: Case) -> None:
    with mock.patch("machine.processor.window._layout", return_value=None):
        holds(BY_NAME["carriers"], case)


@SLOWEST
@given(cases("loaded"))
def test_a_program_of_damaged_files_is_refused_or_runs_the_same_twice(case: Case) -> None:
    holds(BY_NAME["loaded"], case)


@SLOWEST
@given(cases("crowd"))
def test_threads_and_processes_with_any_calls_do_the_same_twice(case: Case) -> None:
    holds(BY_NAME["crowd"], case)


# --- the generators and the campaign ----------------------------------------------------------------------------------


def test_every_law_has_a_test_here() -> None:
    tested = set(re.findall(r'@given\(cases\("(\w+)"\)\)', Path(__file__).read_text(encoding="utf-8")))
    assert tested == {law.name for law in LAWS}


NAMES_OF_EVENTS = [
    name
    for kind in EVENT_KINDS
    if kind.emulated
    for name in [spelling.name for spelling in kind.spellings] or [kind.sdk_name]
]


@pytest.mark.parametrize("name", dict.fromkeys(NAMES_OF_EVENTS))
def test_every_event_is_generated_so_that_it_is_accepted(name: str) -> None:
    """Those without a command by the programming interface."""
    assert name in KINDS
    commands = [RunCommands(Choices(RandomSource(seed)), [0x40_0000], 1, 1).event(name) for seed in range(40)]
    cases = ("bare 1 go\n-- guest\nnop\n-- commands\n" + command for command in commands)
    assert any("refused" not in str(seen(case, make_engine("reference")).lines) for case in cases)


def test_every_access_of_a_monitor_is_generated() -> None:
    assert sorted(ACCESSES) == sorted(access.name.lower() for access in MonitoredAccess)


def test_generated_programs_compile() -> None:
    for seed in range(60):
        text = program(Choices(RandomSource(seed)))
        assert compiled(text).ok, text


def test_the_simplest_program_is_short() -> None:
    assert len(program(Choices(RecordedSource([])))) < 40


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_same_numbers_make_the_same_case(law: Law) -> None:
    source = RandomSource(5)
    first = law.make(Choices(source))
    assert law.make(Choices(RecordedSource(source.taken))) == first


NO_ZERO = Law("no_zero", "no program has a zero", program, lambda case: "a zero" if "0x0" in str(case) else None)


def failure_of(law: Law) -> Failure:
    return next(found for number in range(100) if (found := try_case(law, 1, number)) is not None)


def test_a_failure_is_shrunk_to_what_matters() -> None:
    assert len(str(failure_of(NO_ZERO).case).splitlines()) <= 3


@pytest.mark.parametrize("case", ["print(1);\n", b"HDSC\1\0"])
def test_a_saved_failure_is_found_again(case: Case, tmp_path: Path) -> None:
    path = saved(Failure(NO_ZERO, 1, 2, case, "why\nnot"), tmp_path)
    name, again = saved_case(path)
    assert name == "no_zero"
    assert again == (case if isinstance(case, bytes) else "? {\nprint(1);\n}\n")


def test_fuzz_counts_and_is_deterministic(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for _ in range(2):
        assert main(["fuzz", "--cases", "12", "--seed", "3", "--law", "text", "--law", "verified"]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert outputs[0].splitlines()[-1] == "12 passed, 0 failed"


@pytest.mark.lasting
def test_fuzz_says_what_failed_and_saves_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hds.cli.subcommands.fuzz.LAWS", (NO_ZERO,))
    assert main(["fuzz", "--cases", "8", "--save", str(tmp_path)]) == 1
    assert re.search(r"\d+ passed, [1-9]\d* failed$", capsys.readouterr().out.strip())
    assert list(tmp_path.glob("no_zero_0_*.hds"))


def test_shrinking_takes_the_same_steps_every_time() -> None:
    assert failure_of(NO_ZERO) == failure_of(NO_ZERO)


def test_what_a_generator_has_no_use_for_is_no_smaller_failure() -> None:
    def make(choices: Choices) -> str:
        number = choices.between(0, 9)
        if number < 3:
            raise ValueError("no such case")
        return str(number)

    case, why, numbers = shrunk(make, lambda case: f"high {case}", [8], "8", "high 8")
    assert (case, why, numbers) == ("3", "high 3", [3])


@pytest.mark.lasting
def test_failures_that_are_kept_are_tried_first_and_forgotten_when_they_pass(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["fuzz", "--cases", "5", "--database", str(tmp_path)]
    monkeypatch.setattr("hds.cli.subcommands.fuzz.LAWS", (NO_ZERO,))
    assert main(arguments) == 1
    capsys.readouterr()
    assert main(["fuzz", "--cases", "0", "--database", str(tmp_path)]) == 1
    assert "FAILED no_zero, seed 0, case -1: a zero" in capsys.readouterr().out
    monkeypatch.setattr("hds.cli.subcommands.fuzz.LAWS", (Law("no_zero", "mended", program, lambda case: None),))
    assert main(["fuzz", "--cases", "0", "--database", str(tmp_path)]) == 0
    assert Kept(tmp_path).of("no_zero") == []


def test_a_missing_hypothesis_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert main(["fuzz", "--cases", "1"]) == 2
    assert "Hypothesis is not installed: pip install 'hds-hyperdbg[fuzz]'" in capsys.readouterr().err
    with pytest.raises(HypothesisMissing):
        strategy_of(program)


def test_a_crowd_starts_processes_and_threads_that_make_calls(tmp_path: Path) -> None:
    path = tmp_path / "prog"
    path.write_bytes(
        program_of("start process 1\ncall wait4 *child @word 0 0\ncall exit_group *word\n"
                   "block 1\nstart thread 2\ncall pause\nblock 2\nold 14\ncall kill *last 9")  # INT 0x80: getpid
    )  # fmt: skip
    path.chmod(0o755)
    run = seen_run(tmp_path, path, (), Interpreter)
    assert not isinstance(run, str)
    assert "exit_code=9" in str(run.summaries)


@pytest.mark.parametrize("option", ["--database", "--save"])
@pytest.mark.parametrize(("place", "why"), [("/dev/null/x", "Not a directory"), ("/proc/x", "No such file")])
def test_a_folder_that_cannot_be_is_refused_before_any_case(
    option: str, place: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuzz", "--cases", "1", "--law", "text", option, place]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"hds: {option}: cannot write to {place}: {why}")


def test_a_number_of_cases_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--cases=-1"]) == 2
    assert "'-1' is no number of cases" in capsys.readouterr().err
