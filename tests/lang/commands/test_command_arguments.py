"""`$argN` substitution (A.5)."""

from __future__ import annotations

from lang.commands import substitute_arguments
from lang.source import SourceFile


def substituted(text: str, *arguments: str) -> str:
    return substitute_arguments(SourceFile("s.hds", text), arguments).text


def test_argument_0_is_the_file() -> None:
    assert substituted("print $arg0", "s.hds") == "print s.hds"


def test_arguments_are_replaced_everywhere() -> None:
    assert substituted('? { printf("$arg1"); }', "s", "0n100") == '? { printf("0n100"); }'


def test_whole_index_counts() -> None:
    assert substituted("$arg10 $arg1", *"abcdefghijk") == "k b"


def test_index_without_an_argument_stays() -> None:
    assert substituted("$arg1 $arg10 $arg", "s", "v") == "v $arg10 $arg"


def test_inserted_text_is_not_searched_again() -> None:
    assert substituted("$arg1", "s", "$arg2", "v") == "$arg2"


def test_very_long_index_stays() -> None:
    text = "$arg" + "1" * 5000
    assert substituted(text, "s", "v") == text


def test_file_keeps_its_name() -> None:
    assert substitute_arguments(SourceFile("s.hds", "$arg0"), ["x"]).name == "s.hds"
