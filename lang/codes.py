"""THE table of diagnostic codes: errors E, warnings W, portability remarks P (language.md 17 and 18).

Codes are stable. `hds explain CODE` and docs/diagnostics.md are made from this table; `lang.diagnostics` renders what
the compiler finds with them. Errors of the command level (E2xx) stand in `lang.commands.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A code, its one-line meaning, and the long explanation of `hds explain`."""

    code: str
    title: str
    explanation: str = ""


@dataclass(frozen=True)
class Remark:
    """A portability remark: what hds does, and what HyperDbg v0.23 does.

    `kinds`: R rejects, X its compiler crashes, D computes something else, E stops with a run-time error, A accepts what
    is an error here. `seen`: s always seen in the source, p the form that may be affected is seen, n depends on
    run-time values and is not reported.
    """

    code: str
    construct: str
    v023: str
    kinds: str
    seen: str


ERRORS: tuple[Row, ...] = (
    Row("E001", "character that begins no token; back-tick in a name"),
    Row("E002", "block comment not closed (position of `/*`)"),
    Row("E003", "string not closed (position of the opening quote)"),
    Row("E004", "malformed integer: digit outside the base, suffix, upper-case prefix"),
    Row("E005", "integer does not fit in 64 bits"),
    Row("E006", "malformed floating-point number (exponent, suffix, prefix, two dots)"),
    Row("E007", "floating-point literal out of range"),
    Row("E008", "unknown escape sequence"),
    Row("E009", "unknown register after `@`"),
    Row("E010", "unknown pseudo-register after `$`"),
    Row("E011", "unknown symbol `module!name`"),
    Row("E012", "character constant `'x'` (write the number)"),
    Row("E013", "`$argN` without an argument"),
    Row("E020", "included file cannot be read"),
    Row("E021", "include cycle"),
    Row("E022", "`#include` not at the top level"),
    Row("E023", "malformed or unknown directive"),
    Row("E024", "includes nested too deeply"),
    Row("E030", "syntax error: names what was found and what was expected"),
    Row("E031", "a number where a name is needed (3.2); proposes a name"),
    Row("E032", "a keyword, built-in function or register where a name is needed"),
    Row("E033", "a body without braces"),
    Row("E034", "`break` outside a loop"),
    Row("E035", "`continue` outside a loop"),
    Row("E036", "function definition at a wrong place or without return type"),
    Row(
        "E037",
        "construct that the language does not have (`?:`, `switch`, `goto`, `union`, `enum`, `const`, prototypes, array typedefs)",
    ),
    Row("E038", "assignment, `++` or `--` used as a value; chained compound assignment"),
    Row("E039", "target is not a place"),
    Row("E040", "empty condition"),
    Row("E041", "`{` without `}` or the reverse"),
    Row("E042", "expression that is not a statement"),
    Row("E060", "unknown function"),
    Row("E061", "wrong number of arguments"),
    Row("E062", "second definition of a function"),
    Row("E063", "value of something that has none"),
    Row("E064", "`return e` in a `void` function"),
    Row("E065", "`return;` in a function with a result"),
    Row("E066", "`return e` in the main program"),
    Row("E067", "narrow string where a wide one is needed or the reverse"),
    Row("E069", "function name used as a variable"),
    Row("E070", "global declared with different types"),
    Row("E080", "type words that do not go together"),
    Row("E081", "unknown struct tag"),
    Row("E082", "second definition of a struct"),
    Row("E083", "duplicate member or parameter name"),
    Row("E084", "unknown member"),
    Row("E085", "`.` or `->` on something that is no struct or pointer to a struct"),
    Row("E086", "second typedef of a name"),
    Row("E087", "incomplete struct used by value"),
    Row("E088", "array size missing, not constant, or not positive"),
    Row("E089", "too many initialisers"),
    Row("E090", "`[ ]` on something that is no array or typed pointer"),
    Row("E091", "operands of these types cannot be combined"),
    Row("E092", "impossible cast"),
    Row("E093", "`&` on something without an address"),
    Row("E094", "`*` on a floating-point value"),
    Row("E095", "struct or array where a scalar is needed (also as parameter or result)"),
    Row("E096", "struct assigned from or to something else"),
    Row("E097", "`sizeof` of an incomplete type or `void`"),
    Row("E098", "`void` variable, member or parameter"),
    Row("E099", "`{ }` for a scalar, or a plain value for an array"),
    Row("E110", "`printf` format is not a narrow literal"),
    Row("E111", "number of `printf` arguments"),
    Row("E112", "kind of a `printf` argument"),
    Row("E120", "too many globals"),
    Row("E121", "source nested too deeply"),
)

WARNINGS: tuple[Row, ...] = (
    Row("W001", "local variable read before any assignment in the text; it is 0"),
    Row("W002", "global read that neither this script nor the session has assigned; it is 0"),
    Row("W003", "function with a result can reach its end"),
    Row("W004", "statement that can never be reached"),
    Row("W005", "inner braces of an initialiser do not fit the row or member they stand at"),
    Row("W006", "percent sign in a format that begins no specifier"),
    Row("W007", "the bits of a floating-point value are passed or printed"),
    Row("W008", "number prefix without digits"),
    Row("W009", "comparison that is always true or always false because of the types"),
    Row("W010", "constant zero divisor or impossible constant shift count"),
    Row("W011", "bare register name is written; `@` would make that visible"),
    Row("W012", "integer becomes a pointer without a cast"),
    Row("W013", "pointers of different types without a cast"),
    Row("W014", "constant does not fit the type it is assigned to"),
    Row("W015", "`==`/`!=` and an ordering without parentheses (C would group differently)"),
    Row("W016", "value of a variable passed where an address is meant (`&` missing?)"),
    Row("W017", "variable declared again with another type"),
    Row("W018", "64-bit value passed to a narrower parameter, not a constant that fits"),
    Row("W019", "condition is a constant, or is a hexadecimal word such as `a` that looks like a variable"),
)

PORTABILITY: tuple[Remark, ...] = (
    Remark("P001", "octal prefix `0t`", "knows only `0o`", "R", "s"),
    Remark("P002", "number beyond 64 bits is E005", "keeps the low 64 bits, silently", "A", "s"),
    Remark(
        "P003",
        "words of hexadecimal digits and `_` are names (`dead_beef`, `_a`, `a_b`)",
        "are numbers, `_` counting as a digit",
        "D R",
        "s",
    ),
    Remark("P004", "comment with an odd number of stars before `*/` (`/***/`)", "does not see the end", "R", "s"),
    Remark("P005", "CR, form feed, vertical tab as white space", "rejects them", "R", "s"),
    Remark("P006", "name directly followed by `!=`", "reads a symbol name", "R", "s"),
    Remark("P007", 'escapes other than `\\n \\t \\\\ \\" \\x`; hexadecimal digit after `\\xHH`', "rejects", "R", "s"),
    Remark("P008", "string literal as a value", "only as format and in string functions", "R", "s"),
    Remark("P009", "non-ASCII characters in wide literals become UTF-16", "one unit per UTF-8 byte", "D", "s"),
    Remark("P010", "floating-point literal with a leading zero before other digits (`010.5`)", "rejects", "R", "s"),
    Remark("P011", "`(` or `)` inside a string or comment in a condition", "loses count of the parentheses", "R", "s"),
    Remark("P012", "`main` as a name", "reserved; calling it recurses without end", "R", "s"),
    Remark("P013", "`ref(...)`, `enable_event(...)`, `disable_event(...)`", "unknown", "R", "s"),
    Remark("P014", "cast directly in front of a global or of `.5`: `(int).g`", "rejects; `(int)(.g)` works", "R", "s"),
    Remark("P015", "double literal too small for the `float` variable it initialises gives 0", "rejects", "R", "s"),
    Remark(
        "P020",
        "empty program, empty top-level block, text after a top-level block, block as first statement of a block",
        "rejects",
        "R",
        "s",
    ),
    Remark("P021", "empty statement, `;` after `}`", "rejects", "R", "s"),
    Remark("P022", "function used before its definition, mutual recursion", "rejects", "R", "s"),
    Remark("P023", "`return;` directly at the top level", "rejects (accepts it inside `if` and loops)", "R", "s"),
    Remark("P024", "`else if`", "rejects", "R", "s"),
    Remark(
        "P025",
        "empty condition or step of `for`; lists with commas; step or init on members, elements, `*p`, calls",
        "rejects",
        "R",
        "s",
    ),
    Remark(
        "P026",
        "`continue` in `while` and `do`",
        "rejects; inside a `for` it continues the outer `for`; directly in a `for` body its compiler crashes",
        "R D X",
        "s",
    ),
    Remark("P027", "`break`, `continue` outside loops: E034, E035", "crashes at the top level", "X", "s"),
    Remark("P028", "`++x`, `--x`", "rejects", "R", "s"),
    Remark("P029", "declaration without initialiser (scalars), several declarators", "rejects", "R", "s"),
    Remark("P030", "declaring again with another type makes a new variable", "same storage, new type", "D", "s"),
    Remark("P031", "reading a variable that was never assigned", "rejects; crashes for `x++`, `x += 1`", "R X", "s"),
    Remark(
        "P032", "multiple assignment converts at each step", "stores the unconverted value in every place", "D", "p"
    ),
    Remark(
        "P033",
        "`++`, `--` wrap to the type; work on floating point and struct members",
        "64-bit increment; bits; no effect",
        "D",
        "p",
    ),
    Remark("P034", "compound assignment with floating point", "works on the bits", "D", "s"),
    Remark(
        "P035",
        "`double` value assigned to an existing `float` variable or member by a plain literal",
        "stores the wrong bits",
        "D",
        "s",
    ),
    Remark(
        "P036",
        "`#include`: no `;`, bare statements in the file, relative to the including file, backslashes",
        "see section 14",
        "R D",
        "s",
    ),
    Remark("P037", "`void v = 1;`, `int @rax = 5;` are errors", "accepts", "A", "s"),
    Remark("P040", "comparisons, `&&`, `||` outside conditions", "rejects", "R", "s"),
    Remark("P041", "two unary operators in a row inside a condition", "rejects; parentheses help", "R", "s"),
    Remark(
        "P042", "`& ^ |` directly in arguments and indices inside a condition", "rejects; parentheses help", "R", "s"
    ),
    Remark(
        "P043",
        "`- ~ neg not` on, `++ -- op=` on, `! && ||` cast `sizeof` `&` of: hexadecimal literals that start with a letter, and parameters",
        "crashes or rejects",
        "X R",
        "s",
    ),
    Remark(
        "P044",
        "hexadecimal literals that start with a letter are I64",
        "have no type: `/ % >>` unsigned, comparisons signed, shift count modulo 64, no conversion when stored",
        "D",
        "p",
    ),
    Remark("P045", "such a literal or a parameter together with floating point", "rejects", "R", "s"),
    Remark(
        "P046", "parameters have their type, arguments are converted", "64 bits without a type, as in P044", "D", "p"
    ),
    Remark("P047", "results are converted to the return type", "not converted", "D", "p"),
    Remark("P048", "missing return value is 0", "value of an earlier call", "D", "s"),
    Remark("P049", "locals of a function start at 0", "contain what an earlier call left", "D", "p"),
    Remark("P050", "operands are read strictly left to right", "variables are read when the operator runs", "D", "p"),
    Remark("P051", "`-0.0` is false", "true in `if` and `while`", "D", "n"),
    Remark("P052", "any depth of right-nested `&&`, `||` and `sizeof`", "at most 16", "R", "s"),
    Remark(
        "P053",
        "floating-point arguments and results are values",
        "passes bits; `%f` and arithmetic on parameters fail",
        "D R E",
        "s",
    ),
    Remark("P054", '`wcscmp(number, L"...")` inside a condition', "rejects (the other order works)", "R", "s"),
    Remark(
        "P055",
        "comparisons with denormal doubles (below about 2.2e-308)",
        "a positive one counts as less than zero",
        "D",
        "n",
    ),
    Remark("P098", "parameters without type, `(void)`", "rejects", "R", "s"),
    Remark(
        "P060",
        "array sizes in base 16",
        "decimal, whatever the prefix; same only for one digit 1-9 and `0n..`",
        "D",
        "s",
    ),
    Remark("P061", "writing an element: `v[i] = e`, `v[i] += e`, member arrays", "run-time error", "E", "s"),
    Remark(
        "P062", "arrays without initialiser, with `{}`, with `[]`, in functions and blocks, global", "rejects", "R", "s"
    ),
    Remark("P063", "index outside the array stops", "reads or changes what is beside it", "D", "n"),
    Remark("P064", "one initialiser too many is an error", "accepts exactly one too many", "A", "s"),
    Remark(
        "P065",
        "arrays of `short`; `float` arrays from literals; `double` arrays from integers; integer arrays from floating point",
        "broken",
        "D E",
        "s",
    ),
    Remark("P066", "row of an array as a value (`v[1]` of `v[2][3]`)", "rejects", "R", "s"),
    Remark("P067", "`v[i]++` changes one element", "changes 64 bits", "D", "s"),
    Remark("P068", "`&v[i]` is the element's address", "address of a copy", "D", "s"),
    Remark("P069", "pointer parameters and results, `T **p`", "rejects", "R", "s"),
    Remark(
        "P070",
        "`*p` of a typed pointer has the pointee's size and sign; `*v = e` with an integer v writes 64 bits",
        "always reads 64 bits; writes the size of the variable v",
        "D",
        "p",
    ),
    Remark("P071", "`*(e) = v`, `*f(x) = v`", "only `*name = v`", "R", "s"),
    Remark("P072", "`*p = v` to a bad address stops", "is ignored", "D", "n"),
    Remark("P073", "indexing a pointer", "rejects", "R", "s"),
    Remark(
        "P074",
        "integer or other pointer type to a pointer without a cast; pointer to a typed integer",
        "rejects",
        "R",
        "s",
    ),
    Remark(
        "P075",
        "`&` of registers, pseudo-registers, literals is an error",
        "0, or an address inside the compiled code",
        "A",
        "s",
    ),
    Remark(
        "P076",
        "struct objects: initialised from a struct, pointer initialised with `&v`, nested initialisers, typedef names, typedef with body, `(*p).m`, element of an array of structs, pointer-to-struct parameters, global structs",
        "rejects",
        "R",
        "s",
    ),
    Remark("P077", "`float` members from literals, compound assignment on floating members", "wrong bits", "D", "s"),
    Remark("P078", "writing through two arrows: `p->q->m = e`", "writes elsewhere", "D", "s"),
    Remark("P079", "struct objects in functions", "overlap with temporaries", "D", "s"),
    Remark(
        "P081", "struct used as a number, struct assigned from a number: errors", "gives the address; ignores", "A", "s"
    ),
    Remark("P082", "array declared again with another size is a new array", "keeps the old one", "D", "s"),
    Remark(
        "P090",
        "`printf` flags, width, precision, `%X %e %g %lf %le %lg %lc`",
        "not specifiers: printed as text, or rejected with an argument",
        "R D",
        "s",
    ),
    Remark("P091", "`%%` prints one percent sign", "prints two; `%%d` is `%` and a specifier", "D R", "s"),
    Remark("P092", "wrong kind of `printf` argument is a compile error", "run-time error", "E", "s"),
    Remark(
        "P093",
        "`%ws` prints any character, any length",
        "`?` for non-ASCII; texts of 50, 100, ... units lose their last 50",
        "D",
        "n",
    ),
    Remark("P094", "message too long stops", "a `%s` that does not fit is left out", "D", "n"),
    Remark("P095", "`event_sc`, `event_inject_error_code`", "swallow the next operation", "D", "s"),
    Remark("P097", "`%s` on a text whose zero is the last readable byte", "run-time error", "E", "n"),
    Remark("P100", "`@iopl = n` writes two bits", "writes bits 0 and 4 of n", "D", "s"),
    Remark(
        "P102", "`memcmp`, `strcmp`, `strncmp` compare unsigned bytes", "signed bytes in the kernel build", "D", "n"
    ),
    Remark(
        "P103", "floating-point globals", "rejects the declaration; an untyped global takes the integer part", "R", "s"
    ),
    Remark(
        "P110",
        "no limit on temporaries, locals, loops, initialisers, nesting of calls in arguments; call depth 128",
        "256 stack slots (so about 40-60 nested calls of simple functions), 128 temporaries per function - each `print(` non-trivial `)`, `for` loop, value function used as a statement and call with a non-trivial argument uses one up for good -, 64 struct initialisers",
        "R E",
        "p",
    ),
    Remark("P111", "more than `max_globals` globals is E120", "overruns its table", "X", "s"),
    Remark("P112", "a global has one type in the session (E070)", "the last declaration changes the type", "A D", "s"),
)

# Warnings that are given only when they are asked for.
OPTIONAL: tuple[str, ...] = ("W020",)
