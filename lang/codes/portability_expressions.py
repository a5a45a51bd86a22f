"""Portability remarks on expressions and functions: P040 to P055."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Remark

EXPRESSION_REMARKS: tuple[Remark, ...] = (
    Remark(
        Code.V023_COMPARISON,
        "comparisons, `&&`, `||` outside conditions",
        "Comparisons, `&&` and `||` have the values 0 and 1 everywhere. HyperDbg v0.23 knows them in "
        "conditions only and rejects them elsewhere; use an `if`.",
        bad="x = @rax == 1; print(x);",
        good="x = 0; if (@rax == 1) { x = 1; } print(x);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_UNARY,
        "two unary operators in a row inside a condition",
        "Unary operators may follow each other. HyperDbg v0.23 rejects two in a row inside a condition; put "
        "the inner one in parentheses.",
        bad="if (!!@rax) { print(1); }",
        good="if (!(!@rax)) { print(1); }",
        v023="rejects; parentheses help",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_BIT_OPERATOR,
        "`& ^ |` directly in arguments and indices inside a condition",
        "`&`, `^` and `|` may stand in arguments and indices inside a condition. HyperDbg v0.23 rejects "
        "them there; put them in parentheses.",
        bad="if (poi(@rsp & ffffffffffffffff) == 0) { print(1); }",
        good="if (poi((@rsp & ffffffffffffffff)) == 0) { print(1); }",
        v023="rejects; parentheses help",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_UNTYPED,
        "`- ~ neg not` on, `++ -- op=` on, `! && ||` cast `sizeof` `&` of: hexadecimal literals that start "
        "with a letter, and parameters",
        "Hexadecimal literals that start with a letter, and parameters, are operands as all others. "
        "HyperDbg v0.23 gives them no type: unary operators, casts, `sizeof`, steps and compound "
        "assignments on them crash its compiler or are rejected. Write the literal with 0x, and copy the "
        "parameter into a variable.",
        bad="print(-f);",
        good="print(-0xf);",
        v023="crashes or rejects",
        kinds="X R",
        seen="s",
    ),
    Remark(
        Code.V023_LITERAL_SIGN,
        "hexadecimal literals that start with a letter are I64",
        "A hexadecimal literal that starts with a letter is a signed 64-bit number as the others. HyperDbg "
        "v0.23 gives it no type, so that `/`, `%`, `>>` and comparisons may differ and nothing is converted "
        "when it is stored. Write it with 0x.",
        bad="print(ffffffffffffffff / 2);",
        good="print(0xffffffffffffffff / 2);",
        v023=("have no type: `/ % >>` unsigned, comparisons signed, shift count modulo 64, no conversion when stored"),
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_UNTYPED_FLOAT,
        "such a literal or a parameter together with floating point",
        "Such a literal, or a parameter, may meet floating point. HyperDbg v0.23 rejects that; write the "
        "literal with 0x, and copy the parameter into a variable.",
        bad='double v = f; printf("%f\\n", v);',
        good='double v = 0xf; printf("%f\\n", v);',
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_PARAMETER,
        "parameters have their type, arguments are converted",
        "Arguments are converted to the types of the parameters, which hold from then on. HyperDbg v0.23 "
        "passes 64 bits without a type; declare parameters as `unsigned long` and convert inside.",
        bad="char fn(char n) { return n; } print(fn(0x1234));",
        good="unsigned long fn(unsigned long n) { return n; } print(fn(0x34));",
        v023="64 bits without a type, as in P044",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_RESULT,
        "results are converted to the return type",
        "A result is converted to the type of its function. HyperDbg v0.23 does not convert it; return a "
        "value that fits.",
        bad="char fn() { return 0x1234; } print(fn());",
        good="char fn() { return 0x34; } print(fn());",
        v023="not converted",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_NO_RETURN,
        "missing return value is 0",
        "A function that reaches its end without `return` gives 0. HyperDbg v0.23 gives what an earlier "
        "call left; return a value on every path.",
        bad="int fn(int n) { n = 5; } print(fn(5));",
        good="int fn(int n) { n = 5; return 0; } print(fn(5));",
        v023="value of an earlier call",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_LOCAL_START,
        "locals of a function start at 0",
        "The locals of a function start at 0. In HyperDbg v0.23 they contain what an earlier call left; "
        "assign them first.",
        bad="int fn(int n) { if (n) { k = 7; } return k; } print(fn(1)); print(fn(0));",
        good="int fn(int n) { k = 0; if (n) { k = 7; } return k; } print(fn(1)); print(fn(0));",
        v023="contain what an earlier call left",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_ORDER,
        "operands are read strictly left to right",
        "Operands are read strictly from left to right. HyperDbg v0.23 reads variables when the operator "
        "runs, so that a call to the right may have changed them; keep the value in a variable of its own.",
        bad=".x = 1; int fm() { .x = 9; return 0; } print(.x + fm());",
        good=".x = 1; int fm() { .x = 9; return 0; } y = .x; z = fm(); print(y + z);",
        v023="variables are read when the operator runs",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_MINUS_ZERO,
        "`-0.0` is false",
        "`-0.0` is false as 0.0 is. HyperDbg v0.23 takes it for true in `if` and `while`; compare with 0.0.",
        bad="double v = -0.0; if (v) { print(1); }",
        good="double v = -0.0; if (v != 0.0) { print(1); }",
        v023="true in `if` and `while`",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_NESTING,
        "any depth of right-nested `&&`, `||` and `sizeof`",
        "`&&`, `||` and `sizeof` may be nested to the right to any depth within `max_nesting`. HyperDbg "
        "v0.23 takes at most 16 levels; leave parentheses out, or use several conditions.",
        bad="if (" + "1 && (" * 17 + "1" + ")" * 17 + ") { print(1); }",
        good="if (1 && 1 && 1) { print(1); }",
        v023="at most 16",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_FLOAT_ARGUMENT,
        "floating-point arguments and results are values",
        "Floating-point arguments and results are values. HyperDbg v0.23 passes their bits, so that "
        "arithmetic on them and `%f` fail or are rejected; use globals or pointers to hand them over.",
        bad='double fn(double n) { return n * 2.0; } double v = fn(2.5); printf("%f\\n", v);',
        good='double v = 2.5; v = v * 2.0; printf("%f\\n", v);',
        v023="passes bits; `%f` and arithmetic on parameters fail",
        kinds="D R E",
        seen="s",
    ),
    Remark(
        Code.V023_WCSCMP,
        '`wcscmp(number, L"...")` inside a condition',
        "The arguments of `wcscmp` may come in any order. HyperDbg v0.23 rejects a number in front of a "
        "literal inside a condition; put the literal first.",
        bad='if (wcscmp(@rcx, L"zebra") == 0) { print(1); }',
        good='if (wcscmp(L"zebra", @rcx) == 0) { print(1); }',
        v023="rejects (the other order works)",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_DENORMAL,
        "comparisons with denormal doubles (below about 2.2e-308)",
        "Denormal doubles (below about 2.2e-308) compare as numbers. In HyperDbg v0.23 a positive one "
        "counts as less than zero; compare with a number that is not so small.",
        bad="double v = 0." + "0" * 309 + "1; if (v > 0.0) { print(1); }",
        good="double v = 0.0001; if (v > 0.0) { print(1); }",
        v023="a positive one counts as less than zero",
        kinds="D",
        seen="n",
    ),
)
