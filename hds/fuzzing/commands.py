"""Command files: events with every option, other commands, scripts between them; whole or damaged."""

from __future__ import annotations

from hds.fuzzing.broken import damaged
from hds.fuzzing.choices import Choices
from hds.fuzzing.programs import program
from vm.facts.commands import COMMANDS
from vm.facts.events import EVENTS, EventRow, ParameterKind, ParameterRow

ASSEMBLY = (
    "nop",
    "mov rax, 55; ret",
    "xor eax, eax\nret",
    "cmp rcx, 55 ; jne l1 ; l1: ret",
    "mov rax, [rcx+8]",
    "bad",
    "",
)
BYTES = ("90", "90 c3", "4883c001 c3", "0x90", "9", "zz", "")
NUMBERS = ("55", "0x55", "0n10", "0", "ffffffff", "100000000", "-1", "0x", "nt!NtClose", "@rax", "$pid", "x+1", "all")
SCALAR_VALUES = {
    "pid": ("4", "all", "0n490", "x"), "core": ("0", "3", "all", "zz"), "imm": ("yes", "no", "maybe"),
    "sc": ("on", "off", "x"), "stage": ("pre", "post", "all", "calling"), "buffer": ("0x10", "100", "fffffff", "x"),
}  # fmt: skip
WORDS = (
    "{",
    "}",
    "\\{",
    '"',
    "\\",
    "l",
    "0",
    "all",
    "script",
    "file:x.ds",
    "asm",
    "//",
    "/*",
    "*/",
    "#",
    ";",
    "e",
    "d",
    "c",
)


def command_file(choices: Choices) -> str:
    """The text of a command file."""
    parts = [_command(choices) for _ in range(choices.between(1, 6))]
    text = "\n".join(parts) + "\n"
    if choices.chance(35):
        for _ in range(choices.between(1, 3)):
            text = damaged(choices, text)
    return text


def _command(choices: Choices) -> str:
    way = choices.below(10)
    if way < 6:
        return event(choices)
    if way == 6:
        return "? " + choices.pick((".n = 0;", "print(1);", "{ print(2); }", "x = ", "for (;;) { break; }"))
    if way == 7:
        return choices.pick(("// a comment", "# a comment", "/* several\nlines */", "", "  "))
    row = choices.pick(COMMANDS)
    words = [choices.pick((*NUMBERS, *WORDS)) for _ in range(choices.below(4))]
    return " ".join([choices.pick((row.name, *row.aliases)), *words])


def event(choices: Choices) -> str:
    """An event command with its parameters and options in any order."""
    row = choices.pick(EVENTS)
    parts = [*_parameters(choices, row), *(_option(choices) for _ in range(choices.below(5)))]
    if choices.chance(85):
        parts.append(f"script {{\n{_script(choices)}\n}}")
    if choices.chance(20):
        parts = [*choices.shuffled(parts), *parts[-1:]]
    return " ".join([row.name, *parts])


def _parameters(choices: Choices, row: EventRow) -> list[str]:
    parts = []
    for parameter in row.parameters:
        if parameter.required or choices.chance(60):
            parts += [parameter.keyword] if parameter.keyword else []
            parts.append(_parameter(choices, parameter))
    return parts


def _parameter(choices: Choices, row: ParameterRow) -> str:
    if row.kind is ParameterKind.CHOICE:
        return choices.pick((*row.choices, "zz"))
    if row.only and choices.chance(80):
        return f"{choices.pick(row.only):x}"
    if row.kind is ParameterKind.NUMBER and choices.chance(70):
        return f"{choices.between(row.low, min(row.high or 0xFFFF, row.low + 0x40)):x}"
    return choices.pick(NUMBERS)


def _option(choices: Choices) -> str:
    way = choices.below(10)
    if way < 6:
        name = choices.pick(tuple(SCALAR_VALUES))
        return f"{name} {choices.pick(SCALAR_VALUES[name])}"
    if way < 8:
        block = choices.pick(("condition", "code"))
        assembly = choices.chance(50)
        return f"{'asm ' if assembly else ''}{block} {{ {choices.pick(ASSEMBLY if assembly else BYTES)} }}"
    return choices.pick(("output {o1}", "output {o1, o2}", "script file:none.ds", "condition { }", *WORDS))


def _script(choices: Choices) -> str:
    if choices.chance(60):
        return "    " + choices.pick(
            ('printf("%d\\n", $pid);', ".n = .n + 1;", "event_sc(1);", "print(@rcx);", "", "x = ;")
        )
    return program(choices, 3).strip().strip("?").strip()
