"""Specifiers of C that HyperDbg does not have are text, and the message says so and what to write."""

from __future__ import annotations

import pytest
from language_world import Run

from lang.compiler import Compiler
from lang.diagnostics import Diagnostic
from lang.source import SourceFile


def findings(script: str) -> list[Diagnostic]:
    return list(Compiler(portability=False).compile(SourceFile("test.hds", script)).diagnostics)


@pytest.mark.parametrize(
    ("specifier", "instead"),
    [
        ("%02hhx", "`hh` is unknown: for one byte write `%02x` and `... & 0xff`"),
        ("%hhd", "`hh` is unknown"),
        ("%zu", "`z` is unknown: write `%llu`"),
        ("%jd", "`j` is unknown: write `%lld`"),
        ("%tx", "`t` is unknown: write `%llx`"),
        ("%I64x", "`I64` is unknown: write `%llx`"),
        ("%Lf", "the specifiers are"),
        ("%*d", "write the width or precision as a number"),
        ("%.*f", "write the width or precision as a number"),
        ("%F", "write `%f`"),
        ("%a", "write `%e`"),
        ("%n", "the specifiers are"),
    ],
)
def test_a_specifier_of_c_is_text_and_takes_no_argument(run: Run, specifier: str, instead: str) -> None:
    warning, error = findings(f'printf("v={specifier}\\n", 2);')
    assert (warning.code, warning.span.text, error.code) == ("W006", specifier, "E111")
    assert specifier in warning.message
    assert instead in str(warning.hint)
    assert instead in str(error.hint)
    assert run(f'printf("v={specifier}\\n");').output == f"v={specifier}\n"


def test_any_other_percent_sign_is_only_printed() -> None:
    (warning,) = findings('printf("50%, k\\n");')
    assert (warning.code, warning.span.text, warning.hint) == ("W006", "%", None)
