"""Symbols as a compiler begins with them: the table of modules, and readable forms of mangled names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.symbols.demangling import readable as readable
    from hds.symbols.source_lines import SourceLines as SourceLines
    from hds.symbols.symbol_file import (
        SymbolFile as SymbolFile,
        SymbolFileError as SymbolFileError,
        read_symbol_file as read_symbol_file,
    )
    from hds.symbols.table import (
        DEMANGLER as DEMANGLER,
        add_dlls as add_dlls,
        add_kernel as add_kernel,
        add_program as add_program,
        new_table as new_table,
    )
    from hds.symbols.type_library import TypeLibrary as TypeLibrary
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "demangling": "readable",
            "source_lines": "SourceLines",
            "symbol_file": "SymbolFile SymbolFileError read_symbol_file",
            "table": "DEMANGLER add_dlls add_kernel add_program new_table",
            "type_library": "TypeLibrary",
        },
    )
