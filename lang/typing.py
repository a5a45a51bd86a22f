"""Type syntax -> types: type words, tags, typedef names, declarators (language.md 4.1, 7.3, 9.1, 9.4, 9.6)."""

from __future__ import annotations

from collections.abc import Callable

from lang import syntax as s
from lang.checking import Context
from lang.code import Code
from lang.diagnostics import too_deep
from lang.nearest import nearest_hint
from lang.references import DefinitionKind
from lang.source import Span
from lang.types import I32, U64, VOID, Array, Pointer, Struct, Type, from_words, is_complete

MAX_OBJECT = 1 << 31  # bytes; the form of programs counts frames in 32 bits


class TypeResolver:
    """Resolves types against the tags and typedef names seen so far. `constant` evaluates an array size."""

    def __init__(self, context: Context, constant: Callable[[s.Expression], int | None]) -> None:
        self.context = context
        self.names = context.names
        self.report = context.report
        self.constant = constant

    def base(self, kind: s.TypeSyntax) -> Type:
        """The type without a declarator."""
        match kind:
            case s.WordType():
                found = from_words(list(kind.words))
                if found is None:
                    shown = " ".join(kind.words)
                    hint = "`double` has 8 bytes" if "double" in kind.words else None
                    self.report(Code.BAD_TYPE, f"`{shown}` is no type", kind.span, hint)
                return found or I32
            case s.NamedType():
                named = self.names.typedefs.get(kind.name)
                self.context.references.mention(kind.span, DefinitionKind.TYPEDEF, kind.name)
                if named is None:
                    self.report(Code.BAD_TYPE, f"the typedef of `{kind.name}` comes later", kind.span)
                return named or I32
            case _:
                return self.struct(kind)

    def struct(self, kind: s.StructType) -> Struct:
        """A tag, announced, defined or mentioned."""
        if kind.members is None:
            return self.tagged(kind)
        known = self.names.tags.get(kind.tag) if kind.tag else None
        made = self.names.made.get(id(kind))
        if known is not None and known.members is not None and known is not made:
            self.report(Code.STRUCT_AGAIN, f"`struct {kind.tag}` is defined already", kind.tag_span or kind.span)
            return known
        struct = made or (known if known is not None and known.members is None else Struct(kind.tag or "(unnamed)"))
        self.names.made[id(kind)] = struct
        if kind.tag:
            self.names.tags[kind.tag] = struct
            self.context.references.define(kind.tag_span or kind.span, DefinitionKind.STRUCT, kind.tag, struct)
        members = self.members(kind.members, struct)
        if struct.members is None:
            struct.complete(members)
        if struct.size > MAX_OBJECT:
            self.report(Code.BAD_ARRAY_SIZE, f"the struct has more than {MAX_OBJECT} bytes", kind.tag_span or kind.span)
        return struct

    def tagged(self, kind: s.StructType) -> Struct:
        """`struct Tag` without members."""
        found = self.names.tags.get(kind.tag)
        if found is None:
            hint = nearest_hint(kind.tag, self.names.tags)
            self.report(Code.UNKNOWN_TAG, f"there is no `struct {kind.tag}`", kind.tag_span or kind.span, hint)
            return Struct(kind.tag, (), 1)
        self.context.references.mention(kind.tag_span or kind.span, DefinitionKind.STRUCT, kind.tag, found)
        return found

    def announce(self, kind: s.StructType) -> None:
        """`struct Tag;` as a statement."""
        struct = self.names.tags.setdefault(kind.tag, Struct(kind.tag))
        self.context.references.mention(kind.tag_span or kind.span, DefinitionKind.STRUCT, kind.tag, struct)

    def members(self, lines: tuple[s.MemberLine, ...], struct: Struct) -> list[tuple[str, Type]]:
        """Names and types of the members; `struct` itself is incomplete while they are read, unless read before."""
        found: dict[str, Type] = {}
        for line in lines:
            base = self.base(line.type)
            for declarator in line.declarators:
                kind = self.declared(base, declarator)
                if declarator.is_global:
                    self.report(Code.SYNTAX, "a member has no dot", declarator.name_span)
                if declarator.initialiser is not None:
                    self.report(Code.SYNTAX, "a member has no initialiser", declarator.initialiser.span)
                if declarator.name in found:
                    self.report(Code.NAME_AGAIN, f"there is a member `{declarator.name}` already", declarator.name_span)
                if kind is struct or (isinstance(kind, Array) and kind.base is struct):
                    self.report(Code.INCOMPLETE_TYPE, f"`{struct}` contains itself", declarator.span, "use a pointer")
                    kind = I32
                kind = self.object_type(kind, declarator)
                self.context.references.define(
                    declarator.name_span, DefinitionKind.MEMBER, declarator.name, struct, kind
                )
                found[declarator.name] = I32 if self.is_too_deep(kind.depth + 1, declarator.span) else kind
        return list(found.items())

    def declared(self, base: Type, declarator: s.Declarator, count: int | None = None) -> Type:
        """The type of a declarator; `count` is the number of elements for an empty first `[]`."""
        kind = self.pointers(base, declarator.stars, declarator.span)
        if self.is_too_deep(kind.depth + len(declarator.sizes), declarator.span):
            return kind
        for position, size in reversed(list(enumerate(declarator.sizes))):
            kind = Array(kind, self.size(declarator, size, position, count))
            if kind.size > MAX_OBJECT:
                self.report(Code.BAD_ARRAY_SIZE, f"the array has more than {MAX_OBJECT} bytes", declarator.span)
                kind = Array(I32, 1)
        return kind

    def size(self, declarator: s.Declarator, size: s.Expression | None, position: int, count: int | None) -> int:
        """One array size, at least 1; E088 otherwise."""
        if size is None:
            if position == 0 and count is not None:
                return max(1, count)
            hint = "only the first size may be missing, in front of an initialiser list"
            self.report(Code.BAD_ARRAY_SIZE, "the array size is missing", declarator.span, hint)
            return 1
        value = self.constant(size)
        if value is None:
            self.report(Code.BAD_ARRAY_SIZE, "an array size is a constant integer", size.span)
        elif value < 1:
            self.report(Code.BAD_ARRAY_SIZE, "an array has at least one element", size.span)
        return max(1, value or 1)

    def object_type(self, kind: Type, declarator: s.Declarator) -> Type:
        """The type of an object that can exist: E098 for void, E087 for an incomplete struct."""
        base = kind.base if isinstance(kind, Array) else kind
        if base is VOID:
            self.report(Code.VOID_OBJECT, f"`{declarator.name}` cannot have type void", declarator.name_span)
            return U64
        if not is_complete(kind):
            self.report(Code.INCOMPLETE_TYPE, f"`{base}` is incomplete", declarator.name_span, "define it before")
            return U64
        return kind

    def type_name(self, name: s.TypeName) -> Type:
        """The type in a cast or sizeof."""
        return self.pointers(self.base(name.type), name.stars, name.span)

    def pointers(self, kind: Type, stars: int, span: Span) -> Type:
        """`kind *...*`; the type itself where that is nested too deeply (E121)."""
        if not self.is_too_deep(kind.depth + stars, span):
            for _ in range(stars):
                kind = Pointer(kind)
        return kind

    def is_too_deep(self, depth: int, span: Span) -> bool:
        """Whether a type is made of more types than max_nesting allows (E121): every use of it would go as deep."""
        if depth > self.context.limits.max_nesting:
            too_deep(self.context.diagnostics, span, self.context.limits)
        return depth > self.context.limits.max_nesting
