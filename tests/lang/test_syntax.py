"""The walks over a syntax tree: nothing is left out, nothing comes twice, all in source order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import astuple

from lang import syntax as s
from lang.codes import ERRORS, REMARKS, WARNINGS
from lang.diagnostics import Diagnostics
from lang.parser import parse
from lang.source import SourceFile

EVERYTHING = """
struct Pair { int left[2]; struct Pair *next; };
typedef unsigned int word_t;
struct Pair item = { { 1, 2 }, 0 };
.count = second = third = 4;
int fn(int first, word_t *other) {
    for (int i = 0; i < 5; i++) { continue; }
    for (i = 0, k = 1; ; i++, k--) { break; }
    while (first) { first -= 1; }
    do { other[1] = *other; } while (!first);
    if (first) { return 1; } elsif (other->x.y) { ; } else { return (int)(first) + sizeof(word_t) + sizeof first; }
    return fn(first, &.count) + nt!ExAllocatePool + @rax + $pid;
}
double real = 1.5;
printf("%d", 1);
"""


def tree(text: str) -> s.Program:
    diagnostics = Diagnostics()
    found = parse(SourceFile("x", text), diagnostics)
    assert found is not None, diagnostics.items
    return found


def below(value: object) -> Iterator[s.Node]:
    """The nodes of a tree by looking at the values of all fields."""
    if isinstance(value, tuple):
        for part in value:
            yield from below(part)
    elif isinstance(value, s.Node):
        yield value
        for part in astuple(value):
            yield from below(part)


def test_the_program_of_these_tests_has_every_kind_of_node() -> None:
    kinds = {kind for kind in vars(s).values() if isinstance(kind, type) and issubclass(kind, s.Node)}
    seen = {type(node) for node in s.walk(tree(EVERYTHING))}
    assert kinds - seen == {s.Node, s.Expression, s.Statement, s.Include}


@pytest.mark.parametrize("text", [EVERYTHING, *(row.good for row in (*ERRORS, *WARNINGS, *REMARKS) if not row.files)])
def test_a_walk_meets_what_the_fields_hold(text: str) -> None:
    program = tree(text)
    found = list(s.walk(program))
    links = {id(node.right) for node in found if isinstance(node, s.Assign) and node.right is not node.value}
    chained = {id(node) for node in below(program) if isinstance(node, s.Assign)} - {id(node) for node in found}
    assert links <= chained  # the links of a chain of assignments are no nodes of a walk
    assert len(found) == len({id(node) for node in found})
    assert {id(node) for node in found} == {id(node) for node in below(program)} - chained


def test_a_walk_goes_in_source_order() -> None:
    starts = [node.span.start for node in s.walk(tree(EVERYTHING))]
    assert starts == sorted(starts)


def test_statements_are_those_of_bodies_too() -> None:
    program = tree("int fn() { if (1) { x = 1; } return 2; } for (int i = 0; i < 1; i++) { print(i); } ;")
    names = [type(item).__name__ for item in s.statements(program)]
    function = ["FunctionDefinition", "Block", "If", "Block", "Simple", "Return"]
    assert names == [*function, "For", "Declaration", "Block", "Simple", "Empty"]


def test_the_statements_of_an_included_file_belong_to_the_tree(tmp_path: Path) -> None:
    (tmp_path / "part.hds").write_text("x = 5;")
    main = SourceFile(str(tmp_path / "main.hds"), '#include "part.hds"\ny = 6;')
    program = parse(main, Diagnostics())
    assert program is not None
    assert [item.span.text for item in s.statements(program)] == ['#include "part.hds"', "x = 5;", "y = 6;"]


def test_values_are_without_braces() -> None:
    (item,) = (
        node for node in s.walk(tree("int v[2][2] = { { 1, 2 }, { 3, 4 + 5 } };")) if isinstance(node, s.Declarator)
    )
    assert [value.span.text for value in s.values(item.initialiser)] == ["1", "2", "3", "4 + 5"]


def test_below_says_where_a_walk_goes() -> None:
    (item,) = tree("print((1));").items
    assert isinstance(item, s.Simple)
    assert [type(node) for node in s.walk(item, below=lambda node: ())] == [s.Simple]


def test_a_long_chain_needs_no_recursion() -> None:
    program = tree("x = " + " + ".join(["y"] * 5000) + ";")
    assert sum(isinstance(node, s.Name) for node in s.walk(program)) == 5001
