"""Tests of users' scripts, which stand in comments of the script files (docs/testing.md): `hds test`, and in pytest.

Reading, judging, rewriting and reporting are here; `hds.cli.case_runs` carries a test out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.script_tests.cases import (
        DEFAULT_TIMEOUT as DEFAULT_TIMEOUT,
        Case as Case,
        Subcommand as Subcommand,
        TestFile as TestFile,
    )
    from hds.script_tests.collecting import (
        SUFFIXES as SUFFIXES,
        BadExpression as BadExpression,
        Choice as Choice,
        TooManyFiles as TooManyFiles,
        script_files as script_files,
    )
    from hds.script_tests.directives import DIRECTIVES as DIRECTIVES, TOTALS as TOTALS
    from hds.script_tests.judging import Mismatch as Mismatch, judge as judge
    from hds.script_tests.junit_xml import junit as junit
    from hds.script_tests.outcome import CannotRun as CannotRun, FaultSeen as FaultSeen, Outcome as Outcome
    from hds.script_tests.reading import has_tests as has_tests, read_tests as read_tests
    from hds.script_tests.rewriting import Edit as Edit, apply as apply, edits as edits, files as files
    from hds.script_tests.verdicts import Status as Status, Verdict as Verdict, failure_lines as failure_lines
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "cases": "Case DEFAULT_TIMEOUT Subcommand TestFile",
            "collecting": "SUFFIXES BadExpression Choice TooManyFiles script_files",
            "directives": "DIRECTIVES TOTALS",
            "judging": "Mismatch judge",
            "junit_xml": "junit",
            "outcome": "CannotRun FaultSeen Outcome",
            "reading": "has_tests read_tests",
            "rewriting": "Edit apply edits files",
            "verdicts": "Status Verdict failure_lines",
        },
    )
