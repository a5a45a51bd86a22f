"""Symbols as a compiler begins with them: the table of modules, and readable forms of mangled names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.symbols import symbol_file as symbol_file, type_library as type_library
    from hds.symbols.demangling import readable as readable
    from hds.symbols.source_lines import SourceLines as SourceLines
    from hds.symbols.table import (
        DEMANGLER as DEMANGLER,
        add_dlls as add_dlls,
        add_kernel as add_kernel,
        add_program as add_program,
        new_table as new_table,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "demangling": "readable",
            "source_lines": "SourceLines",
            "table": "DEMANGLER add_dlls add_kernel add_program new_table",
        },
        late="symbol_file type_library",
    )
