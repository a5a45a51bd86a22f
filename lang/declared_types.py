"""Types that a text declares without being a script: structs and typedefs, for commands that show memory.

Unlike in a script, a tag may be mentioned before it is defined, members may lie where C would not lay them, and a
definition takes the place of one that is known already.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lang import syntax as s
from lang.assignments import Assignments
from lang.checking import Context
from lang.code import Code
from lang.declarations import Declarations
from lang.diagnostics import Diagnostic, Diagnostics, Severity
from lang.expressions import Expressions
from lang.names import ScriptNames, SessionNames
from lang.parser import parse
from lang.references import NoReferences
from lang.source import SourceFile
from lang.symbols import SymbolTable
from lang.types import Struct, Type
from vm.facts.limits import Limits


class Placed(msgspec.Struct, frozen=True):
    """Where the members of a struct lie, in bytes, and its size, if that does not follow from the last one."""

    offsets: tuple[int, ...]
    size: int | None = None


def types_of(
    source: SourceFile, limits: Limits, known: Mapping[str, Struct], placed: Mapping[str, Placed]
) -> tuple[dict[str, Type], list[Diagnostic]]:
    """What tags and typedef names of a text mean, where structs with the `known` tags are there already.

    With the errors: a text that has some is not to be used.
    """
    diagnostics = Diagnostics(limits)
    tree = parse(source, diagnostics, limits=limits)
    found = {} if tree is None else _resolve(tree, limits, diagnostics, known, placed)
    return found, [item for item in diagnostics if item.severity is Severity.ERROR]


def _resolve(
    tree: s.Program, limits: Limits, diagnostics: Diagnostics, known: Mapping[str, Struct], placed: Mapping[str, Placed]
) -> dict[str, Type]:
    names = ScriptNames(SessionNames())
    context = Context(names, SymbolTable(), diagnostics, limits, NoReferences())
    expressions = Expressions(context)
    declarations = Declarations(context, expressions, Assignments(context, expressions))
    structs = [node for node in s.walk(tree) if isinstance(node, s.StructType) and node.tag]
    defined = {node.tag for node in structs if node.members is not None}
    names.tags.update({tag: kind for tag, kind in known.items() if tag not in defined})
    mentioned = {node.tag: Struct(node.tag) for node in structs if node.tag not in names.tags}
    names.tags.update(mentioned)
    for item in tree.items:
        match item:
            case s.Typedef():
                declarations.typedef(item)
            case s.Declaration(type=s.StructType() as struct, declarators=()):
                if struct.members is not None:
                    _place(expressions.resolver.struct(struct), placed, context, struct)
            case s.Empty():
                pass
            case _:
                context.report(Code.SYNTAX, "only structs and typedefs are declared here", item.span)
    return {**names.typedefs, **{tag: names.tags[tag] for tag in mentioned}}


def _place(struct: Struct, placed: Mapping[str, Placed], context: Context, node: s.StructType) -> None:
    where = placed.get(struct.tag)
    if where is None or struct.members is None:
        return
    if len(where.offsets) != len(struct.members):
        context.report(Code.SYNTAX, f"every offset of `{struct}` has one member", node.span)
        return
    ends = [member.type.size + offset for member, offset in zip(struct.members, where.offsets, strict=True)]
    size = -(-max(1, *ends) // struct.alignment) * struct.alignment
    struct.place(where.offsets, size if where.size is None else where.size)
