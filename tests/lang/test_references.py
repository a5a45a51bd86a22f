"""What names mean: mentions with the place of their definition, as an editor asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds.session.command_scripts import read_command_file
from lang.compiler import Compilation, Compiler
from lang.references import Definition, DefinitionKind, reference_at, references_to
from lang.source import SourceFile
from lang.symbols import SymbolTable
from vm.facts.limits import DEFAULT_LIMITS

SCRIPT = """\
struct Pair { long left; struct Pair *next; };
typedef struct Pair pair_t;
int twice(int n) { long n_v = n; return n_v + n; }
pair_t item;
item.left = twice(2);
.total = .total + item.left;
struct Pair *p = &item;
p->next = p;
print(p->next->left + @rax + $pid + later(p));
int later(pair_t *p) { return p->left; }
"""


def compiled(script: str, name: str = "x") -> tuple[Compilation, SourceFile]:
    source = SourceFile(name, script)
    symbols = SymbolTable({"nt!ExAllocatePool": 0xFFFFF80000001000})
    return Compiler(references=True, symbols=symbols).compile(source), source


def mentions(script: str, line: int, text: str) -> tuple[Definition | None, list[tuple[int, int]]]:
    """What the first `text` of a line is defined as, and all its mentions (line and column)."""
    made, source = compiled(script)
    lines = script.splitlines(keepends=True)
    at = script.index(text, sum(map(len, lines[: line - 1])))
    found = reference_at(made.references, source, at)
    assert found is not None, f"{text} of line {line} is no name"
    if found.definition is None:
        return None, []
    return found.definition, [source.position(r.span.start) for r in references_to(made.references, found.definition)]


@pytest.mark.parametrize(
    ("line", "text", "kind", "places"),  # line and column; the first one is that of the definition, but for `later`
    [
        (5, "twice", DefinitionKind.FUNCTION, [(3, 5), (5, 13)]),
        (9, "later", DefinitionKind.FUNCTION, [(9, 37), (10, 5)]),
        (3, "n)", DefinitionKind.PARAMETER, [(3, 15), (3, 31), (3, 47)]),
        (3, "n_v", DefinitionKind.VARIABLE, [(3, 25), (3, 41)]),
        (6, ".total", DefinitionKind.GLOBAL, [(6, 1), (6, 10)]),
        (5, "item", DefinitionKind.VARIABLE, [(4, 8), (5, 1), (6, 19), (7, 19)]),
        (8, "p", DefinitionKind.VARIABLE, [(7, 14), (8, 1), (8, 11), (9, 7), (9, 43)]),
        (10, "p->", DefinitionKind.PARAMETER, [(10, 19), (10, 31)]),
        (5, "left", DefinitionKind.MEMBER, [(1, 20), (5, 6), (6, 24), (9, 16), (10, 34)]),
        (8, "next", DefinitionKind.MEMBER, [(1, 39), (8, 4), (9, 10)]),
        (7, "Pair", DefinitionKind.STRUCT, [(1, 8), (1, 33), (2, 16), (7, 8)]),
        (4, "pair_t", DefinitionKind.TYPEDEF, [(2, 21), (4, 1), (10, 11)]),
    ],
)
def test_a_name_leads_to_its_definition_and_all_its_mentions(
    line: int, text: str, kind: DefinitionKind, places: list[tuple[int, int]]
) -> None:
    definition, found = mentions(SCRIPT, line, text)
    assert definition is not None
    assert definition.kind is kind
    assert found == places
    assert definition.span.file.position(definition.span.start) == (places[0] if text != "later" else places[1])


@pytest.mark.parametrize("text", ["@rax", "$pid", "print"])
def test_what_no_script_defines_has_no_definition(text: str) -> None:
    assert mentions(SCRIPT, 9, text) == (None, [])


@pytest.mark.parametrize("script", ["x = nt!ExAllocatePool;", "x = poi(10);", "x = rax;"])
def test_symbols_built_in_functions_and_bare_registers_have_none(script: str) -> None:
    made, _ = compiled(script)
    assert [item.definition is None for item in made.references] == [False, True]


def test_the_first_mention_defines_what_is_not_declared() -> None:
    definition, found = mentions("x = 1;\ny = x;", 2, "x")
    assert definition is not None
    assert (definition.kind, definition.name, found) == (DefinitionKind.VARIABLE, "x", [(1, 1), (2, 5)])


def test_a_variable_declared_again_with_another_type_is_another() -> None:
    made, source = compiled('int v = 1; print(v); double v = 2.5; printf("%f", v);')
    spans = [item.definition.span.start for item in made.references if item.definition is not None]
    assert spans == [4, 4, 28, 28]
    assert source.text[28] == "v"


def test_equal_names_of_functions_and_structs_are_told_apart() -> None:
    script = "struct S { int m; }; struct T { int m; };\nstruct S one; struct T two;\none.m = two.m;"
    definitions = [item.definition for item in compiled(script)[0].references if item.definition is not None]
    assert [found.span.start for found in definitions if found.name == "m"] == [15, 36, 15, 36]


def test_a_definition_may_stand_in_an_included_file(tmp_path: Path) -> None:
    part = tmp_path / "part.hds"
    part.write_text("int twice(int n) { return n * 2; }")
    made, source = compiled('#include "part.hds"\nprint(twice(3));', str(tmp_path / "main.hds"))
    found = reference_at(made.references, source, source.text.index("twice"))
    assert found is not None
    assert found.definition is not None
    assert Path(found.definition.span.file.name) == part
    assert found.definition.span.text == "twice"
    assert len(references_to(made.references, found.definition)) == 2


def test_the_end_of_a_name_belongs_to_it_unless_another_begins_there() -> None:
    made, source = compiled("x = 1; y = x;")
    assert reference_at(made.references, source, 1) == reference_at(made.references, source, 0)
    assert reference_at(made.references, source, 3) is None
    assert reference_at(made.references, SourceFile("x", source.text), 0) is None


def test_names_with_errors_of_types_have_references_too() -> None:
    made, _ = compiled("int v = 1; v.left = 2; print(w);")
    assert not made.ok
    assert [item.span.start for item in made.references] == [4, 11, 23, 29]


def test_nobody_pays_who_does_not_ask() -> None:
    assert Compiler().compile(SourceFile("x", SCRIPT)).references == ()


def test_mentions_of_a_command_file_stand_in_the_file_as_it_was_written() -> None:
    source = SourceFile("x", "!syscall script { x = 5; print(x); }\n")
    (script,) = read_command_file(source, DEFAULT_LIMITS).scripts
    made = script.compile(Compiler(references=True))
    assert [(item.span.file is source, item.span.text) for item in made.references] == [
        (True, "x"), (True, "print"), (True, "x")
    ]  # fmt: skip
    assert {item.definition.span.file for item in made.references if item.definition is not None} == {source}
