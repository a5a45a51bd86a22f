"""A command line becomes frozen, typed options once; only their classes look at what the parser found."""

from __future__ import annotations

import argparse
import ast
import importlib
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import astuple, replace
from source_trees import nodes_of

import hds.cli
from hds.cli.main import SUBCOMMANDS, Parser, main
from hds.cli.options import Inputs, Reading, TextKind, add_inputs, add_limits
from hds.inputs import InputError
from hds.report import Refusal
from lang import SourceFile
from vm.facts.limits import DEFAULT_LIMITS, LIMITS, LimitRow, Limits

CLI = Path(hds.cli.__file__).parent
SHORTEST = {
    "conform": ["x"],
    "diff": ["a", "b"],
    "completion": ["bash"],
    "explain": ["E001"],
    "list": ["limits"],
    "doctor": ["--root", "."],
    "report": ["a"],
}


def parsed(name: str, *words: str) -> tuple[argparse.Namespace, object]:
    """What the parser of a subcommand finds, and the options."""
    module = importlib.import_module(f"hds.cli.subcommands.{name}")
    parser = Parser(prog="hds")
    module.configure(parser)
    found = parser.parse_args([*words, *SHORTEST.get(name, [])])
    return found, module.Options.of(found)


@pytest.mark.parametrize("name", [row.name for row in SUBCOMMANDS])
def test_options_are_frozen_and_hold_values_that_nobody_can_change(name: str) -> None:
    _, options = parsed(name)
    assert isinstance(options, msgspec.Struct)
    waiting = [options]
    for part in waiting:
        assert part.__struct_config__.frozen
        values = astuple(part)
        assert not [value for value in values if isinstance(value, list | set | argparse.Namespace)]
        waiting += [value for value in values if isinstance(value, msgspec.Struct)]


@pytest.mark.walls
@pytest.mark.parametrize("path", sorted(CLI.parent.rglob("*.py")), ids=lambda path: path.stem)
def test_only_options_look_at_what_the_parser_found(path: Path) -> None:
    takers = {
        node.name
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef)
        for argument in node.args.posonlyargs + node.args.args
        if argument.annotation is not None and "Namespace" in ast.unparse(argument.annotation)
    }
    assert takers <= {"of", "options_of", "__call__"}  # __call__: of an action of the parser


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row.name)
def test_every_limit_has_a_flag(row: LimitRow) -> None:
    parser = argparse.ArgumentParser()
    add_limits(parser)
    flags = [f"--{row.name.replace('_', '-')}", str(row.least)]
    assert Reading.of(parser.parse_args(flags)).limits == replace(DEFAULT_LIMITS, **{row.name: row.least})


def test_inputs_are_read_in_order_and_the_text_of_e_comes_last(tmp_path: Path) -> None:
    one = tmp_path / "one.hds"
    one.write_text("g\n")
    parser = argparse.ArgumentParser()
    add_inputs(parser)
    inputs = Inputs.of(parser.parse_args(["-e", "a", "-e", "b", str(one), "<command line>"]))
    first, missing, text = inputs.sources()
    assert isinstance(first, SourceFile)
    assert first.text == "g\n"
    assert isinstance(missing, InputError)  # a name, even if it is that of the text behind -e
    assert isinstance(text, SourceFile)
    assert text.text == "a\nb"
    assert len(inputs) == 3
    with pytest.raises(Refusal, match="give at least one file"):
        next(Inputs((), None, inputs.reading).sources())


def test_a_file_with_the_name_of_the_command_line_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "<command line>"]) == 3
    assert "internal error" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (TextKind.BY_FIRST_LINE, "print(1);", True),
        (TextKind.BY_FIRST_LINE, "g", False),
        (TextKind.SCRIPT, "g", True),
        (TextKind.COMMANDS, "print(1);", False),
    ],
)
def test_what_a_text_is_read_as(kind: TextKind, text: str, expected: bool) -> None:
    assert kind.is_script(SourceFile("x", text)) == expected


@pytest.mark.parametrize("name", ["run", "console", "check", "compile", "disasm", "eval"])
@pytest.mark.parametrize("words", [("--symbol", "x=1"), ("--drive", "c")])
def test_malformed_options_are_refused_before_anything_is_read(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match=words[0]):
        parsed(name, *words)


def test_the_words_of_run_are_script_program_and_arguments() -> None:
    _, options = parsed("run", "--max-steps", "7", "--timeout", "2", "a.hds", "./guest", "x", "--cores")
    session = options.session  # type: ignore[attr-defined]  # of this subcommand
    assert (options.input.file, options.input.timeout) == ("a.hds", 2.0)  # type: ignore[attr-defined]
    assert session.guest.words == ("./guest", "x", "--cores")
    assert session.compiling.limits == Limits(max_steps=7)
    _, options = parsed("run", "-e", "g", "./guest", "x")
    assert options.input.file is None  # type: ignore[attr-defined]
    assert options.session.guest.words == ("./guest", "x")  # type: ignore[attr-defined]
