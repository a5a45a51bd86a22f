"""The plugin of pytest: tests in script files are collected like others, and run as by `hds test`.

pytest loads it wherever hds is installed (`pytest11`), so it imports nothing of hds until a script file has a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hds.script_tests import Case, Verdict

SUFFIXES = (".hds", ".ds")
_MOST_BYTES = 1 << 21  # of a file that is looked into


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Script files with a test."""
    if file_path.suffix not in SUFFIXES or not _mentions_a_test(file_path):
        return None
    return ScriptFile.from_parent(parent, path=file_path)


def _mentions_a_test(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"test:" in file.read(_MOST_BYTES).replace(b"\0", b"")  # in UTF-16, too
    except OSError:
        return False


class ScriptFile(pytest.File):
    """A script file; its tests are items."""

    def collect(self) -> Iterable[pytest.Item]:
        """The tests. Raises CollectError where directives are faulty, or the file cannot be read."""
        from hds.cli import Usual, read_file_of_tests
        from hds.inputs import InputError
        from lang import escaped, render

        try:
            found = read_file_of_tests(str(self.path), Usual())
        except InputError as error:
            raise self.CollectError(str(error)) from None
        if found is None:
            return
        if found.errors:
            raise self.CollectError(escaped("\n".join(render(item) for item in found.errors)))
        for case in found.cases:
            yield ScriptItem.from_parent(self, name=escaped(case.name), case=case)


class ScriptFailed(Exception):  # noqa: N818 - it says what happened
    """A test of a script failed; the text says how."""


class ScriptItem(pytest.Item):
    """One test of a script."""

    def __init__(self, *, case: Case, **named: Any) -> None:
        super().__init__(**named)
        self.case = case

    def runtest(self) -> None:
        """Run it. Raises ScriptFailed."""
        from hds.cli import Usual, try_case
        from hds.script_tests import Status

        verdict, _ = try_case(self.case, self._shown_path(), Usual())
        if verdict.status is Status.SKIPPED:
            pytest.skip(verdict.reason)
        if verdict.is_bad:
            raise ScriptFailed(_text(verdict))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What differs, without a traceback."""
        if isinstance(excinfo.value, ScriptFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands; lines count from 0 here."""
        return self.path, self.case.span.line - 1, self.name

    def _shown_path(self) -> str:
        try:
            return str(self.path.relative_to(self.config.rootpath))
        except ValueError:
            return str(self.path)


def _text(verdict: Verdict) -> str:
    from hds.script_tests import failure_lines
    from lang import escaped

    return escaped("\n".join(failure_lines(verdict)))
