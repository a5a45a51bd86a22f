"""The command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.cli.case_runs import Usual as Usual, read_file_of_tests as read_file_of_tests, try_case as try_case
    from hds.cli.start import entry as entry
else:
    __getattr__, __dir__ = lazy(__name__, {"case_runs": "Usual read_file_of_tests try_case", "start": "entry"})
