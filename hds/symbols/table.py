"""The table of symbols that a compiler begins with: given ones, the kernel stand-in's, and those of programs.

Loads neither commands nor the emulator, since every subcommand that compiles needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hds.symbols.demangling import NameDemangler
from lang import KERNEL_MODULE, SymbolTable
from machine.kernel import ENTRY_POINTS
from machine.loaders import module_name
from vm.facts.limits import Limits

if TYPE_CHECKING:
    from machine.loaders import Image, WindowsPlan

DEFAULT_KERNEL = "nt"  # whose symbols are known as long as there is no program
DEMANGLER = NameDemangler()


def new_table(given: Mapping[str, int], limits: Limits, kernel: str | None = None) -> SymbolTable:
    """A table of these symbols and those of a kernel stand-in, which knows mangled names."""
    table = SymbolTable(given, DEMANGLER, limits.max_demangled_names)
    add_kernel(table, kernel or DEFAULT_KERNEL)
    return table


def add_kernel(table: SymbolTable, kernel: str) -> None:
    """The symbols of a kernel stand-in; in place of those that were assumed, as long as there is no program."""
    if not table.programs:
        table.drop(KERNEL_MODULE)
    table.add(KERNEL_MODULE, ENTRY_POINTS[kernel].symbols)


def add_program(table: SymbolTable, name: str, image: Image, *, known_wins: bool = False) -> None:
    """The symbols of a program, under the module's name that its file gives it."""
    symbols = {symbol.name: symbol.address for symbol in image.symbols}
    table.add(module_name(name), symbols, program=True, known_wins=known_wins)


def add_dlls(table: SymbolTable, plans: Sequence[WindowsPlan], module: str) -> None:
    """The symbols of the DLLs that these plans have for the name of a module, planned from now on."""
    for plan in plans:
        plan.include(module)
        for each in plan.modules.values():
            if module_name(each.name).lower() == module.lower():
                table.add(module_name(each.name), {symbol.name: symbol.address for symbol in plan.symbols(each)})
