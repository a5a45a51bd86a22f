"""hds.testing: what a run did, as values that compare and show well in a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hds
import hds.testing

LOOP = b"mov rbx, 3; again: mov rax, rbx; syscall; dec rbx; jnz again; hlt"


def ran(script: str | Path) -> hds.testing.Ran:
    return hds.testing.run(script, LOOP, kind="asm", kernel="bare")


def test_a_run_is_plain_values(tmp_path: Path) -> None:
    file = tmp_path / "a.hds"
    file.write_text("!syscall script { .n++; print(@rax); }\n!syscall 2 condition { 48 31 c0 c3 } script { x = 1; }\n")
    made = ran(file)
    assert made.messages == ["3\n", "2\n", "1\n"]
    assert made.text == "3\n2\n1\n"
    assert made.triggers == {"!syscall": 3}
    assert made.rejections == {"!syscall": 1}
    assert made.events == [3, 0]
    assert made.registers["rbx"] == 0
    assert made.globals == {".n": 3}
    assert made.errors == []
    assert (made.cause, made.exit_code) == ("end", None)


def test_errors_of_scripts_are_lines() -> None:
    (line, *_) = ran("!syscall script { print(1 / (@rax - @rax)); }").errors
    assert "divided by zero" in line


def test_messages_are_compared_with_texts_and_patterns() -> None:
    made = ran('!syscall script { printf("call %d\\n", @rax); }')
    hds.testing.assert_messages(made, ["call 3", re.compile("call [0-9]"), "call 1\n"])
    hds.testing.assert_messages(made, ["call 1", "call 2", "call 3"], ordered=False)
    with pytest.raises(AssertionError, match="-call 9\n\\+call 3"):
        hds.testing.assert_messages(made, ["call 9", "call 2", "call 1"])
    with pytest.raises(AssertionError):
        hds.testing.assert_messages(made, ["call 3"])


def test_a_script_that_does_not_compile_raises() -> None:
    with pytest.raises(hds.ScriptError, match="E201"):
        ran("!syscall script {")
