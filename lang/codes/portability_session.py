"""Portability remarks on built-in functions, output, parameters, limits and the session: P090 to P112."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Remark

SESSION_REMARKS: tuple[Remark, ...] = (
    Remark(
        Code.V023_FORMAT,
        "`printf` flags, width, precision, `%X %e %g %lf %le %lg %lc`",
        "`printf` has flags, width and precision, and the specifiers of C. HyperDbg v0.23 knows `%d %i %u "
        "%o %x %c %p %s %ws %f` and their `l` and `ll` forms: it prints others as text, or rejects them "
        "with an argument; use one of those.",
        bad='printf("%08x\\n", 5);',
        good='printf("%x\\n", 5);',
        v023="not specifiers: printed as text, or rejected with an argument",
        kinds="R D",
        seen="s",
    ),
    Remark(
        Code.V023_PERCENT,
        "`%%` prints one percent sign",
        "`%%` prints one percent sign. HyperDbg v0.23 prints two, and reads `%%d` as a percent sign and a "
        "specifier; write the word, or print the sign alone.",
        bad='printf("100%%\\n");',
        good='printf("100 percent\\n");',
        v023="prints two; `%%d` is `%` and a specifier",
        kinds="D R",
        seen="s",
    ),
    Remark(
        Code.V023_ARGUMENT_KIND,
        "wrong kind of `printf` argument is a compile error",
        "An argument of the wrong kind is an error of the compiler. HyperDbg v0.23 stops at run time; pass "
        "what the specifier takes.",
        bad='printf("%f\\n", 5);',
        good='printf("%d\\n", 5);',
        v023="run-time error",
        kinds="E",
        seen="s",
    ),
    Remark(
        Code.V023_WIDE_TEXT,
        "`%ws` prints any character, any length",
        "`%ws` prints any character and text of any length. HyperDbg v0.23 prints `?` for what is not "
        "ASCII, and loses the last 50 units of texts of 50, 100, ... units; print such texts in pieces.",
        bad='printf("%ws\\n", @rcx);',
        good='printf("%x\\n", dw(@rcx));',
        v023="`?` for non-ASCII; texts of 50, 100, ... units lose their last 50",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_MESSAGE,
        "message too long stops",
        "A message that is too long stops the script. HyperDbg v0.23 leaves a `%s` out that does not fit; "
        "print long texts one at a time.",
        bad='printf("%s%s\\n", @rcx, @rdx);',
        good='printf("%s", @rcx); printf("%s\\n", @rdx);',
        v023="a `%s` that does not fit is left out",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_SWALLOWED,
        "`event_sc`, `event_inject_error_code`",
        "`event_sc` and `event_inject_error_code` are operations as others. In HyperDbg v0.23 they swallow "
        "the one that follows; put something harmless behind them.",
        bad="event_sc(1); print(1);",
        good="print(1);",
        v023="swallow the next operation",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_TEXT_END,
        "`%s` on a text whose zero is the last readable byte",
        "`%s` reads up to the zero, and no further. HyperDbg v0.23 stops where that zero is the last "
        "readable byte; print the characters one by one near the end of a mapping.",
        bad='printf("[%s]\\n", 10000fff);',
        good='printf("[%c]\\n", db(10000ffe));',
        v023="run-time error",
        kinds="E",
        seen="n",
    ),
    Remark(
        Code.V023_PARAMETER_TYPE,
        "parameters without type, `(void)`",
        "Parameters may have no type, and `(void)` means none. HyperDbg v0.23 rejects both; write a type, "
        "or empty parentheses.",
        bad="void fn(void) { print(1); } fn();",
        good="void fn() { print(1); } fn();",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_IOPL,
        "`@iopl = n` writes two bits",
        "`@iopl = n` writes the two bits of IOPL. HyperDbg v0.23 writes bits 0 and 4 of n; write the whole "
        "of `@rflags`.",
        bad="@iopl = 2; print(@iopl);",
        good="@rflags = @rflags | 2000; print(@iopl);",
        v023="writes bits 0 and 4 of n",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_UNSIGNED_BYTES,
        "`memcmp`, `strcmp`, `strncmp` compare unsigned bytes",
        "`memcmp`, `strcmp` and `strncmp` compare unsigned bytes as in C. The kernel build of HyperDbg "
        "v0.23 compares signed ones, so that the order of bytes from 80 on differs; ask for equality only.",
        bad="if (memcmp(@rcx, @rdx, 4) > 0) { print(1); }",
        good="if (memcmp(@rcx, @rdx, 4) == 0) { print(1); }",
        v023="signed bytes in the kernel build",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_FLOAT_GLOBAL,
        "floating-point globals",
        "Globals may be of floating-point type. HyperDbg v0.23 rejects the declaration, and an untyped "
        "global takes the integer part; keep a scaled integer.",
        bad='double .v = 1.5; printf("%f\\n", .v);',
        good='.v = 0n15; printf("%d tenths\\n", .v);',
        v023="rejects the declaration; an untyped global takes the integer part",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_LIMITS,
        "no limit on temporaries, locals, loops, initialisers, nesting of calls in arguments; call depth 128",
        "There is no limit on temporaries, locals, loops and initialisers, and calls may be 128 deep. "
        "HyperDbg v0.23 has 256 stack slots, which are about 40 to 60 nested calls, 128 temporaries a "
        "function, and 64 initialisers of a struct; use loops in place of recursion, and split long "
        "functions.",
        bad="long down(long n) { if (n == 0) { return 0; } return 1 + down(n - 1); } print(down(0n100));",
        good="n = 0n100; sum = 0; while (n > 0) { n--; sum++; } print(sum);",
        v023=(
            "256 stack slots (so about 40-60 nested calls of simple functions), 128 temporaries per function - "
            "each `print(` non-trivial `)`, `for` loop, value function used as a statement and call with a "
            "non-trivial argument uses one up for good -, 64 struct initialisers"
        ),
        kinds="R E",
        seen="p",
    ),
    Remark(
        Code.V023_GLOBALS,
        "more than `max_globals` globals is E120",
        "More globals than `max_globals` are an error here. HyperDbg v0.23 overruns its table; use fewer, "
        "or an array in memory.",
        bad=".first = 1; .second = 2; print(.first + .second);",
        good=".first = 1; print(.first);",
        v023="overruns its table",
        kinds="X",
        seen="s",
        limits={"max_globals": 1},
    ),
    Remark(
        Code.V023_GLOBAL_TYPE,
        "a global has one type in the session (E070)",
        "A global has one type in a session. In HyperDbg v0.23 the last declaration changes it; use another name.",
        bad="int .g = 1; char .g = 2; print(.g);",
        good="int .g = 1; char .h = 2; print(.g + .h);",
        v023="the last declaration changes the type",
        kinds="A D",
        seen="s",
    ),
)
