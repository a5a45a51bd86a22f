"""Errors of names, types, calls and limits: E060 to E121."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Row

MEANING_ERRORS: tuple[Row, ...] = (
    Row(
        Code.UNKNOWN_FUNCTION,
        "unknown function",
        "There is neither a built-in function nor a function of the script with this name. Functions may be defined "
        "before or after their use, also in an included file. `hds list builtins` shows the built-in ones.",
        bad="strlenght(@rcx);",
        good="print(strlen(@rcx));",
    ),
    Row(
        Code.ARGUMENT_COUNT,
        "wrong number of arguments",
        "A call has exactly as many arguments as the function has parameters; there are no defaults.",
        bad="int plus(int n, int m) { return n + m; } print(plus(1));",
        good="int plus(int n, int m) { return n + m; } print(plus(1, 2));",
    ),
    Row(
        Code.FUNCTION_AGAIN,
        "second definition of a function",
        "A function is defined once; functions that differ in their parameters only are not possible. Perhaps an "
        "included file defines it, too.",
        bad="int one() { return 1; } int one() { return 2; }",
        good="int one() { return 1; } int two() { return 2; }",
    ),
    Row(
        Code.NO_VALUE,
        "value of something that has none",
        "The function is `void`, or a built-in function without a result such as `memcpy`: its call is a statement and "
        "cannot be part of an expression.",
        bad="x = memcpy(@rcx, @rdx, 8);",
        good="memcpy(@rcx, @rdx, 8);",
    ),
    Row(
        Code.VALUE_RETURNED_BY_VOID,
        "`return e` in a `void` function",
        "A `void` function returns nothing. Give it another return type, or write `return;`.",
        bad="void show(int n) { print(n); return n; }",
        good="int show(int n) { print(n); return n; }",
    ),
    Row(
        Code.RETURN_WITHOUT_VALUE,
        "`return;` in a function with a result",
        "The function has a return type, so `return` needs a value.",
        bad="int twice(int n) { return; }",
        good="int twice(int n) { return n * 2; }",
    ),
    Row(
        Code.VALUE_RETURNED_BY_MAIN,
        "`return e` in the main program",
        "Outside functions `return;` ends the script. Nobody receives a value; a global can keep it.",
        bad="if (@rax == 5) { return 1; }",
        good="if (@rax == 5) { .found = 1; return; }",
    ),
    Row(
        Code.STRING_WIDTH,
        "narrow string where a wide one is needed or the reverse",
        'Wide strings (UTF-16, as most of Windows uses) are written L"..." and belong to `wcslen`, `wcscmp`, '
        "`wcsncmp` and `%ws`; narrow ones to `strlen`, `strcmp`, `strncmp`, `memcmp` and `%s`.",
        bad='if (wcscmp(@rcx, "zebra") == 0) { print(1); }',
        good='if (wcscmp(@rcx, L"zebra") == 0) { print(1); }',
    ),
    Row(
        Code.FUNCTION_AS_VARIABLE,
        "function name used as a variable",
        "The name belongs to a function, which can only be called: there are no function pointers.",
        bad="int twice(int n) { return n * 2; } x = twice;",
        good="int twice(int n) { return n * 2; } x = twice(3);",
    ),
    Row(
        Code.GLOBAL_TYPES,
        "global declared with different types",
        "A global has one type for the whole session, in all scripts. It was declared, or used without a declaration "
        "as an unsigned 64-bit number, before. Declare it with its type in the first script that mentions it.",
        bad="int .count = 1; char .count = 2;",
        good="int .count = 1; .count = 2;",
    ),
    Row(
        Code.BAD_TYPE,
        "type words that do not go together",
        "The words do not make a type. `long` and `long long` are both 64 bits, `int` is 32, `short` 16 and `char` 8; "
        "`unsigned` and `signed` go with these only. A typedef name stands alone.",
        bad="long double v = 1.5;",
        good="double v = 1.5; unsigned long long w = 5;",
    ),
    Row(
        Code.UNKNOWN_TAG,
        "unknown struct tag",
        "No struct with this tag was defined before. Tags belong to one script; put shared ones into a file and "
        "include it.",
        bad="struct Point v;",
        good="struct Point { int mx; int my; }; struct Point v;",
    ),
    Row(
        Code.STRUCT_AGAIN,
        "second definition of a struct",
        "The struct has its members already. Perhaps an included file defines it, too.",
        bad="struct Point { int mx; }; struct Point { int my; };",
        good="struct Point { int mx; int my; };",
    ),
    Row(
        Code.NAME_AGAIN,
        "duplicate member or parameter name",
        "Two members of a struct, or two parameters of a function, have the same name.",
        bad="int plus(int n, int n) { return n + n; }",
        good="int plus(int n, int m) { return n + m; }",
    ),
    Row(
        Code.UNKNOWN_MEMBER,
        "unknown member",
        "The struct has no member of this name.",
        bad="struct Point { int mx; }; struct Point v; v.my = 5;",
        good="struct Point { int mx; }; struct Point v; v.mx = 5;",
    ),
    Row(
        Code.NO_STRUCT,
        "`.` or `->` on something that is no struct or pointer to a struct",
        "`v.member` needs a struct, `p->member` a pointer to one. An untyped variable that holds an address is a plain "
        "number: declare it as a pointer.",
        bad="struct Point { int mx; }; p = @rcx; print(p->mx);",
        good="struct Point { int mx; }; struct Point *p = (struct Point *)@rcx; print(p->mx);",
    ),
    Row(
        Code.TYPEDEF_AGAIN,
        "second typedef of a name",
        "The name is a type already.",
        bad="typedef int number_t; typedef long number_t;",
        good="typedef int number_t; typedef long large_t;",
    ),
    Row(
        Code.INCOMPLETE_TYPE,
        "incomplete struct used by value",
        "The tag is announced, but the members are not known yet, so the struct has no size. Pointers to it are "
        "possible.",
        bad="struct Node; struct Node v;",
        good="struct Node; struct Node *p = 0; struct Node { struct Node *next; };",
    ),
    Row(
        Code.BAD_ARRAY_SIZE,
        "array size missing, not constant, or not positive",
        "The size of an array is a constant from 1 on, in the usual base: `int v[10];` has sixteen elements. Only the "
        "first size may be missing, when a list in braces gives the elements.",
        bad="n = 5; int v[n];",
        good="int v[5]; int w[] = {1, 2};",
    ),
    Row(
        Code.TOO_MANY_INITIALISERS,
        "too many initialisers",
        "The list has more values than the array or struct has elements. Remember that sizes are hexadecimal.",
        bad="int v[2] = {1, 2, 3};",
        good="int v[3] = {1, 2, 3};",
    ),
    Row(
        Code.NO_ARRAY,
        "`[ ]` on something that is no array or typed pointer",
        "Only arrays and pointers with a type can be indexed. An untyped variable that holds an address is a plain "
        "number: declare a pointer, or read with `db`, `dw`, `dd`, `dq`.",
        bad="p = @rcx; print(p[1]);",
        good="int *p = (int *)@rcx; print(p[1]);",
    ),
    Row(
        Code.BAD_OPERANDS,
        "operands of these types cannot be combined",
        "The operator does not exist for these types: `% << >> & | ^ ~` take no floating point, two pointers can only "
        "be subtracted and compared, and a pointer and a floating-point number do not mix.",
        bad="double v = 1.5; v = v % 1.0;",
        good="double v = 1.5; v = v * 2.0;",
    ),
    Row(
        Code.BAD_CAST,
        "impossible cast",
        "Everything can be cast but pointers to floating point and back, structs, and to `void`.",
        bad="int *p = (int *)1.5;",
        good="int *p = (int *)(long)1.5;",
    ),
    Row(
        Code.NO_ADDRESS,
        "`&` on something without an address",
        "Variables, globals, elements, members and `*p` have an address. Registers, pseudo-registers, numbers and "
        "functions have none: copy the value into a variable.",
        bad="p = &@rax;",
        good="x = @rax; p = &x;",
    ),
    Row(
        Code.FLOAT_AS_ADDRESS,
        "`*` on a floating-point value",
        "An address is an integer or a pointer.",
        bad="double v = 1.5; print(*v);",
        good="x = @rsp; print(*x);",
    ),
    Row(
        Code.SCALAR_NEEDED,
        "struct or array where a scalar is needed",
        "A struct or an array is no single value: it cannot be a parameter, a result, a condition or an operand. Pass "
        "a pointer, or take a member.",
        bad="struct Point { int mx; }; int get_x(struct Point v) { return v.mx; }",
        good="struct Point { int mx; }; int get_x(struct Point *p) { return p->mx; }",
    ),
    Row(
        Code.BAD_STRUCT_ASSIGNMENT,
        "struct assigned from or to something else",
        "A struct can be assigned to a struct of the same type, as a whole; nothing else can be assigned to it or "
        "from it.",
        bad="struct Point { int mx; }; struct Point v; x = v;",
        good="struct Point { int mx; }; struct Point v; x = v.mx; p = &v;",
    ),
    Row(
        Code.NO_SIZE,
        "`sizeof` of an incomplete type or `void`",
        "The size is not known: `void` has none, and neither has a struct without its members.",
        bad="print(sizeof(void));",
        good="print(sizeof(void *));",
    ),
    Row(
        Code.VOID_OBJECT,
        "`void` variable, member or parameter",
        "`void` is the type of functions without a result, and `void *` that of addresses; there are no `void` "
        "objects.",
        bad="void v = 1;",
        good="void *v = 1;",
    ),
    Row(
        Code.MISPLACED_LIST,
        "`{ }` for a scalar, or a plain value for an array",
        "An array is initialised with a list in braces, a scalar with an expression. A string literal does not "
        "initialise an array of characters: copy it with `memcpy`.",
        bad='char text[4] = "abc";',
        good='char text[4]; memcpy(text, "abc", 4);',
    ),
    Row(
        Code.BAD_FORMAT,
        "`printf` format that is not a narrow literal",
        "The first argument of `printf` is a string in the source, because its specifiers are checked when the script "
        'is compiled. To print a text in memory, write printf("%s", address);',
        bad="printf(@rcx);",
        good='printf("%s\\n", $pname);',
    ),
    Row(
        Code.PRINTF_COUNT,
        "number of `printf` arguments",
        "The format has more or fewer specifiers than there are arguments. `%%` prints a percent sign and takes none.",
        bad='printf("%d of %d\\n", 1);',
        good='printf("%d of %d\\n", 1, 2);',
    ),
    Row(
        Code.PRINTF_KIND,
        "kind of a `printf` argument",
        "`%f`, `%e` and `%g` take a floating-point value, all other specifiers take none. Convert with a cast: "
        "`(double)n`, `(long)v`.",
        bad='printf("%f\\n", 5);',
        good='printf("%f\\n", (double)5);',
    ),
    Row(
        Code.TOO_MANY_GLOBALS,
        "too many globals",
        "The scripts of a session name more globals than the limit max_globals allows, or they need more memory than "
        "max_global_bytes. A flag of the same name raises a limit; HyperDbg v0.23 overruns its table.",
        bad=".one = 1; .two = 2; .three = 3;",
        good=".one = 1; .two = 2;",
        limits={"max_globals": 2},
    ),
    Row(
        Code.TOO_DEEP,
        "source that is nested too deeply",
        "Parentheses, operators, blocks or initialisers are nested in more levels than the limit max_nesting allows, "
        "or a type is: pointers to pointers, arrays of arrays, structs in structs. `--max-nesting` raises the limit; "
        "mostly a program has written the script.",
        bad="print(((((1)))));",
        good="print(1);",
        limits={"max_nesting": 4},
    ),
)
