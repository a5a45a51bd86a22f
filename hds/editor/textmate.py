"""The TextMate grammar of the language, for editors that highlight by one; its word lists are those of the tables.

A grammar sees one line at a time and cannot know whether a file is a bare script, so that a line which begins like a
command is one, unless it is an assignment. A test holds what it makes of all examples against `lang`'s own parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lang import KEYWORDS, TYPE_WORDS, PartKind
from lang.commands import choices_of, is_script_command, words_of
from vm.facts.builtins import ALIASES, BUILTINS
from vm.facts.commands import COMMANDS, CommandRow
from vm.facts.events import BLOCK_OPTIONS, SCALAR_OPTIONS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS

SCOPE = "source.hds"
SCOPES: Mapping[PartKind, str] = {
    PartKind.COMMENT: "comment",
    PartKind.COMMAND: "support.function.command",
    PartKind.EVENT: "entity.name.tag.event",
    PartKind.OPTION: "keyword.other.option",
    PartKind.CONSTANT: "constant.language",
    PartKind.WORD: "meta.word",
    PartKind.KEYWORD: "keyword.control",
    PartKind.TYPE: "storage.type",
    PartKind.BUILTIN: "support.function.builtin",
    PartKind.FUNCTION: "entity.name.function",
    PartKind.REGISTER: "variable.language.register",
    PartKind.PSEUDO_REGISTER: "variable.language.pseudo-register",
    PartKind.GLOBAL: "variable.other.global",
    PartKind.MEMBER: "variable.other.member",
    PartKind.NAME: "variable.other.local",
    PartKind.SYMBOL: "support.constant.symbol",
    PartKind.NUMBER: "constant.numeric",
    PartKind.STRING: "string.quoted.double",
    PartKind.ESCAPE: "constant.character.escape",
    PartKind.OPERATOR: "keyword.operator",
    PartKind.PUNCTUATION: "punctuation",
    PartKind.DIRECTIVE: "keyword.directive",
    PartKind.PATH: "string.other.path",
    PartKind.CODE: "constant.other.machine-code",
    PartKind.ASSEMBLY: "meta.embedded.assembly",
    PartKind.ERROR: "invalid.illegal",
}
Rule = dict[str, Any]

_LETTER = "[A-Za-z0-9_`]"
_NAME = f"[A-Za-z_]{_LETTER}*"
_OPERATORS = r"<<=|>>=|[-+*/%&|^<>=!]=|\+\+|--|->|<<|>>|&&|\|\||[-+*/%&|^~!<>=.?:]"
_NUMBER_OF_COMMAND = r"(?i:0x|\\x|x|0n|\\n|n)?[0-9a-fA-F`]+"
_ENDS_WORD = r"(?=[\s{}\"]|$)"
_BEGINS_WORD = r"(?<![^\s{}\"])"
_ASSIGNS = r"(?![ \t]*(?:[-+*/%&|^]|<<|>>)?=(?!=))"


def textmate_grammar() -> dict[str, Any]:
    """The grammar as its JSON file has it."""
    lines = ("events", "scripts", "commands", "script")
    events = [row for row in COMMANDS if row.is_event]
    commands = [row for row in COMMANDS if not row.is_event and not is_script_command(row)]
    return {
        "name": "HyperDbg script",
        "scopeName": SCOPE,
        "fileTypes": ["hds", "ds"],
        "patterns": [_to("comments"), _to("directives"), _line_comment("^[ \\t]*#"), *map(_to, lines)],
        "repository": {
            "comments": {"patterns": [_line_comment("//"), _region(PartKind.COMMENT, r"/\*", r"\*/")]},
            "directives": {"patterns": [_include()]},
            "events": {"patterns": [_event(names, rows[0]) for names, rows in _alike(events)]},
            "scripts": {"patterns": [_script_line(names) for names, _ in _alike(filter(is_script_command, COMMANDS))]},
            "commands": {"patterns": [_command(names, rows[0]) for names, rows in _alike(commands)]},
            "words": {"patterns": _words()},
            "script": {"patterns": _script()},
            "block": _region(None, r"\{", r"\}", [_escaped_brace(), _to("block"), _to("script")]),
        },
    }  # fmt: skip


def _alike(rows: Iterable[CommandRow]) -> list[tuple[list[str], list[CommandRow]]]:
    """Commands that have the same words, with all their names."""
    groups: dict[tuple[frozenset[str], frozenset[str]], list[CommandRow]] = {}
    for row in rows:
        groups.setdefault((words_of(row.name), choices_of(row.name)), []).append(row)
    return [([name for row in group for name in (row.name, *row.aliases)], group) for group in groups.values()]


# --- pieces of grammars


def _to(name: str) -> Rule:
    return {"include": f"#{name}"}


def _scope(kind: PartKind) -> str:
    return f"{SCOPES[kind]}.hds"


def _match(kind: PartKind | None, pattern: str, *captures: PartKind) -> Rule:
    """What matches is of a kind, or its groups are, in order."""
    rule: Rule = {"match": pattern}
    if kind is not None:
        rule["name"] = _scope(kind)
    if captures:
        rule["captures"] = _captures(captures)
    return rule


def _captures(kinds: Iterable[PartKind]) -> dict[str, dict[str, str]]:
    return {str(number): {"name": _scope(kind)} for number, kind in enumerate(kinds, 1)}


def _region(kind: PartKind | None, begin: str, end: str, patterns: Iterable[Rule] = ()) -> Rule:
    """From one pattern to another; of a kind with its ends, or between punctuation."""
    rule: Rule = {"begin": begin, "end": end, "patterns": list(patterns)}
    if kind is not None:
        return {"name": _scope(kind), **rule}
    mark = {"0": {"name": _scope(PartKind.PUNCTUATION)}}
    return {**rule, "beginCaptures": mark, "endCaptures": mark}


def _any(words: Iterable[str]) -> str:
    """One of some words; of two that begin alike the longer one."""
    return f"(?:{'|'.join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))})"


def _line_comment(mark: str) -> Rule:
    return _match(PartKind.COMMENT, f"{mark}.*$")


def _include() -> Rule:
    return _match(None, r'(#[ \t]*include\b)[ \t]*("[^"]*")?', PartKind.DIRECTIVE, PartKind.PATH)


# --- scripts


def _whole(pattern: str) -> str:
    return f"(?<!{_LETTER}){pattern}(?!{_LETTER})"


def _script() -> list[Rule]:
    return [
        _to("comments"),
        _include(),
        _match(PartKind.DIRECTIVE, "#.*$"),
        _region(PartKind.STRING, 'L?"', '"', [_match(PartKind.ESCAPE, r"\\(?:x[0-9a-fA-F]*|[0-7]{1,3}|.)")]),
        _match(PartKind.ERROR, r"'[^'\\]*(?:\\.[^'\\]*)*'?"),
        _match(PartKind.SYMBOL, f"{_NAME}!{_NAME}"),
        _match(None, rf"(->)\s*({_NAME})(?!{_LETTER}|\s*\()", PartKind.OPERATOR, PartKind.MEMBER),
        _match(None, rf"(?<=[\w)\]`])(\.)({_NAME})", PartKind.PUNCTUATION, PartKind.MEMBER),
        _match(PartKind.TYPE, _whole(_any(TYPE_WORDS))),
        _match(PartKind.KEYWORD, _whole(_any(KEYWORDS))),
        _match(PartKind.BUILTIN, _whole(_any(row.name for row in BUILTINS))),
        _match(PartKind.BUILTIN, rf"{_whole(_any(ALIASES))}(?=\s*\()"),
        _match(PartKind.REGISTER, _whole(_any(row.name for row in REGISTERS))),
        _match(PartKind.NUMBER, _whole(r"[0-9a-fA-F`]+(?!\.)")),
        _match(PartKind.FUNCTION, rf"{_NAME}(?!{_LETTER})(?=\s*\()"),
        _match(PartKind.NAME, _NAME),
        _match(PartKind.NUMBER, rf"(?:\.[0-9]|[0-9]){_LETTER}*(?:\.{_LETTER}*)*"),
        _match(PartKind.GLOBAL, rf"\.{_NAME}"),
        _match(PartKind.REGISTER, f"@{_any(row.name for row in REGISTERS)}(?!{_LETTER})"),
        _match(PartKind.PSEUDO_REGISTER, rf"\${_any(row.name for row in PSEUDO_REGISTERS)}(?!{_LETTER})"),
        _match(PartKind.PSEUDO_REGISTER, r"\$arg[0-9]+"),
        _match(PartKind.ERROR, rf"[@$]{_LETTER}*"),
        _match(PartKind.OPERATOR, _OPERATORS),
        _match(PartKind.PUNCTUATION, r"[(){}\[\];,]"),
    ]


def _escaped_brace() -> Rule:
    return _match(PartKind.PUNCTUATION, r"\\[{}]")


# --- commands


def _begin(names: Iterable[str]) -> str:
    return rf"^[ \t]*(?!struct\b[^\n]*[{{;*])((?i:{_any(names)})){_ENDS_WORD}{_ASSIGNS}"


def _line(kind: PartKind, names: Iterable[str], patterns: Iterable[Rule]) -> Rule:
    """A command to the end of its line, or of the line on which its last block ends."""
    return {"begin": _begin(names), "beginCaptures": _captures([kind]), "end": "$", "patterns": list(patterns)}


def _script_line(names: list[str]) -> Rule:
    marks, words = [name for name in names if not name.isalpha()], [name for name in names if name.isalpha()]
    begin = rf"^[ \t]*(?i:({_any([*marks, *words])})){_ENDS_WORD}"
    patterns = [_to("block"), _to("script")]
    return {"begin": begin, "beginCaptures": _captures([PartKind.COMMAND]), "end": "$", "patterns": patterns}


def _command(names: list[str], row: CommandRow) -> Rule:
    return _line(PartKind.COMMAND, names, [_to("comments"), _to("block"), *_options(words_of(row.name)), _to("words")])


def _event(names: list[str], row: CommandRow) -> Rule:
    value = rf"(?!{_NUMBER_OF_COMMAND}{_ENDS_WORD})([A-Za-z][\w-]*)"
    return _line(
        PartKind.EVENT,
        names,
        [
            _to("comments"),
            _match(
                None,
                rf"{_BEGINS_WORD}((?i:script))\s*(\{{)\s*(file:)\s*([^}}]*?)\s*(\}})",
                *(PartKind.OPTION, PartKind.PUNCTUATION, PartKind.OPTION, PartKind.PATH, PartKind.PUNCTUATION),
            ),
            _block(2, PartKind.ASSEMBLY, r"((?i:asm))\s+((?i:condition|code))"),
            _block(1, PartKind.CODE, r"((?i:condition|code))"),
            _block(1, PartKind.WORD, r"((?i:output))", [_match(PartKind.PUNCTUATION, ",")]),
            {
                "begin": rf"{_BEGINS_WORD}((?i:{_any(BLOCK_OPTIONS)}))\s*(\{{)",
                "beginCaptures": _captures([PartKind.OPTION, PartKind.PUNCTUATION]),
                "end": r"\}",
                "endCaptures": {"0": {"name": _scope(PartKind.PUNCTUATION)}},
                "patterns": [_escaped_brace(), _to("block"), _to("script")],
            },
            _match(
                None,
                rf"{_BEGINS_WORD}((?i:{_any(SCALAR_OPTIONS)}))\s+{value}{_ENDS_WORD}",
                *(PartKind.OPTION, PartKind.CONSTANT),
            ),
            *_options(words_of(row.name)),
            *_options(choices_of(row.name), PartKind.CONSTANT),
            _to("words"),
        ],
    )  # fmt: skip


def _block(keywords: int, kind: PartKind, words: str, patterns: Iterable[Rule] = ()) -> Rule:
    """A block that holds no script, behind so many keywords."""
    return {
        "begin": rf"{_BEGINS_WORD}{words}\s*(\{{)",
        "beginCaptures": _captures([*[PartKind.OPTION] * keywords, PartKind.PUNCTUATION]),
        "end": r"\}",
        "endCaptures": {"0": {"name": _scope(PartKind.PUNCTUATION)}},
        "contentName": _scope(kind),
        "patterns": list(patterns),
    }


def _options(words: Iterable[str], kind: PartKind = PartKind.OPTION) -> list[Rule]:
    known = list(words)
    return [_match(kind, rf"{_BEGINS_WORD}(?i:{_any(known)}){_ENDS_WORD}")] if known else []


def _words() -> list[Rule]:
    """The words of all commands that mean nothing special."""
    return [
        _region(PartKind.STRING, '"', '"', [{"match": r"\\."}]),
        _match(PartKind.NUMBER, rf"{_BEGINS_WORD}{_NUMBER_OF_COMMAND}{_ENDS_WORD}"),
        _match(PartKind.SYMBOL, r'[^\s{}"]*![^\s{}"]*'),
        _match(PartKind.WORD, r'[^\s{}"]+'),
    ]
