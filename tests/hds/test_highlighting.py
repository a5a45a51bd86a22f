"""The lexer for Pygments: found by name, loses no character, and gives each part its kind."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint

import pytest
from effort import often
from example_texts import EXAMPLES, ROOT, damaged
from pygments import highlight
from pygments.formatters import NullFormatter
from pygments.token import Comment, Error, Name

from hds.highlighting import TOKEN_TYPES, HdsLexer
from lang import PartKind


def test_pygments_finds_it() -> None:
    """By the entry point that the package has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = EntryPoint("hds", project["entry-points"]["pygments.lexers"]["hds"], "pygments.lexers").load()
    assert found is HdsLexer
    assert {"hds", "*.hds", "*.ds"} <= {*HdsLexer.aliases, *HdsLexer.filenames}
    assert set(TOKEN_TYPES) == set(PartKind)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_no_errors(name: str) -> None:
    text = EXAMPLES[name]
    tokens = list(HdsLexer().get_tokens_unprocessed(text))
    assert "".join(value for _, _, value in tokens) == text
    assert [value for _, kind, value in tokens if kind is Error] == []


@pytest.mark.parametrize("name", list(EXAMPLES)[:: often(12, 1)])
def test_no_character_of_a_broken_text_is_lost(name: str) -> None:
    for text in damaged(EXAMPLES[name], 2, often(10, 200)):
        assert "".join(value for _, _, value in HdsLexer().get_tokens_unprocessed(text)) == text


def test_what_documents_show() -> None:
    text = "// calls\n!syscall script { printf(@rax); }\n"
    assert highlight(text, HdsLexer(), NullFormatter()) == text
    kinds = {value: kind for _, kind, value in HdsLexer().get_tokens_unprocessed(text)}
    assert kinds["// calls"] is Comment
    assert (kinds["!syscall"], kinds["printf"]) == (Name.Decorator, Name.Builtin)
