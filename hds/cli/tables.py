"""The tables of hds as rows of text: `hds list` shows them, docs/ is generated from them. Nothing is listed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

Rows = tuple[tuple[str, ...], ...]


class Table(msgspec.Struct, frozen=True):
    """A table under a name: its columns, and its rows, each with one text per column."""

    name: str
    doc: str
    columns: tuple[str, ...]
    rows: Rows


def _events() -> Table:
    from vm.facts.commands import Support
    from vm.facts.events import EVENT_KINDS

    rows = tuple(
        (
            kind.name,
            ", ".join(kind.commands) or "-",
            kind.doc if kind.emulated else f"{kind.doc} ({Support.NOT_EMULATED.value})",
            kind.context,
            "pre, post, all" if kind.stages else "pre",
            kind.short_circuit.value,
        )
        for kind in EVENT_KINDS
    )
    columns = ("event", "commands", "triggers when", "$context", "stages", "short-circuit")
    return Table("events", "kinds of events", columns, rows)


def _commands() -> Table:
    from vm.facts.commands import COMMANDS

    rows = tuple((row.name, ", ".join(row.aliases) or "-", row.support.value, row.doc) for row in COMMANDS)
    return Table("commands", "commands of a command file", ("command", "aliases", "offline", "meaning"), rows)


def _builtins() -> Table:
    from vm.facts.builtins import BUILTINS

    rows = []
    for row in BUILTINS:
        parameters = ", ".join(row.arguments)
        names = ", ".join((row.name, *row.aliases))
        doc = f"{row.doc} (stops here: {row.missing})" if row.missing else row.doc
        rows.append((names, f"({parameters})", "yes" if row.result else "no", row.family, doc))
    columns = ("function", "parameters", "result", "family", "meaning")
    return Table("builtins", "built-in functions of the script language", columns, tuple(rows))


def _registers() -> Table:
    from vm.facts.registers import REGISTERS, STORAGES

    def bits(shift: int, count: int) -> str:
        return str(shift) if count == 1 else f"{shift}-{shift + count - 1}"

    rows = tuple((f"@{row.name}", STORAGES[row.storage], bits(row.shift, row.bits)) for row in REGISTERS)
    return Table("registers", "registers of the script language", ("register", "part of", "bits"), rows)


def _pseudo_registers() -> Table:
    from vm.facts.pseudo_registers import PSEUDO_REGISTERS

    rows = tuple((f"${row.name}", row.doc) for row in PSEUDO_REGISTERS)
    return Table("pseudo-registers", "values that the host supplies", ("name", "value"), rows)


def _limits() -> Table:
    from vm.facts.limits import LIMITS

    rows = tuple((row.name, "--" + row.name.replace("_", "-"), str(row.default), row.unit, row.doc) for row in LIMITS)
    return Table("limits", "named limits", ("limit", "flag", "default", "unit", "meaning"), rows)


def _diagnostics() -> Table:
    from lang import severity_of
    from lang.codes import ROWS

    rows = tuple((str(row.code), severity_of(row.code).value, row.title) for row in ROWS)
    return Table("diagnostics", "codes of what the compiler says", ("code", "severity", "meaning"), rows)


def _errors() -> Table:
    from vm.facts.errors import ErrorNumber

    rows = tuple((f"{number:x}", number.text) for number in ErrorNumber)
    return Table("errors", "HyperDbg's error numbers", ("number", "meaning"), rows)


def _exit_codes() -> Table:
    from hds.exit_codes import ExitCode

    rows = tuple((str(int(code)), code.name, code.doc) for code in ExitCode)
    return Table("exit-codes", "exit codes of hds", ("code", "name", "meaning"), rows)


def _instructions() -> Table:
    from vm import INSTRUCTIONS

    rows = tuple(
        (f"{row.opcode:02x}", row.mnemonic, ", ".join(kind.name for kind in row.operands), str(row.fuel), row.doc)
        for row in INSTRUCTIONS
    )
    columns = ("opcode", "mnemonic", "operands", "fuel", "meaning")
    return Table("instructions", "instructions of the bytecode", columns, rows)


def _calls() -> Table:
    from machine.kernel import DEFAULT_BUILD
    from machine.kernel.linux import linux_calls
    from machine.kernel.nt import nt_calls

    calls = (*linux_calls(), *nt_calls(DEFAULT_BUILD.number))
    rows = tuple((row.kernel, row.number, row.name, row.answer) for row in calls)
    return Table("calls", "system calls of guests", ("kernel", "number", "call", "here"), rows)


TABLES: Mapping[str, Callable[[], Table]] = {
    "events": _events,
    "commands": _commands,
    "builtins": _builtins,
    "registers": _registers,
    "pseudo-registers": _pseudo_registers,
    "limits": _limits,
    "diagnostics": _diagnostics,
    "errors": _errors,
    "exit-codes": _exit_codes,
    "instructions": _instructions,
    "calls": _calls,
}
