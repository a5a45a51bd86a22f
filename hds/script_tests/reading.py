"""Script file -> its tests: blocks of `//` comments, and marks beside statements (docs/testing.md).

A block begins with `// test: NAME` and goes on as long as lines are `//` comments; each of them is a directive
`KEY: VALUE` (`hds.script_tests.directives`), empty, or a remark that begins with `#`. `//> TEXT` behind a statement is
a line of output, `//! CODE` a finding and `//! stop KIND` a run-time error on this line.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from hds.exit_codes import ExitCode
from hds.script_tests.cases import Case, Place, Sequence, Subcommand, TestFile
from hds.script_tests.directives import DIRECTIVES, Block, BlockError
from hds.script_tests.values import exact_item
from lang import Code, Diagnostics, SourceFile, Span, nearest_name
from lang.commands import begins_as_statement
from vm.facts.limits import Limits

_LINE = re.compile(r"(?P<margin>[ \t]*//)(?P<rest>[^\r\n]*)")
_DIRECTIVE = re.compile(r"(?P<blank>[ \t]*)(?P<key>[A-Za-z][A-Za-z-]*):[ \t]?(?P<value>.*)")
_TEST = re.compile(r"^[ \t]*//[ \t]*test:", re.MULTILINE)
# Texts and comments; the lexer does not see a comment behind a directive such as #define.
_COMMENT = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"?|/\*(?:.*?\*/|.*)|(?P<line>//[^\r\n]*)', re.DOTALL)
_MARKS = ("//>", "//!")
_MARK = re.compile(r"(?P<code>[EWRP][0-9]{3})(?:@(?P<column>[0-9]{1,6}))?")
_STOP = re.compile(r"stop\s+(?P<kind>\w+)\s*")


def has_tests(data: bytes) -> bool:
    """Whether a file has a test, or tries to, even in UTF-16: who reads it is told what is wrong with that."""
    text = data.decode("utf-16" if data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8", "replace")
    return _TEST.search(text) is not None


def read_tests(source: SourceFile, path: str, limits: Limits) -> TestFile:
    """The tests of a file; or what is wrong with their directives, of which all is reported."""
    found = Diagnostics(limits)
    blocks = list(_blocks(source, found))
    marks = _marks(source, found)
    usual = Subcommand.EVAL if begins_as_statement(source.text) else Subcommand.RUN
    cases = [block.case(usual) for block in blocks]
    cases = [_with_marks(case, marks) for case in cases]
    names: dict[str, Span] = {}
    for case in cases:
        if case.name and case.name in names:
            message = f"there is a test `{case.name}` already, in line {names[case.name].line}"
            found.add(Code.TEST_NAME, message, case.span, "tests are chosen and reported by their names")
        names.setdefault(case.name, case.span)
    errors = tuple(sorted(found, key=lambda item: item.span.start))
    return TestFile(path, source, () if errors else tuple(cases), errors)


# --- blocks


class _Directive(msgspec.Struct, frozen=True):
    key: str
    value: Span
    line: Span


def _blocks(source: SourceFile, found: Diagnostics) -> Iterator[Block]:
    """The blocks, with what their lines say."""
    block: Block | None = None
    for line in _lines(source):
        comment = _LINE.fullmatch(line.text)
        if comment is None:
            block = None
            continue
        directive = _directive(comment, line)
        if directive is not None and directive.key == "test":
            block = Block(source, directive.value, line, found)
            yield block
        elif comment[0].strip().startswith(_MARKS):
            continue
        elif block is not None:
            _say(block, comment, directive, line, found)
        elif directive is not None and directive.key in DIRECTIVES:
            message = f"`{directive.key}:` stands outside of a test"
            hint = "a test begins with `// test: NAME` and goes on as long as there are `//` lines, without a gap"
            found.add(Code.DIRECTIVE_OUTSIDE, message, line, hint)


def _lines(source: SourceFile) -> Iterator[Span]:
    """The lines of a file, without their ends."""
    at, last = 0, len(source.text)
    while at <= last:
        number, _ = source.position(at)
        start, end = source.line_range(number)
        yield Span(source, start, end)
        following = end + 1 + source.text.startswith("\r\n", end)
        at = max(following, at + 1)


def _directive(comment: re.Match[str], line: Span) -> _Directive | None:
    directive = _DIRECTIVE.fullmatch(comment["rest"])
    if directive is None:
        return None
    start = line.start + comment.start("rest") + directive.start("value")
    return _Directive(directive["key"], Span(line.file, start, line.end), line)


def _say(block: Block, comment: re.Match[str], directive: _Directive | None, line: Span, found: Diagnostics) -> None:
    """One line of a block."""
    rest = comment["rest"].strip()
    if not rest or rest.startswith("#"):
        return
    row = None if directive is None else DIRECTIVES.get(directive.key)
    if directive is None or row is None:
        near = None if directive is None else nearest_name(directive.key, ("test", *DIRECTIVES))
        message = "this line of a test is no directive" if directive is None else f"unknown directive `{directive.key}`"
        hint = f"did you mean `{near}:`?" if near else "a remark begins with `// #`; an empty line ends the test"
        found.add(Code.UNKNOWN_DIRECTIVE, message, line, hint)
        return
    try:
        row.read(block, directive.value, line)
    except BlockError as error:
        found.add(error.code, str(error), directive.value, error.hint)


# --- marks


class _Marks(msgspec.Struct, frozen=True):
    output: Sequence | None
    findings: tuple[Place, ...] | None
    faults: tuple[Place, ...]


def _marks(source: SourceFile, found: Diagnostics) -> _Marks:
    """What stands beside the statements."""
    found_comments = (match for match in _COMMENT.finditer(source.text) if match["line"])
    comments = [Span(source, *match.span()) for match in found_comments if match[0].startswith(_MARKS)]
    items = [
        exact_item(Span(source, min(each.start + 4, each.end), each.end)) for each in comments if each.text[2] == ">"
    ]
    findings: list[Place] = []
    faults: list[Place] = []
    for each in comments:
        if each.text[2] != "!":
            continue
        words = each.text[3:].split("//", 1)[0].strip()
        stop = _STOP.fullmatch(words)
        marks = [_MARK.fullmatch(word) for word in words.split()]
        if stop is not None:
            faults.append(Place(stop["kind"], each.line, None, each))
        elif not marks or None in marks:
            message = f"`{each.text[:60]}` is no mark"
            hint = "`//! E031 W010@5` names findings of this line, `//! stop KIND` a run-time error"
            found.add(Code.BAD_TEST_VALUE, message, each, hint)
        else:
            findings += [
                Place(mark["code"], each.line, int(mark["column"]) if mark["column"] else None, each)
                for mark in marks
                if mark is not None
            ]
    output = Sequence(tuple(items), (), items[0].span) if items else None
    return _Marks(output, tuple(findings) if findings else None, tuple(faults))


def _with_marks(case: Case, marks: _Marks) -> Case:
    """A test that says nothing of its own about output, findings or faults means the marks."""
    checks = case.subcommand is Subcommand.CHECK
    faults = case.faults if checks else case.faults or marks.faults
    usual = ExitCode.RUNTIME if faults and case.subcommand is Subcommand.EVAL else ExitCode.OK
    return replace(
        case,
        output=case.output if checks else case.output or marks.output,
        findings=case.findings if case.findings is not None else (marks.findings or (() if checks else None)),
        faults=faults,
        exit_code=case.exit_code if checks or case.exit_code is not None else int(usual),
    )
