"""Syntax tree -> text, in the one canonical layout of `hds fmt`.

Statements stand on lines of their own, bodies are indented by four blanks, operators stand between blanks. Long calls
and lists of values go on, indented, on further lines; at most one blank line is kept between statements. Comments stay:
behind a statement if they stood on its line, else on lines of their own. A statement with a comment inside it stays as
it was written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lang import syntax as s
from lang.source import Span
from vm import late_pattern

INDENT = "    "
WIDTH = 100  # characters of a line, beyond which the arguments of a call or the values of a list are broken up
_BLANK_LINE = late_pattern(r"(?:\r\n?|\n)[ \t\f\v]*(?:\r\n?|\n)")
_LINE_END = late_pattern(r"\r\n?|\n")


class Line(msgspec.Struct, frozen=True):
    """A line of output. `text` may hold line ends (of strings and comments), behind which nothing is indented."""

    level: int
    text: str

    def __str__(self) -> str:
        return INDENT * self.level + self.text if self.text else ""


def print_program(program: s.Program, comments: Sequence[Span] = (), width: int | None = WIDTH) -> list[Line]:
    """The lines of a script; `comments` are those of its text, in order. Without a width no line is broken up."""
    printer = _Printer(comments, width)
    printer.units(program.items, None)
    lines = printer.lines
    if program.question:
        first = lines[0].text if lines else ""
        lines[:1] = [Line(0, f"? {first}".rstrip())]
    return lines


# --- statements -------------------------------------------------------------------------------------------------------


Unit = s.Statement | s.MemberLine


class _Printer:
    """Emits statements in order, and each comment before what follows it."""

    def __init__(self, comments: Sequence[Span], width: int | None) -> None:
        self.comments = comments
        self.width = width
        self.next_comment = 0
        self.lines: list[Line] = []
        self.level = 0
        self.last: Span | None = None  # what was emitted last in this block, to know about blank lines

    def emit(self, text: str) -> None:
        self.lines.append(Line(self.level, text))

    def units(self, items: Sequence[Unit], end: int | None) -> None:
        """The statements of a block, and the comments up to its `end` (None: all that are left)."""
        self.last = None
        for item in items:
            self.comments_before(_header_end(item))
            self.separate(item.span)
            self.unit(item)
            self.trailing_comments(item.span)
            self.last = item.span
        self.comments_before(end)

    def separate(self, span: Span) -> None:
        """Keep one of the blank lines before a statement or comment."""
        last = self.last
        if last is not None and last.file is span.file and _BLANK_LINE.search(span.file.text, last.end, span.start):
            self.lines.append(Line(0, ""))

    def comments_before(self, end: int | None) -> None:
        """The comments that begin before `end`, on lines of their own."""
        while self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            if end is not None and comment.start >= end:
                return
            self.separate(comment)
            self.emit(_comment_text(comment, self.level))
            self.last = comment
            self.next_comment += 1

    def trailing_comments(self, span: Span) -> None:
        """The comments that stand behind a statement on its last line."""
        at = span.end
        while self.next_comment < len(self.comments):
            comment = self.comments[self.next_comment]
            between = span.file.text[at : comment.start]
            if comment.start < at or between.strip() or _LINE_END.search(between):
                return
            line = self.lines[-1]
            self.lines[-1] = Line(line.level, f"{line.text} {_comment_text(comment, self.level)}")
            self.next_comment += 1
            at = comment.end

    def has_comment(self, span: Span) -> bool:
        """Whether the next comment stands inside a statement."""
        return self.next_comment < len(self.comments) and self.comments[self.next_comment].start < span.end

    def block(self, header: str, block: s.Block, footer: str = "}") -> None:
        """`header {`, the statements, and `footer`, which begins with the closing brace."""
        self.body(header, block.statements, block.span.end, footer)

    def body(self, header: str, items: Sequence[Unit], end: int, footer: str) -> None:
        opening = f"{header} {{".lstrip()
        pending = self.next_comment < len(self.comments) and self.comments[self.next_comment].start < end
        if not items and not pending:
            self.emit(f"{opening} {footer}")
            return
        self.emit(opening)
        self.level += 1
        self.units(items, end)
        self.level -= 1
        self.emit(footer)

    def unit(self, item: Unit) -> None:
        """One statement, or a line of a struct."""
        match item:
            case s.Block():
                self.block("", item)
            case s.If():
                self.if_statement(item)
            case s.While():
                self.block(f"while ({_optional(item.condition)})", item.body)
            case s.DoWhile():
                self.block("do", item.body, f"}} while ({_optional(item.condition)});")
            case s.For():
                self.block(f"for ({_for_header(item)})", item.body)
            case s.FunctionDefinition():
                self.block(function_header(item), item.body)
            case s.Declaration() | s.Typedef() if isinstance(item.type, s.StructType) and item.type.members:
                self.struct(item, item.type)
            case _:
                self.simple(item)

    def simple(self, item: Unit) -> None:
        if self.has_comment(item.span):
            self.emit("\n".join(_LINE_END.split(item.span.text)))
            while self.has_comment(item.span):
                self.next_comment += 1
        elif self.width is not None and len(INDENT) * self.level + len(statement_text(item)) > self.width:
            self.lines += _broken_up(item, self.level, self.width)
        else:
            self.emit(statement_text(item))

    def if_statement(self, item: s.If) -> None:
        closing = ""
        for branch in item.branches:
            self.body_without_footer(f"{closing}{branch.word} ({_optional(branch.condition)})", branch.body)
            closing = "} "
        if item.otherwise is not None:
            self.body_without_footer("} else", item.otherwise)
        self.emit("}")

    def body_without_footer(self, header: str, block: s.Block) -> None:
        self.emit(f"{header} {{")
        self.level += 1
        self.units(block.statements, block.span.end)
        self.level -= 1

    def struct(self, item: s.Declaration | s.Typedef, kind: s.StructType) -> None:
        """A struct with its members, each on a line."""
        assert kind.members is not None
        declarators = ", ".join(declarator_text(declarator) for declarator in item.declarators)
        footer = f"}} {declarators};" if declarators else "};"
        word = "typedef struct" if isinstance(item, s.Typedef) else "struct"
        self.body(f"{word} {kind.tag}".rstrip(), kind.members, kind.span.end, footer)


def _header_end(item: Unit) -> int:
    """Comments before this offset cannot stay inside the statement: they come before it."""
    match item:
        case s.If():
            return item.branches[0].body.span.start
        case s.While() | s.For() | s.FunctionDefinition():
            return item.body.span.start
    return item.span.start


def _comment_text(comment: Span, level: int) -> str:
    """A comment without blanks at the ends of its lines; lines that begin with a star stand below the first one."""
    first, *rest = (line.rstrip() for line in _LINE_END.split(comment.text))
    lines = [first]
    for line in rest:
        stripped = line.lstrip()
        lines.append(f"{INDENT * level} {stripped}" if stripped.startswith("*") else line)
    return "\n".join(lines)


def _broken_up(item: Unit, level: int, width: int) -> list[Line]:
    """A long statement on several lines, if it is a call or a declaration with a list; else on one."""
    if isinstance(item, s.Simple) and isinstance(item.expression, s.Call) and item.expression.arguments:
        call = item.expression
        return _filled(f"{call.name}(", [expression_text(part) for part in call.arguments], ");", level, width)
    if isinstance(item, s.Declaration) and len(item.declarators) == 1:
        values = item.declarators[0].initialiser
        if isinstance(values, s.InitialiserList) and values.items:
            parts = [_initialiser_text(part) for part in values.items]
            text = statement_text(item)
            return _filled(text[: -len("{" + ", ".join(parts) + "};")] + "{", parts, "};", level, width)
    return [Line(level, statement_text(item))]


def _filled(head: str, parts: list[str], tail: str, level: int, width: int) -> list[Line]:
    """`head`, the parts with commas between them, and `tail`, in as few lines as possible."""
    lines = [Line(level, head + parts[0])]
    for number, part in enumerate(parts[1:], 2):
        last = lines[-1]
        room = width - len(INDENT) * last.level - (len(tail) if number == len(parts) else 1)
        if len(last.text) + len(part) + 2 <= room:
            lines[-1] = Line(last.level, f"{last.text}, {part}")
        else:
            lines[-1] = Line(last.level, f"{last.text},")
            lines.append(Line(level + 1, part))
    lines[-1] = Line(lines[-1].level, lines[-1].text + tail)
    return lines


def statement_text(item: Unit) -> str:
    """A statement that has no body, with its semicolon."""
    match item:
        case s.Simple():
            return f"{expression_text(item.expression)};"
        case s.Declaration() | s.MemberLine():
            return f"{_declaration_text(item.type, item.declarators)};"
        case s.Typedef():
            return f"typedef {_declaration_text(item.type, item.declarators)};"
        case s.Return():
            return "return;" if item.value is None else f"return {expression_text(item.value)};"
        case s.Break():
            return "break;"
        case s.Continue():
            return "continue;"
        case s.Include():
            return f'#include "{item.path}"' + (";" if item.semicolon else "")
    return ";"


def function_header(item: s.FunctionDefinition) -> str:
    """Everything of a function before its body."""
    parameters = "void" if item.explicit_void else ", ".join(_parameter_text(part) for part in item.parameters)
    return f"{type_text(item.type)} {'*' * item.stars}{item.name}({parameters})"


def _parameter_text(parameter: s.Parameter) -> str:
    declarator = declarator_text(parameter.declarator)
    return declarator if parameter.type is None else f"{type_text(parameter.type)} {declarator}"


def _for_header(item: s.For) -> str:
    if isinstance(item.init, s.Declaration):
        init = _declaration_text(item.init.type, item.init.declarators)
    else:
        init = ", ".join(expression_text(part) for part in item.init)
    condition = f" {expression_text(item.condition)}" if item.condition is not None else ""
    step = ", ".join(expression_text(part) for part in item.step)
    return f"{init};{condition};{' ' + step if step else ''}"


def _optional(node: s.Expression | None) -> str:
    return "" if node is None else expression_text(node)


# --- declarations and types -------------------------------------------------------------------------------------------


def _declaration_text(kind: s.TypeSyntax, declarators: Sequence[s.Declarator]) -> str:
    shown = ", ".join(declarator_text(declarator) for declarator in declarators)
    return f"{type_text(kind)} {shown}".rstrip()


def declarator_text(declarator: s.Declarator) -> str:
    """Stars, name, sizes and initialiser."""
    name = ("." if declarator.is_global else "") + declarator.name
    sizes = "".join(f"[{_optional(size)}]" for size in declarator.sizes)
    text = "*" * declarator.stars + name + sizes
    for target in declarator.chain:
        text += f" = {expression_text(target)}"
    if declarator.initialiser is not None:
        text += f" = {_initialiser_text(declarator.initialiser)}"
    return text


def _initialiser_text(item: s.Expression | s.InitialiserList) -> str:
    if isinstance(item, s.InitialiserList):
        return "{" + ", ".join(_initialiser_text(part) for part in item.items) + "}"
    return expression_text(item)


def type_text(kind: s.TypeSyntax) -> str:
    """A type on one line."""
    match kind:
        case s.WordType():
            return " ".join(kind.words)
        case s.NamedType():
            return kind.name
    text = f"struct {kind.tag}".rstrip()
    if kind.members is not None:
        members = " ".join(statement_text(line) for line in kind.members)
        text += f" {{ {members} }}" if members else " { }"
    return text


def _type_name_text(name: s.TypeName) -> str:
    return type_text(name.type) + (" " + "*" * name.stars if name.stars else "")


# --- expressions ------------------------------------------------------------------------------------------------------


def expression_text(node: s.Expression) -> str:
    """An expression on one line, parenthesised as it was written."""
    match node:
        case s.Number() | s.FloatNumber() | s.String():
            return node.text
        case s.SymbolName() | s.Name():
            return node.name
        case s.RegisterName():
            return node.name if node.bare else f"@{node.name}"
        case s.PseudoName():
            return f"${node.name}"
        case s.GlobalName():
            return f".{node.name}"
        case s.Paren():
            return f"({expression_text(node.inner)})"
        case s.Unary():
            operand = expression_text(node.operand)
            # `- -5`, `& &x`: two equal signs without a blank would be another token.
            return node.operator + (" " if operand[0] == node.operator and operand[0] in "+-&" else "") + operand
        case s.Cast():
            return f"({_type_name_text(node.type)}){expression_text(node.operand)}"
        case s.Sizeof():
            return _sizeof_text(node)
        case s.Binary():
            return _binary_text(node)
        case s.Call():
            return f"{node.name}({', '.join(expression_text(argument) for argument in node.arguments)})"
        case s.Index():
            return f"{expression_text(node.base)}[{expression_text(node.index)}]"
        case s.Member():
            return f"{expression_text(node.base)}{'->' if node.arrow else '.'}{node.name}"
        case s.Assign():
            targets = " = ".join(expression_text(target) for target in node.targets)
            return f"{targets} {node.operator} {expression_text(node.value)}"
        case s.Step():
            target = expression_text(node.target)
            return node.operator + target if node.prefix else target + node.operator
    raise AssertionError(f"no such expression: {type(node).__name__}")


def _sizeof_text(node: s.Sizeof) -> str:
    if isinstance(node.operand, s.TypeName):
        return f"sizeof({_type_name_text(node.operand)})"
    operand = expression_text(node.operand)
    return f"sizeof{operand}" if isinstance(node.operand, s.Paren) else f"sizeof {operand}"


def _binary_text(node: s.Binary) -> str:
    """A chain that leans to the left in a loop: it may have thousands of operators."""
    parts: list[str] = []
    left: s.Expression = node
    while isinstance(left, s.Binary):
        parts.append(f"{left.operator} {expression_text(left.right)}")
        left = left.left
    return " ".join([expression_text(left), *reversed(parts)])
