"""`hds fmt`: the layout of command files, and what the command does with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from hds.cli.main import main
from hds.layout import CannotLayOut, lay_out_commands
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS

UGLY = """\
// header comment

   /* block
      two */


!syscall   3   pid 4 script {x=5;if(x==5){print( x );//five
}else{ // other
  y=6; }
/* end */ }   // tail
? { print(1) ; }
?   .x=5;   .y  = 6;
? while(.x<9){.x++;} print(.x);
print   @rax+5
!cpuid code {90 90}  buffer 10 script {file:a b.hds}
# a note
g
"""
PRETTY = """\
// header comment

/* block
      two */

!syscall 3 pid 4 script {
    x = 5;
    if (x == 5) {
        print(x); //five
    } else {
        // other
        y = 6;
    }
    /* end */
} // tail
? { print(1); }
? .x = 5; .y = 6;
? while (.x < 9) {
    .x++;
} print(.x);
print @rax+5
!cpuid code {90 90} buffer 10 script {file:a b.hds}
# a note
g
"""


def laid_out(text: str) -> str:
    return lay_out_commands(SourceFile("test.hds", text), DEFAULT_LIMITS)


def test_commands_stand_on_their_lines_and_scripts_are_indented() -> None:
    assert laid_out(UGLY) == PRETTY


def test_the_layout_of_a_layout_is_itself() -> None:
    assert laid_out(PRETTY) == PRETTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "// only a comment\n",
        "!cpuid script { }\n",
        '!cpuid script {\n    printf("a\nb");\n    x = 1;\n}\n',
        "!cpuid script {\n    x = $arg1;\n    y = 2;\n}\n",
        "/* c */ g /* d */ // e\n",
        '!cpuid script {\n    #include "none.hds";\n    x = 1;\n}\n',
        "!cpuid script { if (1 == 1) \\{ print(1); \\} }\n",
        'r rax = 5\n.script "a b" "c"\n',
    ],
)
def test_these_stay_as_they_are(text: str) -> None:
    assert laid_out(text) == text


@pytest.mark.parametrize("text", ["!cpuid script { x = ; }", "!cpuid script {", 'g "x'])
def test_a_file_with_errors_is_left_alone(text: str) -> None:
    with pytest.raises(CannotLayOut):
        laid_out(text)


PIECES = st.sampled_from(
    [
        "!cpuid",
        "script",
        "{",
        "}",
        "x=1;",
        "// c",
        "/* d */",
        "\n",
        " ",
        '"',
        "?",
        "print(1);",
        "if(1){y_=2;}",
        "\\{",
        "#",
    ]
)


@given(st.lists(PIECES, max_size=15).map("".join))
def test_any_text_is_laid_out_stably_or_refused(text: str) -> None:
    try:
        once = laid_out(text)
    except CannotLayOut:
        return
    assert laid_out(once) == once


def test_check_shows_the_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.hds"
    path.write_text("? x=5;\n")
    assert main(["fmt", "--check", str(path)]) == 1
    assert "-? x=5;\n+? x = 5;\n" in capsys.readouterr().out
    assert main(["fmt", "-w", str(path)]) == 0
    assert path.read_text() == "? x = 5;\n"
    assert main(["fmt", "--check", str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_a_bare_script_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "-e", "x=5;print(x);"]) == 0
    assert capsys.readouterr().out == "x = 5;\nprint(x);\n"


def test_wrong_inputs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt"]) == 2
    assert main(["fmt", "no-such-file"]) == 3
    assert main(["fmt", "-e", "x = ;"]) == 1
    capsys.readouterr()
