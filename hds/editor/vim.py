"""The syntax file of the language for Vim; its word lists are those of the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lang import KEYWORDS, TYPE_WORDS, PartKind
from lang.commands import is_script_command
from vm.facts.builtins import ALIASES, BUILTINS
from vm.facts.commands import COMMANDS
from vm.facts.events import BLOCK_OPTIONS, SCALAR_OPTIONS
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import REGISTERS

# The group of each kind, and Vim's group whose colour it has; the others have the colour of text.
GROUPS: Mapping[PartKind, tuple[str, str]] = {
    PartKind.COMMENT: ("hdsComment", "Comment"),
    PartKind.COMMAND: ("hdsCommand", "Statement"),
    PartKind.EVENT: ("hdsEvent", "PreProc"),
    PartKind.OPTION: ("hdsOption", "Label"),
    PartKind.KEYWORD: ("hdsKeyword", "Keyword"),
    PartKind.TYPE: ("hdsType", "Type"),
    PartKind.BUILTIN: ("hdsBuiltin", "Function"),
    PartKind.FUNCTION: ("hdsFunction", "Function"),
    PartKind.REGISTER: ("hdsRegister", "Special"),
    PartKind.PSEUDO_REGISTER: ("hdsPseudoRegister", "Special"),
    PartKind.GLOBAL: ("hdsGlobal", "Identifier"),
    PartKind.MEMBER: ("hdsMember", "Identifier"),
    PartKind.SYMBOL: ("hdsSymbol", "Constant"),
    PartKind.NUMBER: ("hdsNumber", "Number"),
    PartKind.STRING: ("hdsString", "String"),
    PartKind.ESCAPE: ("hdsEscape", "SpecialChar"),
    PartKind.OPERATOR: ("hdsOperator", "Operator"),
    PartKind.DIRECTIVE: ("hdsDirective", "Include"),
    PartKind.PATH: ("hdsPath", "String"),
    PartKind.CODE: ("hdsCode", "Number"),
    PartKind.ASSEMBLY: ("hdsAssembly", "Macro"),
    PartKind.ERROR: ("hdsError", "Error"),
}
_HEAD = """\
" Vim syntax file
" Language: HyperDbg script (.hds, .ds)
" Made by `python -m hds.cli.documentation --write docs`; do not edit.

if exists("b:current_syntax")
  finish
endif
syn case match
syn iskeyword @,48-57,_,`
syn sync fromstart
"""
_TAIL = """\
hi def link hdsPunctuation Delimiter
let b:current_syntax = "hds"
"""
_SCRIPT = (
    *(
        "hdsComment",
        "hdsDirective",
        "hdsString",
        "hdsError",
        "hdsSymbol",
        "hdsArrow",
        "hdsDot",
        "hdsType",
        "hdsKeyword",
    ),
    *(
        "hdsBuiltin",
        "hdsRegister",
        "hdsNumber",
        "hdsFunction",
        "hdsName",
        "hdsGlobal",
        "hdsPseudoRegister",
        "hdsOperator",
    ),
    *("hdsEscapedBrace", "hdsBlock"),
)


def vim_syntax() -> str:
    """The text of syntax/hds.vim."""
    return "\n".join((_HEAD, *_script(), "", *_commands(), "", *_links(), _TAIL))


def _any(words: Iterable[str]) -> str:
    """One of some words, in a pattern between semicolons; of two that begin alike the longer one."""
    escaped = (_escaped(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return r"\%(" + r"\|".join(escaped) + r"\)"


def _escaped(word: str) -> str:
    return "".join(f"\\{letter}" if letter in ".~*[]^$" else letter for letter in word)


def _match(group: str, pattern: str, more: str = "") -> str:
    return f"syn match {group} ;{pattern}; {more}".rstrip()


def _words(group: str, words: Iterable[str], more: str = "") -> str:
    return _match(group, rf"\<{_any(words)}\>", more)


def _script() -> Iterator[str]:
    """Of two that match at one place Vim takes the one that comes later."""
    name = "[A-Za-z_][A-Za-z0-9_`]*"
    yield _match("hdsName", rf"\<{name}")
    yield _match("hdsFunction", rf"\<{name}\ze\s*(")
    yield _match("hdsNumber", r"\<[0-9a-fA-F`]\+\>")
    yield _match("hdsNumber", r"\.\=\<[0-9][A-Za-z0-9_`]*\%(\.[A-Za-z0-9_`]*\)*")
    yield _words("hdsRegister", (row.name for row in REGISTERS))
    yield _match("hdsBuiltin", rf"\<{_any(ALIASES)}\>\ze\s*(")
    yield _words("hdsBuiltin", (row.name for row in BUILTINS))
    yield _words("hdsKeyword", KEYWORDS)
    yield _words("hdsType", TYPE_WORDS)
    yield _match("hdsSymbol", rf"\<{name}!{name}")
    yield _match("hdsOperator", r"[-+*/%&|^~!<>=.?:]")
    yield _match("hdsGlobal", rf"\.{name}")
    yield _match("hdsDot", r"[A-Za-z0-9_`)\]]\@1<=\.\ze[A-Za-z_]", "nextgroup=hdsMember")
    yield _match("hdsArrow", "->", "nextgroup=hdsMember skipwhite")
    yield _match("hdsMember", name, "contained")
    yield _match("hdsError", r"[@$][A-Za-z0-9_`]*")
    yield _match("hdsRegister", rf"@{_any(row.name for row in REGISTERS)}\>")
    yield _match("hdsPseudoRegister", rf"\${_any(row.name for row in PSEUDO_REGISTERS)}\>")
    yield _match("hdsPseudoRegister", r"\$arg[0-9]\+")
    yield _match("hdsError", r"'[^'\\]*\%(\\.[^'\\]*\)*'\=")
    yield r"syn match hdsEscape +\\\%(x\x*\|\o\{1,3}\|.\)+ contained"
    yield r'syn region hdsString start=;L\="; skip=;\\.; end=;"; contains=hdsEscape'
    yield _match("hdsComment", r"^\s*#\%(\s*include\>\)\@!.*")
    yield _match("hdsDirective", r"#\s*include\>", "nextgroup=hdsPath skipwhite")
    yield _match("hdsPath", '"[^"]*"', "contained")
    yield _match("hdsEscapedBrace", r"\\[{}]", "contained")
    yield f"syn cluster hdsScript contains={','.join(_SCRIPT)}"
    yield r"syn region hdsBlock matchgroup=hdsPunctuation start=;{; skip=;\\[{}]; end=;}; contains=@hdsScript"


def _commands() -> Iterator[str]:
    """Lines of commands; a block that goes on over several lines takes its command along."""
    events = [name for row in COMMANDS if row.is_event for name in (row.name, *row.aliases)]
    scripts = [name for row in COMMANDS if is_script_command(row) for name in (row.name, *row.aliases)]
    taken = {*events, *scripts, "struct"}  # a `struct` is more often one of a script
    others = [name for row in COMMANDS for name in (row.name, *row.aliases) if name not in taken]
    end = r"\ze\%([ \t{\"]\|$\)"
    assigns = r"\%(\s*\%([-+*/%&|^]\|<<\|>>\)\==[^=]\)\@!"
    option = "contained nextgroup="
    yield _match("hdsWord", r"[^ \t{}\"]\+", "contained")
    yield _match("hdsSymbol2", r"[^ \t{}\"]*![^ \t{}\"]*", "contained")
    yield _match("hdsNumber2", r"\c\%(0x\|\\x\|x\|0n\|\\n\|n\)\=[0-9a-f`]\+\%([^ \t{}\"]\)\@!", "contained")
    yield _words("hdsOption", SCALAR_OPTIONS, "contained")
    yield _words("hdsOption", ("script",), f"{option}hdsPath,hdsBlock skipwhite")
    yield _words("hdsOption", ("output",), f"{option}hdsNames skipwhite")
    yield _words("hdsOption", ("condition", "code"), f"{option}hdsCode skipwhite")
    yield _match("hdsOption", r"\<asm\s\+\%(condition\|code\)\>", f"{option}hdsAssembly skipwhite")
    for group in ("hdsCode", "hdsAssembly", "hdsNames"):
        yield f"syn region {group} matchgroup=hdsPunctuation start=;{{; end=;}}; contained"
    yield r"syn region hdsPath matchgroup=hdsOption start=;{\s*file:; end=;}; contained"
    words = "hdsWord,hdsSymbol2,hdsNumber2,hdsComment,hdsString,hdsBlock"
    yield _match("hdsComment", "//.*")
    yield r"syn region hdsComment start=;/\*; end=;\*/;"
    for group, names, inside, behind in (
        ("hdsCommand", others, words, assigns),
        ("hdsEvent", events, f"{words},hdsOption", ""),
        ("hdsCommand", scripts, "@hdsScript", ""),
    ):
        start = rf"^\s*\c{_any(names)}{end}{behind}"
        yield f"syn region {group}Line matchgroup={group} start=;{start}; end=;$; contains={inside}"
    assert set(BLOCK_OPTIONS) == {"script", "output", "condition", "code"}


def _links() -> Iterator[str]:
    for group, other in GROUPS.values():
        yield f"hi def link {group} {other}"
    yield "hi def link hdsSymbol2 hdsSymbol"
    yield "hi def link hdsNumber2 hdsNumber"
    yield "hi def link hdsDot hdsOperator"
    yield "hi def link hdsArrow hdsOperator"
