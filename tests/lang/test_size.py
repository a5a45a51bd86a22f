"""Scripts of any size and depth: linear time, bounded memory and recursion, and named limits beyond."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from effort import often
from source_shapes import SHAPES

import lang
from lang import lowering
from lang.compiler import MEMORY_PER_BYTE, Compilation, Compiler
from lang.diagnostics import WIDEST, render
from lang.source import SourceFile
from vm import formatting
from vm.facts.limits import DEFAULT_LIMITS, Limits

pytestmark = pytest.mark.slow

GIB = 1 << 30


def compiled(text: str, limits: Limits = DEFAULT_LIMITS, name: str = "test.hds") -> Compilation:
    return Compiler(limits).compile(SourceFile(name, text))


def errors(text: str, limits: Limits = DEFAULT_LIMITS, name: str = "test.hds") -> list[tuple[str, int]]:
    """Codes of errors, and the columns where they stand."""
    return [(d.code, d.span.column) for d in compiled(text, limits, name).diagnostics if d.code.startswith("E")]


def seconds(text: str) -> float:
    """Processor time of compiling a text and showing what was found."""
    start = process_time()
    for item in compiled(text).diagnostics:
        render(item)
    return process_time() - start


# --- time


@pytest.mark.lasting
@pytest.mark.nightly
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_time_is_linear_in_the_source(shape) -> None:  # type: ignore[no-untyped-def]
    size = often(500, 3_000)
    small, large = (seconds(shape.text(length)) for length in (size, 8 * size))
    # Eight times the text; what is quadratic takes 64 times as long. Measured again where something came between.
    assert large < 24 * small + 0.05 or seconds(shape.text(8 * size)) < 24 * seconds(shape.text(size)) + 0.05


def test_one_huge_line_is_shown_around_the_place() -> None:
    text = "x = 1; " * 2_000 + "y = nothing(); " + "x = 1; " * 2_000
    item = next(d for d in compiled(text).diagnostics if d.code == "E060")
    line, carets = render(item).splitlines()[1:3]
    assert len(line) < WIDEST + 30
    assert line[carets.index("^") : carets.rindex("^") + 1] == "nothing"
    assert (line[8:12], line[-4:]) == ("... ", " ...")


# --- memory


@pytest.mark.lasting
def test_a_literal_costs_few_bytes_a_character_and_any_source_at_most_the_named_ones() -> None:
    # In a process of its own: the peak of a process never falls, and getrusage would count the parent's.
    script = (
        "import source_shapes; from lang.compiler import Compiler; from lang.source import SourceFile;"
        "peak = lambda: 1024 * int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]);"
        "run = lambda text: Compiler().compile(SourceFile('test', text));"
        "run('print(1);'); before = peak();"
        "run('x = strlen(\"' + 'a' * 400_000 + '\");'); literal = peak();"
        "run(source_shapes.SHAPE['comparisons'].text(40_000)); print(literal - before, peak() - before)"
    )
    paths = [str(Path(lang.__file__).parents[1]), str(Path(__file__).parent)]
    environment = {"PYTHONPATH": ":".join(paths)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    literal, tokens = (int(word) for word in done.stdout.split())
    assert literal < 40 * 400_000
    assert tokens < MEMORY_PER_BYTE * 40_000


def test_the_default_limit_of_a_source_stands_for_less_than_a_gibibyte() -> None:
    process = 60 << 20  # bytes that hds needs before it reads a source
    assert DEFAULT_LIMITS.max_source_bytes * MEMORY_PER_BYTE + process < GIB


def test_a_script_counts_with_all_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "inner.hds").write_text("y = 1; " * 10, encoding="utf-8")
    (tmp_path / "outer.hds").write_text('#include "inner.hds"\n' + "z = 1; " * 10, encoding="utf-8")
    text, name = '#include "outer.hds"\n#include "inner.hds"\nx = 1;', str(tmp_path / "main.hds")
    assert errors(text, Limits(max_source_bytes=250), name) == []
    assert errors(text, Limits(max_source_bytes=150), name) == [("E026", 1)]
    assert "limit max_source_bytes" in compiled(text, Limits(max_source_bytes=150), name).diagnostics[0].message
    assert errors("x = 1;", Limits(max_source_bytes=5)) == [("E026", 1)]
    assert errors('s = strlen("ä");', Limits(max_source_bytes=16)) == [("E026", 1)]  # bytes, not characters


def test_the_scripts_of_a_command_file_count_together() -> None:
    source = SourceFile("commands.hds", "x = 1;" * 10)
    compiler = Compiler(Limits(max_total_source_bytes=25))
    made = [compiler.compile(source, start, start + 6) for start in range(0, 60, 6)]
    assert [item.ok for item in made] == [True] * 4 + [False] * 6
    assert "limit max_total_source_bytes" in made[4].diagnostics[0].message
    assert compiler.compile(SourceFile("other.hds", "x = 1;")).ok


def test_too_many_different_literals_are_an_error_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "POOL", 100)  # 65,536 otherwise
    made = compiled("".join(f'strlen("{n:x}");' for n in range(101)))
    assert [(d.code, "literals" in d.message) for d in made.diagnostics] == [("E026", True)]


def test_findings_of_one_code_and_errors_have_an_end_that_is_told() -> None:
    found = compiled(";" * 50 + "nothing();" * 50, Limits(max_findings=10, max_errors=5)).diagnostics
    assert [sum(item.code == code for item in found) for code in ("P021", "E060")] == [10, 5]
    assert [item.notes[-1].message for item in found if item.notes] == [
        "further findings P021 are left out (limit max_findings)",
        "further errors are left out (limit max_errors)",
    ]


# --- digits

MANY = "1" * 5000
ZEROS = "0" * 5000


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (f"print(0n{MANY});", [("E005", 7)]),
        (f"print(0x{MANY});", [("E005", 7)]),
        (f"print({MANY});", [("E005", 7)]),
        (f"print(0y{MANY});", [("E005", 7)]),
        (f"print(0o{MANY});", [("E005", 7)]),
        (f"print(0n{ZEROS}17);", []),
        (f"print(0y{ZEROS}{'1' * 64});", []),
        (f"int v_x[0n{MANY}];", [("E005", 9)]),
        (f"int v_x[0n{ZEROS}3];", []),
        (f"x = 1.{MANY};", []),
        (f"x = {MANY}.5;", [("E007", 5)]),
        (f'printf("%{MANY}d", 1);', []),
        (f'printf("%.{MANY}f", 1.5);', []),
        (f'printf("%.{ZEROS}3d", 5);', []),
        (f'x = strlen("\\x{MANY}");', []),
        (f'x = strlen("\\{MANY}");', []),
    ],
    ids=lambda value: str(value)[:24],
)
def test_numbers_of_any_length_are_read_or_refused(script: str, found: list[tuple[str, int]]) -> None:
    assert errors(script) == found


@pytest.mark.lasting
def test_a_width_of_any_length_is_parsed_in_linear_time() -> None:
    start = process_time()
    many = 1_000_000
    for form in (b"%" + b"0" * many, b"%" + b"1" * many + b"d", b"%." + b"0" * many + b"3d", b"%" * many):
        formatting.parse(form)
    assert process_time() - start < 5
    wide = formatting.parse(b"%" + b"1" * 1_000_000 + b"d").conversions[0]
    assert wide.width == 10**18
    assert formatting.parse(b"%." + b"0" * 5000 + b"3d").conversions[0].precision == 3


# --- depth

DEEP = 3000
CHAINED = {
    "stars": f"int {'*' * DEEP}p_x;",
    "cast": f"x = (int {'*' * DEEP})5;",
    "sizeof": f"x = sizeof(int {'*' * DEEP});",
    "result": f"int {'*' * DEEP}fn(int n) {{ return 0; }}",
    "parameter": f"void fn(int {'*' * DEEP}n) {{ }}",
    "member": f"struct P {{ int {'*' * DEEP}mx; }};",
    "array": f"int v_x{'[1]' * DEEP};",
    "typedef": "typedef int t0_t;" + "".join(f"typedef t{i}_t *t{i + 1}_t;" for i in range(DEEP)) + f"t{DEEP}_t v_x;",
    "typedef struct": "typedef int t0_t;"
    + "".join(f"typedef struct {{ t{i}_t mx; }} t{i + 1}_t;" for i in range(DEEP))
    + f"t{DEEP}_t v_x;",
    "struct": "struct s0_s { int mx; };"
    + "".join(f"struct s{i + 1}_s {{ struct s{i}_s mx; }};" for i in range(DEEP))
    + f"struct s{DEEP}_s v_x; v_x = v_x; struct s{DEEP}_s .g = v_x;",
    "struct in struct": "struct { " * DEEP + "int mx; " + "} mx; " * DEEP + ";",
    "parentheses": "x = " + "(" * DEEP + "1" + ")" * DEEP + ";",
    "signs": "x = " + "- " * DEEP + "1;",
    "index": "x = v_x" + "[v_x" * DEEP + "]" * DEEP + ";",
    "blocks": "{" * DEEP + "}" * DEEP,
    "if": "if (1) {" * DEEP + "}" * DEEP,
    "lists": "int v_x[2] = " + "{" * DEEP + "1" + "}" * DEEP + ";",
    "right operands": "x = " + "1 && (" * DEEP + "1" + ")" * DEEP + ";",
    "casts": "x = " + "(int)" * DEEP + "1;",
    "members": "x = p_x" + "->mx" * DEEP + ";",
    "calls": "x = " + "low(" * DEEP + "1" + ")" * DEEP + ";",
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINED)
def test_depth_ends_at_its_limit(name: str) -> None:
    assert "E121" in {code for code, _ in errors(CHAINED[name])}


@pytest.mark.parametrize(
    "script",
    [
        f"int {'*' * 499}p_x; int {'*' * 499}q_x; q_x = p_x; print(q_x == p_x);",
        f"int v_x{'[1]' * 499}; v_x{'[0]' * 499} = 5; x = v_x{'[0]' * 499};",
        "struct s0_s { int mx; };"
        + "".join(f"struct s{i + 1}_s {{ struct s{i}_s mx; }};" for i in range(498))
        + "struct s498_s v_x; v_x = v_x; struct s498_s .g = v_x;",
        f"x = {'(' * 499}1{')' * 499};",
        f"{'{' * 499}{'}' * 499}",
        "x = 1; x = " + "x + " * 5000 + "1; x = " + "x && " * 5000 + "1;",
        "x = y = " * 5000 + "1;",
        "x = 1; if (x) { } " + "elsif (x) { } " * 5000,
    ],
    ids=lambda script: script[:24],
)
def test_what_is_below_the_limits_compiles(script: str) -> None:
    assert errors(script) == []


def test_a_struct_that_doubles_is_described_in_linear_time() -> None:
    structs = "struct s0_s { char mx; };" + "".join(
        f"struct s{i + 1}_s {{ struct s{i}_s one, two; }};" for i in range(24)
    )
    made = compiled(structs + "struct s24_s .g; struct s24_s .g;")
    assert made.ok
    assert made.program is not None
    assert len(made.program.globals[0].type) < 5000
    larger = "".join(f"struct s{i + 1}_s {{ struct s{i}_s one, two; }};" for i in range(24, 40))
    assert errors(structs + larger)[0][0] == "E088"
