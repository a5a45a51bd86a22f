"""THE tables of what other languages have and this one writes otherwise; `lang.mistakes` looks them up.

Values are hints: how it is written here. Nothing of it is reserved: all words may be names of variables, so that they
are looked up only where a text does not parse, or where a name that is read was never assigned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_FIRST_ASSIGNMENT = "the first assignment makes a variable: name = value;"
_TYPED = "a function has the type of its result in front: int name(int n) { ... }, or void"
_CHOICE = "use if / elsif / else"
_ENDLESS = "use while (1) { ... }, or do { ... } while (...);"
_BRACES = "a body stands in braces: { ... }"
_FAULTS = "a run-time error ends the script; check_address(...) tells whether an address can be read"
_LEAVE_OUT = "leave it out"
_FOR = "for (i = 0; i < 0n10; i++) { ... }"
_INCLUDE = 'use #include "file.hds"'
_PRINT = 'use printf("...\\n");'
_MEMORY = "variables need no allocation; an array is declared: int v[0n16];"
_STRUCT = "use a struct"


def _rows(words: str, hint: str) -> Iterator[tuple[str, str]]:
    return ((word, hint) for word in words.split())


# Words that begin a statement.
WORDS: Mapping[str, str] = dict(
    (
        *_rows("let var auto val local my dim", _FIRST_ASSIGNMENT),
        *_rows("global static", "a global begins with a dot: .name = value;"),
        *_rows("const constexpr final volatile extern register inline mut readonly", _LEAVE_OUT),
        *_rows("public private protected internal pub export async unsafe", _LEAVE_OUT),
        *_rows("def func fn fun function sub proc procedure lambda", _TYPED),
        *_rows("switch case default match when select", _CHOICE),
        *_rows("elif elseif elsef", "it is `elsif` here: elsif (...) { ... }"),
        *_rows("unless", "use if (!(...)) { ... }"),
        *_rows("until", "use while (!(...)) { ... }"),
        *_rows("repeat loop forever", _ENDLESS),
        *_rows("foreach forall", f"use {_FOR}"),
        *_rows("begin end then endif fi done endwhile endfor", _BRACES),
        *_rows("goto", "use a loop or a function"),
        *_rows("try catch except finally throw raise", _FAULTS),
        *_rows("import using require package module use from", _INCLUDE),
        *_rows("echo say puts write writeln display", _PRINT),
        *_rows("new delete del", _MEMORY),
        *_rows("union", "use a struct and casts of pointers"),
        *_rows("enum", "use numbers"),
        *_rows("class interface trait impl record type", f"{_STRUCT}: struct Name {{ int member; }};"),
        *_rows("namespace template operator", _LEAVE_OUT),
        *_rows("pass", "an empty body is `{ }`"),
        *_rows("mov add push pop lea cmp jmp inc dec", "registers are assigned: @rax = @rax + 1;"),
    )
)

# Names of types, by what they are called here.
TYPES: Mapping[str, str] = dict(
    (
        *_rows("byte BYTE Byte uint8 uint8_t u8 UINT8 UCHAR uchar", "unsigned char"),
        *_rows("sbyte int8 int8_t i8 INT8 CHAR", "char"),
        *_rows("word WORD ushort USHORT uint16 uint16_t u16 UINT16 wchar_t WCHAR", "unsigned short"),
        *_rows("int16 int16_t i16 INT16 SHORT", "short"),
        *_rows("dword DWORD uint UINT uint32 uint32_t u32 UINT32 DWORD32 ULONG ULONG32 ulong", "unsigned int"),
        *_rows("integer int32 int32_t i32 INT INT32 LONG LONG32", "int"),
        *_rows("qword QWORD uint64 uint64_t u64 UINT64 DWORD64 ULONG64 ULONGLONG", "unsigned long"),
        *_rows("size_t SIZE_T usize uintptr_t UINT_PTR ULONG_PTR DWORD_PTR", "unsigned long"),
        *_rows("int64 int64_t i64 INT64 LONG64 LONGLONG ssize_t SSIZE_T isize intptr_t INT_PTR LONG_PTR", "long"),
        *_rows("f32 FLOAT float32 single", "float"),
        *_rows("f64 DOUBLE float64 real", "double"),
        *_rows("boolean Boolean BOOL BOOLEAN _Bool", "bool"),
        *_rows("PVOID LPVOID HANDLE object any", "void *"),
        *_rows("PCHAR LPSTR LPCSTR PSTR", "char *"),
    )
)
TEXT_TYPES = frozenset(["string", "String", "str", "STRING", "text"])
TEXT_HINT = 'texts have no type of their own: a literal stands where it is used, as in printf("...")'

# Names that stand for a value.
CONSTANTS: Mapping[str, str] = {
    **dict.fromkeys(("true", "True", "TRUE"), "1"),
    **dict.fromkeys(("false", "False", "FALSE", "null", "Null", "NULL", "nullptr", "None", "nil", "undefined"), "0"),
}

# Operators that are words, and those whose signs are others.
WORD_OPERATORS: Mapping[str, str] = {
    "and": "&&", "AND": "&&", "or": "||", "OR": "||", "xor": "^", "XOR": "^", "is": "==", "ne": "!=",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "mod": "%", "MOD": "%", "div": "/", "shl": "<<", "shr": ">>",
    "band": "&", "bor": "|",
}  # fmt: skip
SIGNS: Mapping[str, str] = {
    "===": "`==`", "!==": "`!=`", "<>": "`!=`", "~=": "`!=`", "=<": "`<=`", "=>": "`>=`", ":=": "`=`", "=:": "`=`",
    "||=": "`x = x || y`", "&&=": "`x = x && y`", "**=": "a loop", ">>>": "`>>` of an unsigned value",
    "<=>": "comparisons", "::": "one name", "??": "if / else",
}  # fmt: skip

# Functions of other languages, by what does it here.
FUNCTIONS: Mapping[str, str] = dict(
    (
        *_rows("puts println print_r echo log fprintf sprintf snprintf write", 'printf("...\\n")'),
        *_rows("exit quit abort", "return;"),
        *_rows("sleep Sleep usleep delay", "microsleep(...)"),
        *_rows("len length size strlength", "strlen(...)"),
        *_rows("malloc calloc alloc free", "an array: int v[0n16];"),
        *_rows("read_byte byte_at readb u8", "db(...)"),
        *_rows("read_word readw u16", "dw(...)"),
        *_rows("read_dword readl u32 deref32", "dd(...)"),
        *_rows("read_qword readq u64 deref", "dq(...) or poi(...)"),
    )
)
