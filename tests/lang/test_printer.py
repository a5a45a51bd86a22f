"""The printer's laws: the same tree comes back, a layout is stable, meaning and comments stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from effort import often
from hypothesis import given
from msgspec.structs import astuple, replace
from scripts import SCRIPTS

from hds.cli.conformance import read_vectors
from hds.layout import CannotLayOut, lay_out_script
from lang import syntax as s
from lang.compiler import Compiler
from lang.diagnostics import Diagnostics
from lang.parser import parse
from lang.printer import print_program
from lang.source import SourceFile, Span
from vm.facts.limits import DEFAULT_LIMITS
from vm.program import Program

# The compiler raises Python's recursion limit when it needs to, and Hypothesis notices.
pytestmark = [pytest.mark.filterwarnings("ignore:The recursion limit"), pytest.mark.slow]

VECTORS = read_vectors((Path(__file__).parents[1] / "conformance" / "language.jsonl").read_text(encoding="utf-8"))


def structure(node: object) -> object:
    """A tree without its places, to be compared."""
    if isinstance(node, s.Node):
        return (type(node).__name__, *(structure(value) for value in astuple(node) if not isinstance(value, Span)))
    return tuple(structure(part) for part in node) if isinstance(node, tuple) else node


def tree(text: str) -> s.Program | None:
    return parse(SourceFile("test", text), Diagnostics())


def printed(program: s.Program) -> str:
    return "".join(f"{line}\n" for line in print_program(program))


def laid_out(text: str) -> str:
    return lay_out_script(SourceFile("test", text), DEFAULT_LIMITS)


def meaning(program: Program | None) -> object:
    """A program without its source positions."""
    return program and replace(program, sources=(), positions=())


@given(SCRIPTS)
def test_what_is_printed_parses_to_the_same_tree(text: str) -> None:
    program = tree(text)
    if program is not None:
        again = tree(printed(program))
        assert again is not None
        assert structure(again) == structure(program)


@given(SCRIPTS)
def test_a_layout_is_stable(text: str) -> None:
    if tree(text) is not None:
        once = laid_out(text)
        assert laid_out(once) == once


@pytest.mark.nightly
def test_the_meaning_of_a_script_stays() -> None:
    for vector in often(VECTORS[::3], VECTORS):
        before = Compiler(portability=False).compile(SourceFile("test", vector.script)).program
        if before is not None:
            after = Compiler(portability=False).compile(SourceFile("test", laid_out(vector.script))).program
            assert meaning(after) == meaning(before), vector.id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1;y=2;", "x = 1;\ny = 2;\n"),
        (
            "if(1==x){print(1);}else if(y){}else{;}",
            "if (1 == x) {\n    print(1);\n} else if (y) {\n} else {\n    ;\n}\n",
        ),
        ("for(;;){break;}", "for (;;) {\n    break;\n}\n"),
        ("for(int i=0;i<3;i++,j--){}", "for (int i = 0; i < 3; i++, j--) { }\n"),
        ("do{x++;}while(x<3);", "do {\n    x++;\n} while (x < 3);\n"),
        ("int fn(int n,int*p){return n;}", "int fn(int n, int *p) {\n    return n;\n}\n"),
        ("struct P{int mx;char*next;}v={1,2};", "struct P {\n    int mx;\n    char *next;\n} v = {1, 2};\n"),
        ("typedef unsigned  char byte_t,*pbyte_t;", "typedef unsigned char byte_t, *pbyte_t;\n"),
        ("x=- -y- -1;p=& *q;", "x = - -y - -1;\np = &*q;\n"),
        ("x = (char)(y)+sizeof(int*)+sizeof x+sizeof(x);", "x = (char)(y) + sizeof(int *) + sizeof x + sizeof(x);\n"),
        ("? {x=1;}", "? {\n    x = 1;\n}\n"),
        ('#include "a\\b.hds"\nx=1;', '#include "a\\b.hds"\nx = 1;\n'),
        ("int v[2]={1,2,};", "int v[2] = {1, 2};\n"),
        ("x=1;\n\n\n\ny=2;", "x = 1;\n\ny = 2;\n"),
        (
            'printf("' + "x" * 60 + '", first_v, second_v, third_v, fourth_v, fifth_v);',
            'printf("' + "x" * 60 + '", first_v, second_v, third_v,\n    fourth_v, fifth_v);\n',
        ),
        (
            "int v[20] = {" + ", ".join(["0x11111111"] * 10) + "};",
            "int v[20] = {" + ", ".join(["0x11111111"] * 7) + ",\n    0x11111111, 0x11111111, 0x11111111};\n",
        ),
        ("@RAX", None),
        ("", ""),
    ],
)
def test_layout(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(CannotLayOut):
            laid_out(text)
    else:
        assert laid_out(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1;// one\ny=2;", "x = 1; // one\ny = 2;\n"),
        ("// first\n\n// second\nx=1;", "// first\n\n// second\nx = 1;\n"),
        ("if(x)// why\n{y=1;}", "// why\nif (x) {\n    y = 1;\n}\n"),
        ("if(x){// why\ny=1;}// end", "if (x) {\n    // why\n    y = 1;\n} // end\n"),
        ("if(x){}// a\nelse{y=1;}", "if (x) {\n} else {\n    // a\n    y = 1;\n}\n"),
        ("print( /* n */ 5 );", "print( /* n */ 5 );\n"),
        ("while(x){ /* empty */ }", "while (x) {\n    /* empty */\n}\n"),
        ("struct P{int mx;// x\n};", "struct P {\n    int mx; // x\n};\n"),
        ("{/* one\n      * two */x=1;}", "{\n    /* one\n     * two */\n    x = 1;\n}\n"),
        ("// only", "// only\n"),
    ],
)
def test_comments_stay(text: str, expected: str) -> None:
    assert laid_out(text) == expected
