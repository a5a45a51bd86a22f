"""Errors of tokens, includes and syntax: E001 to E042."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Row

SOURCE_ERRORS: tuple[Row, ...] = (
    Row(
        Code.BAD_CHARACTER,
        "character that begins no token; back-tick in a name",
        "The character has no meaning in the language outside strings and comments, like a lonely `\\` or a letter "
        "with an accent. A back-tick separates the digits of a number and cannot be part of a name.",
        bad="x`1 = 5; print(x`1);",
        good="x_1 = fffff800`4ed6f010; print(x_1);",
    ),
    Row(
        Code.OPEN_COMMENT,
        "block comment that is not closed",
        "A `/*` has no `*/` up to the end of the script, so that everything behind it would be comment. Block "
        "comments do not nest: the first `*/` ends the comment.",
        bad="print(1); /* the rest",
        good="print(1); /* the rest */",
    ),
    Row(
        Code.OPEN_STRING,
        "string that is not closed",
        'A `"` has no partner. A quote inside a string is written `\\"`, and a backslash `\\\\`: a path that ends in a '
        "single backslash keeps its string open.",
        bad='printf("done);',
        good='printf("done\\n");',
    ),
    Row(
        Code.BAD_INTEGER,
        "malformed integer: digit outside the base, suffix, upper-case prefix",
        "A word that begins with a digit is a number, and all of it must be digits of its base: hexadecimal unless it "
        "begins with 0x, 0n (decimal), 0y (binary), 0o or 0t (octal). Prefixes are lower case, and there are no "
        "suffixes such as `u` or `L`. A name cannot begin with a digit.",
        bad="x = 0n12ab; print(12u);",
        good="x = 0n12; print(12);",
    ),
    Row(
        Code.INTEGER_TOO_LARGE,
        "integer that does not fit in 64 bits",
        "A number has at most 64 bits: 16 hexadecimal digits, or decimal values below 0n18446744073709551616. HyperDbg "
        "v0.23 drops the upper digits without a word, which is never what was meant.",
        bad="print(11112222333344445);",
        good="print(1111222233334444);",
    ),
    Row(
        Code.BAD_FLOAT,
        "malformed floating-point number",
        "A floating-point number is decimal digits, a dot, decimal digits; one side may be missing. It has no "
        "exponent, no suffix, no prefix, no hexadecimal digits and only one dot.",
        bad="double v = 1.5e3;",
        good="double v = 1500.0;",
    ),
    Row(
        Code.FLOAT_OUT_OF_RANGE,
        "floating-point literal out of range",
        "The number is larger than the largest double (about 1.8 times 10 to the 308), or so small that it would "
        "become zero although it is not.",
        bad=f"double v = 1{'0' * 310}.0;",
        good="double v = 1000000.0;",
    ),
    Row(
        Code.BAD_ESCAPE,
        "unknown escape sequence",
        "Behind a backslash in a string stand `n t r a b f v \\ \" ' ?`, one to three octal digits, or `x` and "
        "hexadecimal digits. To print a backslash, as in a path, write two.",
        bad='printf("c:\\kernel\\q");',
        good='printf("c:\\\\kernel\\\\q");',
    ),
    Row(
        Code.UNKNOWN_REGISTER,
        "unknown register after `@`",
        "The word behind `@` is no register. Register names are lower case; the low bytes of the numbered registers "
        "are r8l to r15l. `hds list registers` shows them all.",
        bad="print(@RAX);",
        good="print(@rax);",
    ),
    Row(
        Code.UNKNOWN_PSEUDO_REGISTER,
        "unknown pseudo-register after `$`",
        "The word behind `$` is no pseudo-register. `hds list pseudo-registers` shows them all. They can be read only.",
        bad="print($process);",
        good="print($proc);",
    ),
    Row(
        Code.UNKNOWN_SYMBOL,
        "unknown symbol",
        "A symbol is replaced by its address when the script is compiled, so the address must be known then. The names "
        "of the guest are; `hds check` and `hds compile` learn them with `--program FILE`. Any other is given with "
        "`--symbol module!name=ADDRESS`. If a comparison was meant, put a blank before the `!`.",
        bad="print(nt!NoSuchSymbol);",
        good="print(fffff800`12345678);",
    ),
    Row(
        Code.CHARACTER_CONSTANT,
        "character constant, or string in single quotes",
        "Strings have double quotes, and there are no character constants as in C: write the number of the character, "
        "0x41 for the letter A.",
        bad="if (@al == 'A') { print(1); }",
        good="if (@al == 0x41) { print(1); }",
    ),
    Row(
        Code.NO_ARGUMENT,
        "`$argN` without an argument",
        "`$arg1`, `$arg2`, ... are replaced by the arguments of the command file before anything is read. This one "
        "has no value: `--arg VALUE` gives it one, and in a file that `.script` runs, the words behind its name do. "
        "Text in the quotes of a script is left as it is.",
        bad="print($arg1);",
        good="print(55);",
    ),
    Row(
        Code.AMBIGUOUS_SYMBOL,
        "ambiguous symbol",
        "A symbol is looked up as it is written, then in any case, and a readable name of C++ or Rust may stand for "
        "several symbols. Here none fits exactly, and more than one fits otherwise, at different addresses. Write one "
        "of those that are listed.",
        bad="print(tool!OPEN);",
        good="print(tool!open);",
        symbols={"tool!Open": 0x401000, "tool!open": 0x401040},
    ),
    Row(
        Code.UNREADABLE_INCLUDE,
        "included file that cannot be read",
        "The file of an `#include` does not exist, is a folder, is too large, or may not be read. A relative path is "
        "looked up in the folder of the including file, and then in the folders given with `-I`. A backslash in it "
        "separates folders.",
        bad='#include "no-such-file.hds";',
        good='#include "library.hds";',
        files={"library.hds": "int twice(int n) { return n * 2; }"},
    ),
    Row(
        Code.INCLUDE_CYCLE,
        "include cycle",
        "The file includes itself, directly or through other files. A file is included once at most, so that two files "
        "may include the same third one.",
        bad='#include "loop.hds";',
        good='#include "library.hds"; #include "library.hds";',
        files={"loop.hds": '#include "loop.hds";', "library.hds": "int twice(int n) { return n * 2; }"},
    ),
    Row(
        Code.MISPLACED_INCLUDE,
        "`#include` that is not at the top level",
        "An `#include` may stand wherever a statement may at the top level of the script, but not inside a function, a "
        "loop or an `if`.",
        bad='if (1) { #include "library.hds"; }',
        good='#include "library.hds"; if (1) { print(twice(2)); }',
        files={"library.hds": "int twice(int n) { return n * 2; }"},
    ),
    Row(
        Code.BAD_DIRECTIVE,
        "malformed or unknown directive",
        "The only line that begins with `#` is `#include` with a path in double quotes. There are no macros and no "
        "conditional compilation.",
        bad="#define LIMIT 10\nprint(LIMIT);",
        good="LIMIT = 10;\nprint(LIMIT);",
    ),
    Row(
        Code.DEEP_INCLUDES,
        "includes that are nested too deeply",
        "Files include files in more levels than the limit max_include_depth allows. `--max-include-depth` raises it.",
        bad='#include "outer.hds";',
        good='#include "inner.hds";',
        files={"outer.hds": '#include "inner.hds";', "inner.hds": "x = 1;"},
        limits={"max_include_depth": 2},
    ),
    Row(
        Code.WINDOWS_INCLUDE,
        "included file on a drive of Windows",
        "A path such as `c:\\scripts\\library.hds`, or `\\\\server\\share\\library.hds`, is looked up in a folder of "
        "this computer: `--drive c=DIR` (or `--drive \\\\server\\share=DIR`) says which. Upper and lower case do not "
        "matter there, and the path must not lead out of that folder by `..` or by a link.",
        bad='#include "c:\\scripts\\library.hds";',
        good='#include "library.hds";',
        files={"library.hds": "int twice(int n) { return n * 2; }"},
    ),
    Row(
        Code.SCRIPT_TOO_LARGE,
        "script that is too large",
        "A script, with all that it includes, has at most max_source_bytes bytes, and the scripts of a command file "
        "together max_total_source_bytes; a flag of the same name raises each. What cannot be raised: a script has "
        "room for 65,536 different literals, formats and functions each.",
        bad='#include "large.hds";',
        good="x = 1;",
        files={"large.hds": "int twice(int n) { return n * 2; } int thrice(int n) { return n * 3; }"},
        limits={"max_source_bytes": 80},
    ),
    Row(
        Code.SYNTAX,
        "syntax error",
        "What stands here does not fit what stands before it. The message names what was found and what was expected; "
        "often a `;`, a bracket or an operator is missing just before. A line that begins with `!` is a command: it "
        "stands outside `script { }` and `? { }`.",
        bad="x = 5 5;",
        good="x = 5 * 5;",
    ),
    Row(
        Code.NUMBER_AS_NAME,
        "a number where a name is needed",
        "The default base is 16, so a word of the letters a to f and of digits is a number: `a`, `b0`, `add`, `dead`. "
        "It cannot name a variable, function, parameter, member or type. Add a letter that is no hexadecimal digit, "
        "for example `a_v`; the proposed name works in HyperDbg, too. A global may have such a name: `.a`.",
        bad="a = 5; print(a);",
        good="a_v = 5; print(a_v);",
    ),
    Row(
        Code.WORD_AS_NAME,
        "a keyword, built-in function or register where a name is needed",
        "The word is reserved: it is a keyword, the name of a built-in function (`db`, `low`, `not`) or of a register "
        "(`cx`, `id`, `of`). Use another name, or a global: behind a dot every word is free.",
        bad="int low = 5; print(low);",
        good="int lowest = 5; .low = 5; print(lowest + .low);",
    ),
    Row(
        Code.NO_BRACES,
        "a body without braces",
        "The bodies of `if`, `elsif`, `else`, `while`, `do` and `for` stand in braces, even if they are one statement.",
        bad="if (@rax == 5) print(1);",
        good="if (@rax == 5) { print(1); }",
    ),
    Row(
        Code.MISPLACED_BREAK,
        "`break` outside a loop",
        "`break` leaves the innermost `while`, `do` or `for`. To end the script, write `return;`; to halt the "
        "debuggee, `pause();`. The compiler of HyperDbg v0.23 crashes here.",
        bad="if (@rax == 5) { break; }",
        good="if (@rax == 5) { return; }",
    ),
    Row(
        Code.MISPLACED_CONTINUE,
        "`continue` outside a loop",
        "`continue` goes on with the next round of the innermost `while`, `do` or `for`. There is none here.",
        bad="if (@rax == 5) { continue; }",
        good="for (i = 0; i < 3; i++) { if (i == 1) { continue; } print(i); }",
    ),
    Row(
        Code.MISPLACED_FUNCTION,
        "function definition at a wrong place or without return type",
        "A function is defined at the top level of the script, and its return type is always written; `void` says "
        "that it returns nothing.",
        bad="twice(int n) { return n * 2; }",
        good="int twice(int n) { return n * 2; }",
    ),
    Row(
        Code.NO_SUCH_CONSTRUCT,
        "construct that the language does not have",
        "The language has no `?:`, `switch`, `goto`, `union`, `enum`, `const`, `static`, prototypes or array "
        "typedefs, and no `let`, `def`, `and`, `foreach`, `string`, `:=` and their like of other languages; the hint "
        "says how it is written here. Mostly `if` / `elsif`, a loop, a struct or a global does the same; a "
        "prototype can be left out, since functions may be used before their definition.",
        bad="x = @rax ? 1 : 2;",
        good="if (@rax) { x = 1; } else { x = 2; }",
    ),
    Row(
        Code.ASSIGNMENT_AS_VALUE,
        "assignment, `++` or `--` used as a value",
        "Assignments and steps are statements and have no value. In a condition `==` compares. Several places get the "
        "same value with `x = y = 5;`; compound assignments cannot be chained. `x--3` is read as `x-- 3`.",
        bad="if (x = 5) { print(1); }",
        good="x = 5; if (x == 5) { print(1); }",
    ),
    Row(
        Code.NO_PLACE,
        "target that is not a place",
        "On the left of an assignment stands what can be written: a variable, global, register, element, member or "
        "`*p`. Numbers, calls and pseudo-registers cannot be written, and an array only element by element.",
        bad="$pid = 5;",
        good=".pid = $pid;",
    ),
    Row(
        Code.EMPTY_CONDITION,
        "empty condition",
        "`if`, `elsif` and `while` need a condition. An endless loop is `while (1) { ... }` or `for (;;) { ... }`.",
        bad="while () { break; }",
        good="while (1) { break; }",
    ),
    Row(
        Code.UNMATCHED_BRACE,
        "`{` without `}` or the reverse",
        "Braces do not match. The message points at the innermost brace that was still open at the end, or at the "
        "first one that closes nothing; the missing brace may stand much earlier.",
        bad="if (1) { print(1);",
        good="if (1) { print(1); }",
    ),
    Row(
        Code.NO_STATEMENT,
        "expression that is not a statement",
        "The value of this expression would be dropped, so something is probably missing: `print(...)`, an "
        "assignment, or the parentheses of a call.",
        bad="x = 5; x + 1;",
        good="x = 5; x += 1;",
    ),
)
