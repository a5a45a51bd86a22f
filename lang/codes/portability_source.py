"""Portability remarks on text, tokens, programs and statements: P001 to P037."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Remark

SOURCE_REMARKS: tuple[Remark, ...] = (
    Remark(
        Code.V023_OCTAL,
        "octal prefix `0t`",
        "`0t` marks an octal number here, and so does `0o`. HyperDbg v0.23 knows only `0o` and rejects the "
        "other; write that.",
        bad="print(0t17);",
        good="print(0o17);",
        v023="knows only `0o`",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_LARGE_INTEGER,
        "number beyond 64 bits is E005",
        "A number that does not fit in 64 bits is an error here. HyperDbg v0.23 keeps its low 64 bits and "
        "says nothing; write the digits that are meant.",
        bad="print(11112222333344445);",
        good="print(1111222233334444);",
        v023="keeps the low 64 bits, silently",
        kinds="A",
        seen="s",
    ),
    Remark(
        Code.V023_HEX_WORD,
        "words of hexadecimal digits and `_` are names (`dead_beef`, `_a`, `a_b`)",
        "A word of hexadecimal digits and `_` is a name here. For HyperDbg v0.23 it is a number with `_` as "
        "a digit, so that it rejects an assignment to it and reads another value. Use a name that has a "
        "letter behind f.",
        bad="dead_beef = 3; print(dead_beef);",
        good="dead_count = 3; print(dead_count);",
        v023="are numbers, `_` counting as a digit",
        kinds="D R",
        seen="s",
    ),
    Remark(
        Code.V023_STARS,
        "comment with an odd number of stars before `*/` (`/***/`)",
        "A comment ends at the first `*/`. HyperDbg v0.23 does not see that end where an odd number of "
        "stars stands before the slash, and rejects the script. Write an even number, or a blank.",
        bad="print(1); /***/ print(2);",
        good="print(1); /* */ print(2);",
        v023="does not see the end",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_WHITE_SPACE,
        "CR, form feed, vertical tab as white space",
        "Carriage return, form feed and vertical tab are white space here. HyperDbg v0.23 rejects a script "
        "that holds one; save the file with line feeds only.",
        bad="print(1);\r\nprint(2);",
        good="print(1);\nprint(2);",
        v023="rejects them",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_SYMBOL,
        "name directly followed by `!=`",
        "`x!=5` compares here. HyperDbg v0.23 reads `x!` as the beginning of a symbol `module!name` and "
        "rejects the script; put a blank before the `!=`.",
        bad="x = 4; if (x!=5) { print(1); }",
        good="x = 4; if (x != 5) { print(1); }",
        v023="reads a symbol name",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_ESCAPE,
        'escapes other than `\\n \\t \\\\ \\" \\x`; hexadecimal digit after `\\xHH`',
        "Strings have all escapes of C here, and `\\x` takes two digits at most. HyperDbg v0.23 knows `\\n`, "
        '`\\t`, `\\\\`, `\\"` and `\\x` only and rejects the others; write the character with `\\x` and its two '
        "digits.",
        bad='printf("a\\rz\\n");',
        good='printf("a\\x0dz\\n");',
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_STRING,
        "string literal as a value",
        "A string literal may stand wherever its address is useful. HyperDbg v0.23 takes literals as the "
        "format of `printf` and in string functions only, and rejects the script; put the text into the "
        "format.",
        bad='printf("%s\\n", "abc");',
        good='printf("abc\\n");',
        v023="only as format and in string functions",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_WIDE,
        "non-ASCII characters in wide literals become UTF-16",
        "Every character of a wide literal becomes its UTF-16 units. HyperDbg v0.23 makes one unit of every "
        "byte of the UTF-8 text, so that lengths and comparisons differ; keep wide literals to ASCII.",
        bad='print(wcslen(L"é"));',
        good='print(wcslen(L"e"));',
        v023="one unit per UTF-8 byte",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_LEADING_ZERO,
        "floating-point literal with a leading zero before other digits (`010.5`)",
        "A floating-point literal may have zeros in front. HyperDbg v0.23 rejects a zero before other "
        "digits; leave it out.",
        bad='double v = 010.5; printf("%f\\n", v);',
        good='double v = 10.5; printf("%f\\n", v);',
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_PARENTHESES,
        "`(` or `)` inside a string or comment in a condition",
        "Parentheses in strings and comments do not count. HyperDbg v0.23 counts them where they stand in a "
        "condition, loses track and rejects the script; compute the value before the condition.",
        bad='if (strlen("a)c") == 3) { print(1); }',
        good='n = strlen("a)c"); if (n == 3) { print(1); }',
        v023="loses count of the parentheses",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_MAIN,
        "`main` as a name",
        "`main` is a name as any other. HyperDbg v0.23 reserves it for the script itself: it rejects a "
        "variable of that name, and calling it recurses without end. Use another name.",
        bad="main = 5; print(main);",
        good="total = 5; print(total);",
        v023="reserved; calling it recurses without end",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_ALIAS,
        "`ref(...)`, `enable_event(...)`, `disable_event(...)`",
        "`ref`, `enable_event` and `disable_event` are other names of built-in functions here. HyperDbg "
        "v0.23 does not know them and rejects the script; use `reference`, `event_enable` and "
        "`event_disable`.",
        bad="x = 5; p = ref(x); print(*p);",
        good="x = 5; p = reference(x); print(*p);",
        v023="unknown",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_CAST_DOT,
        "cast directly in front of a global or of `.5`: `(int).g`",
        "A cast may stand directly in front of a global or of a literal such as `.5`. HyperDbg v0.23 "
        "rejects the dot there; put the operand in parentheses.",
        bad=".g = 5; print((char).g);",
        good=".g = 5; print((char)(.g));",
        v023="rejects; `(int)(.g)` works",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_SMALL_FLOAT,
        "double literal too small for the `float` variable it initialises gives 0",
        "A literal that is too small for a `float` becomes 0. HyperDbg v0.23 rejects it; write 0.0, or use a `double`.",
        bad="float v = 0.00000000000000000000000000000000000000000000001; print(v);",
        good="float v = 0.0; print(v);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_BLOCK,
        "empty program, empty top-level block, text after a top-level block, block as first statement of a block",
        "Blocks may be empty, stand one in the other, and be followed by more statements. HyperDbg v0.23 "
        "rejects an empty program or block at the top level, what follows such a block, and a block that "
        "begins with a block; leave the braces out.",
        bad="{ print(1); } print(2);",
        good="print(1); print(2);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_EMPTY,
        "empty statement, `;` after `}`",
        "An empty statement does nothing. HyperDbg v0.23 rejects it, also as a `;` behind a `}`; leave the `;` out.",
        bad="if (1) { print(1); };",
        good="if (1) { print(1); }",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_LATER_FUNCTION,
        "function used before its definition, mutual recursion",
        "A function may be used before its definition, and functions may call each other. HyperDbg v0.23 "
        "rejects a call of what is not defined yet; define functions before they are used.",
        bad="print(fn(5)); int fn(int n) { return n + 1; }",
        good="int fn(int n) { return n + 1; } print(fn(5));",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_TOP_RETURN,
        "`return;` directly at the top level",
        "`return;` ends the script. HyperDbg v0.23 rejects it directly at the top level and accepts it "
        "inside `if` and loops; leave it out at the end, or put it in an `if`.",
        bad="print(1); return;",
        good="print(1); if (@rax) { return; } print(2);",
        v023="rejects (accepts it inside `if` and loops)",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_ELSE_IF,
        "`else if`",
        "`else if` is the same as `elsif`. HyperDbg v0.23 knows `elsif` only and rejects the other.",
        bad="if (@rax) { print(1); } else if (@rcx) { print(2); }",
        good="if (@rax) { print(1); } elsif (@rcx) { print(2); }",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_FOR,
        "empty condition or step of `for`; lists with commas; step or init on members, elements, `*p`, calls",
        "The parts of `for` may be empty, lists, and change any place. HyperDbg v0.23 wants one assignment, "
        "a condition, and one step of a plain variable, and rejects all else; move the rest into the body.",
        bad="for (i = 0, j = 5; i < 2; i++, j--) { print(j); }",
        good="j = 5; for (i = 0; i < 2; i++) { print(j); j--; }",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_CONTINUE,
        "`continue` in `while` and `do`",
        "`continue` goes on with the next round of its loop. HyperDbg v0.23 knows it for `for` only: it "
        "rejects it in `while` and `do`, takes it for the outer `for` inside one, and crashes where it "
        "stands directly in the body of a `for`. Put the rest of the round in an `if`.",
        bad="i = 0; while (i < 3) { i++; if (i == 2) { continue; } print(i); }",
        good="i = 0; while (i < 3) { i++; if (i != 2) { print(i); } }",
        v023=("rejects; inside a `for` it continues the outer `for`; directly in a `for` body its compiler crashes"),
        kinds="R D X",
        seen="s",
    ),
    Remark(
        Code.V023_OUTSIDE_LOOP,
        "`break`, `continue` outside loops: E034, E035",
        "`break` and `continue` outside a loop are errors here. The compiler of HyperDbg v0.23 crashes at "
        "them at the top level; use `return;` to end a script, or leave them out.",
        bad="break;",
        good="if (@rax) { return; } print(1);",
        v023="crashes at the top level",
        kinds="X",
        seen="s",
    ),
    Remark(
        Code.V023_PREFIX_STEP,
        "`++x`, `--x`",
        "`++` and `--` may stand in front of a variable. HyperDbg v0.23 rejects that; write them behind it, "
        "which means the same in a statement.",
        bad="x = 5; ++x; print(x);",
        good="x = 5; x++; print(x);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_DECLARATION,
        "declaration without initialiser (scalars), several declarators",
        "A declaration may have no value, which is 0 then, and several variables. HyperDbg v0.23 rejects "
        "both for scalars; write one declaration with a value for each.",
        bad="int v = 1, w = 2; print(v + w);",
        good="int v = 1; int w = 2; print(v + w);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_DECLARED_AGAIN,
        "declaring again with another type makes a new variable",
        "A declaration with another type makes a new variable of that name. HyperDbg v0.23 keeps the "
        "storage and reads it with the new type; use another name.",
        bad="int v = 5; char v = 6; print(v);",
        good="int v = 5; char w = 6; print(v + w);",
        v023="same storage, new type",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_UNASSIGNED,
        "reading a variable that was never assigned",
        "A variable that was never assigned is 0. HyperDbg v0.23 rejects a script that reads one, and its "
        "compiler crashes for `x++` and `x += 1`; assign it before.",
        bad="x++; print(x);",
        good="x = 0; x++; print(x);",
        v023="rejects; crashes for `x++`, `x += 1`",
        kinds="R X",
        seen="s",
    ),
    Remark(
        Code.V023_CHAIN,
        "multiple assignment converts at each step",
        "In a multiple assignment each place gets the converted value of the one to its right. HyperDbg "
        "v0.23 stores the unconverted value in every place; write one assignment each.",
        bad="int x = y = 0x1ffffffff; print(x); print(y);",
        good="int y = (int)0x1ffffffff; int x = y; print(x); print(y);",
        v023="stores the unconverted value in every place",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_STEP,
        "`++`, `--` wrap to the type; work on floating point and struct members",
        "`++` and `--` wrap to the type of their place and work on floating point and members. HyperDbg "
        "v0.23 changes 64 bits, works on the bits of floating-point values, and leaves members alone; write "
        "an assignment.",
        bad="unsigned char v = 0xff; v++; print(v);",
        good="unsigned char v = 0xff; v = v + 1; print(v);",
        v023="64-bit increment; bits; no effect",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_FLOAT_UPDATE,
        "compound assignment with floating point",
        "A compound assignment with floating point computes with values. HyperDbg v0.23 works on the bits; "
        "write the operation out.",
        bad='double v = 1.5; v += 1; printf("%f\\n", v);',
        good='double v = 1.5; v = v + 1; printf("%f\\n", v);',
        v023="works on the bits",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_FLOAT_LITERAL,
        "`double` value assigned to an existing `float` variable or member by a plain literal",
        "A plain literal that is assigned to an existing `float` is converted. HyperDbg v0.23 stores bits "
        "of the `double`; declare the variable with the value, or use a `double`.",
        bad='float v = 0.5; v = 1.5; printf("%f\\n", v);',
        good='double v = 0.5; v = 1.5; printf("%f\\n", v);',
        v023="stores the wrong bits",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_INCLUDE,
        "`#include`: no `;`, bare statements in the file, relative to the including file, backslashes",
        "`#include` needs no `;`, takes bare statements, and looks in the folder of the including file. "
        "HyperDbg v0.23 wants a `;` and white space behind it, a file of the form `? { }`, a path relative "
        "to its own program, and reads backslashes as escapes; write such a line and file with an absolute "
        "path.",
        bad='#include "more.hds"',
        good="print(2);",
        v023=(
            "needs `;` and white space behind it, the `? { }` form in the file, a path relative to its own "
            "program, and escapes in the path"
        ),
        kinds="R D",
        seen="s",
        files={"more.hds": "print(2);"},
    ),
    Remark(
        Code.V023_VOID,
        "`void v = 1;`, `int @rax = 5;` are errors",
        "A `void` variable and a register with a declared type are errors here. HyperDbg v0.23 accepts "
        "them; give the variable another type, and assign to the register.",
        bad="void v = 1; print(1);",
        good="long v = 1; print(v);",
        v023="accepts",
        kinds="A",
        seen="s",
    ),
)
