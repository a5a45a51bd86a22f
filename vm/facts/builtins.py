"""THE table of built-in functions: parser, checker, engines and docs/language.md are driven by it (language.md 11).

Parameter kinds: n a number, s a number or narrow literal, w a number or wide literal, p a place. A function whose
effect is HOST is a request of the debugger; the others stand in `vm.library`. A function with no result gives 0.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Effect(Enum):
    """Who carries a built-in out."""

    INSTRUCTION = "an instruction of its own"
    LIBRARY = "a function of vm.library, on memory"
    HOST = "a request of the host"


class Builtin(msgspec.Struct, frozen=True):
    """One row. `parameters` has one letter per parameter; `aliases` are old names, reserved only in front of `(`.

    `missing` says why the emulated machine cannot do it, where it cannot: a script stops there (`unsupported_here`).
    """

    name: str
    parameters: str
    result: bool
    effect: Effect
    doc: str
    family: str
    aliases: tuple[str, ...] = ()
    missing: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a call of it takes, a word for each."""
        if self.name == "printf":  # whose arguments follow from its format
            return ("format", "arguments...")
        return tuple(_ARGUMENTS[letter] for letter in self.parameters)


_ARGUMENTS = {"n": "number", "s": "string", "w": "wide string", "p": "place"}


def _rows() -> list[Builtin]:
    table: list[Builtin] = []

    def row(
        family: str, name: str, parameters: str, result: bool, effect: Effect, doc: str, *aliases: str,
        missing: str = "",
    ) -> None:  # fmt: skip
        table.append(Builtin(name, parameters, result, effect, doc, family, aliases, missing))

    instruction, library, host = Effect.INSTRUCTION, Effect.LIBRARY, Effect.HOST
    stop = "; stops with invalid_address"
    for name, doc in (
        ("poi", "64 bits at n"), ("dq", "64 bits at n"), ("dd", "32 bits at n, zero-extended"),
        ("dw", "16 bits at n, zero-extended"), ("db", "8 bits at n, zero-extended"),
        ("hi", "bits 16-31 of the 64 bits at n"), ("low", "bits 0-15 of the 64 bits at n"),
    ):  # fmt: skip
        row("memory", name, "n", True, library if name in ("hi", "low") else instruction, doc + stop)
        row("memory", name + "_pa", "n", True, library, doc + ", a physical address" + stop)
    for name, bits in (("eq", 64), ("ed", 32), ("eb", 8)):
        row("memory", name, "nn", True, library, f"write the low {bits} bits of the value; 1, or 0 on a bad address")
        row("memory", name + "_pa", "nn", True, library, f"write the low {bits} bits at a physical address; 1 or 0")
    row("memory", "check_address", "n", True, library, "1 if the byte at n is readable, else 0")
    row("memory", "memcpy", "nnn", False, library, "copy n bytes (dst, src, n) as if through a buffer; n = 0 stops")
    row("memory", "memcpy_pa", "nnn", False, library, "the same with physical addresses")
    row("memory", "memcmp", "ssn", True, library, "0, 1 or -1 for n bytes, compared as unsigned; 2 on a bad address")
    row("memory", "virtual_to_physical", "n", True, host, "translated address, 0 if there is none")
    row("memory", "physical_to_virtual", "n", True, host, "translated address, 0 if there is none")
    row("memory", "reference", "p", True, instruction, "address of a place, as &place", "ref")
    row("memory", "neg", "n", True, instruction, "-e, floating point too")
    row("memory", "not", "n", True, instruction, "~e")
    row("strings", "strlen", "s", True, library, "units before the terminating zero; 0 on a bad address")
    row("strings", "wcslen", "w", True, library, "units before the terminating zero; 0 on a bad address")
    order = "0, 1 or -1, units compared as unsigned; 2 on a bad address"
    row("strings", "strcmp", "ss", True, library, order)
    row("strings", "wcscmp", "ww", True, library, order)
    row("strings", "strncmp", "ssn", True, library, f"at most n units: {order}")
    row("strings", "wcsncmp", "wwn", True, library, f"at most n units: {order}")
    row("atomic", "interlocked_increment", "n", True, library, "add 1 to the 64 bits at n; the new value")
    row("atomic", "interlocked_decrement", "n", True, library, "subtract 1 from the 64 bits at n; the new value")
    row("atomic", "interlocked_exchange", "nn", True, library, "store v; the old value")
    row("atomic", "interlocked_exchange_add", "nn", True, library, "add v; the old value")
    row("atomic", "interlocked_compare_exchange", "nnn", True, library, "store v if the old value is c; the old value")
    row("atomic", "spinlock_lock", "n", False, library, "wait until the 32-bit lock is 0 and set it to 1")
    row("atomic", "spinlock_lock_custom_wait", "nn", False, library, "the same with another limit for the pauses")
    row("atomic", "spinlock_unlock", "n", False, library, "set the lock to 0")
    row("output", "print", "n", False, instruction, "message: the value in hexadecimal and a line feed")
    row("output", "printf", "", False, instruction, "message: the format with its arguments")
    row("output", "formats", "n", False, instruction, "as print")
    row("output", "test_statement", "n", False, instruction, "evaluates its argument, no output")
    row("debugger", "pause", "", False, host, "halts and gives control to the debugger; only in an event")
    row("debugger", "flush", "", False, host, "drops messages that are not delivered yet")
    row("debugger", "event_enable", "n", False, host, "enables the event with this id", "enable_event")
    row("debugger", "event_disable", "n", False, host, "disables the event with this id", "disable_event")
    row("debugger", "event_clear", "n", False, host, "removes the event with this id")
    row("debugger", "event_sc", "n", False, host, "not 0: this trigger is short-circuited; 0: it is executed")
    for name, parameters, doc in (
        ("event_inject", "nn", "deliver an interrupt or exception (type, vector)"),
        ("event_inject_error_code", "nnn", "the same with an error code"),
    ):
        row("debugger", name, parameters, False, host, doc)
    for name, doc in (
        ("event_trace_step", "execute one instruction, a system call as a whole, and run the !trace events of step-in"),
        ("event_trace_step_in", "the same"),
        ("event_trace_step_out", "no effect: HyperDbg does not implement it"),
        ("event_trace_instrumentation_step", "the same with one instruction, and the !trace events of instrument-step"),
        ("event_trace_instrumentation_step_in", "the same"),
    ):
        row("debugger", name, "", False, host, doc)
    row("debugger", "microsleep", "n", False, host, "waits n microseconds of the host's (virtual) time")
    row("debugger", "rdtsc", "", True, host, "time-stamp counter")
    row("debugger", "rdtscp", "", True, host, "time-stamp counter")
    row("debugger", "disassemble_len", "n", True, host, "length of the 64-bit instruction at n, 0 if there is none")
    row("debugger", "disassemble_len64", "n", True, host, "length of the 64-bit instruction at n, 0 if there is none")
    row("debugger", "disassemble_len32", "n", True, host, "length of the 32-bit instruction at n, 0 if there is none")
    for name, parameters, doc in (
        ("lbr_save", "", "saves the branch records; 1 done, 0 not"),
        ("lbr_print", "", "prints the branch records; 1 done, 0 not"),
        ("lbr_dump", "", "prints the branch records; 1 done, 0 not"),
        ("lbr_check", "", "1 if branches are recorded"),
        ("lbr_restore", "", "restores the branch records; 1 done, 0 not"),
        ("lbr_restore_by_filter", "n", "restores them with a filter mask; 1 done, 0 not"),
    ):
        row("debugger", name, parameters, True, host, doc)
    return table


BUILTINS: tuple[Builtin, ...] = tuple(_rows())
BUILTIN_BY_NAME: dict[str, Builtin] = {row.name: row for row in BUILTINS}
BUILTIN_INDEX: dict[str, int] = {row.name: index for index, row in enumerate(BUILTINS)}
ALIASES: dict[str, str] = {alias: row.name for row in BUILTINS for alias in row.aliases}
