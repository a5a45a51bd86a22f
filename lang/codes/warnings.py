"""Warnings: W001 to W020, and remarks: R001. A remark is for `hds check` only, and never counts as an error."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Row

WARNINGS: tuple[Row, ...] = (
    Row(
        Code.UNASSIGNED_LOCAL,
        "local variable that is read before any assignment in the text; it is 0",
        "Nothing before this place assigns the variable, so it is 0 here, unless a loop comes back. Often the name is "
        "misspelt, or a global was meant, which has a dot. HyperDbg v0.23 rejects such a script.",
        bad="print(total);",
        good="total = 5; print(total);",
    ),
    Row(
        Code.UNASSIGNED_GLOBAL,
        "global that is read and that neither this script nor the session has assigned; it is 0",
        "No script so far assigns the global, so it is 0. Initialise it with `? .name = 0;` before the events that "
        "use it. HyperDbg v0.23 rejects such a script.",
        bad="print(.total);",
        good=".total = 5; print(.total);",
    ),
    Row(
        Code.END_REACHED,
        "function with a result that can reach its end",
        "On some path the function ends without `return`; it returns 0 then. HyperDbg v0.23 returns whatever an "
        "earlier call left.",
        bad="int sign(int n) { if (n < 0) { return -1; } } print(sign(5));",
        good="int sign(int n) { if (n < 0) { return -1; } return 1; } print(sign(5));",
    ),
    Row(
        Code.UNREACHABLE,
        "statement that can never be reached",
        "A `return`, `break` or `continue`, or a loop without an end, stands before the statement, so it never runs.",
        bad="while (1) { break; print(1); }",
        good="while (1) { print(1); break; }",
    ),
    Row(
        Code.GROUPING_BRACES,
        "inner braces of an initialiser that do not fit the row or member they stand at",
        "The values of a list fill the elements in storage order, and inner braces only group. `{{1}, {4}}` for two "
        "rows of three sets the first two elements of the first row. Write all values of each group.",
        bad="int v[2][3] = {{1}, {4}}; print(v[1][0]);",
        good="int v[2][3] = {{1, 0, 0}, {4, 0, 0}}; print(v[1][0]);",
    ),
    Row(
        Code.STRAY_PERCENT,
        "percent sign in a format that begins no specifier",
        "The percent sign is printed as it is, and so are the specifiers of C that HyperDbg does not have, such as "
        "`%hhx`: they take no argument. Write `%%` if a percent sign is meant; that is portable to hds only, since "
        "HyperDbg v0.23 prints both signs.",
        bad='printf("50%, %d\\n", 5);',
        good='printf("50 percent, %d\\n", 5);',
    ),
    Row(
        Code.FLOAT_BITS,
        "bits of a floating-point value that are passed or printed",
        "`print` and the built-in functions take integers: of a floating-point value they get the bits. Print it with "
        '`printf("%f\\n", v)`, or convert it with a cast.',
        bad="double v = 1.5; print(v);",
        good='double v = 1.5; printf("%f\\n", v); print((int)v);',
    ),
    Row(
        Code.EMPTY_NUMBER,
        "number prefix without digits",
        "A prefix such as 0x or 0n alone is the number 0. Probably its digits got lost.",
        bad="x = 0x; print(x);",
        good="x = 0x0; print(x);",
    ),
    Row(
        Code.CONSTANT_COMPARISON,
        "comparison that is always true or always false because of the types",
        "An unsigned value is never below 0. Variables without a declaration and the results of built-in functions are "
        "unsigned: declare an `int` to get a signed one.",
        bad='if (strcmp("x", "y") < 0) { print(1); }',
        good='int order = strcmp("x", "y"); if (order < 0) { print(1); }',
    ),
    Row(
        Code.CERTAIN_STOP,
        "constant zero divisor or impossible constant shift count",
        "The run will stop here with division_by_zero or shift_out_of_range. A shift count is at least 0 and below the "
        "width of the operands: 64, or 32 if both are `int`. Numbers are hexadecimal, so 40 is already too much.",
        bad="x = 5; print(x << 40);",
        good="x = 5; print(x << 0n40);",
    ),
    Row(
        Code.BARE_REGISTER,
        "bare register name that is written",
        "A word that is the name of a register is that register, also without `@`, so that this assignment changes the "
        "machine and no variable. Write the `@`, or use another name.",
        bad="rax = 5;",
        good="@rax = 5;",
    ),
    Row(
        Code.INTEGER_TO_POINTER,
        "integer that becomes a pointer without a cast",
        "The number is taken for the address. A cast shows that this is meant; HyperDbg v0.23 needs it.",
        bad="int *p = @rcx; print(p);",
        good="int *p = (int *)@rcx; print(p);",
    ),
    Row(
        Code.POINTER_TYPES,
        "pointers of different types without a cast",
        "The same address now points to another type. A cast shows that this is meant; HyperDbg v0.23 needs it. From "
        "and to `void *` no cast is needed here.",
        bad="int v = 5; int *p = &v; char *q = p; print(*q);",
        good="int v = 5; int *p = &v; char *q = (char *)p; print(*q);",
    ),
    Row(
        Code.CONSTANT_DOES_NOT_FIT,
        "constant that does not fit the type it is assigned to",
        "Only the low bits are kept. Numbers are hexadecimal: 100 is 256 and does not fit an `unsigned char`.",
        bad="unsigned char v = 100; print(v);",
        good="unsigned char v = 0n100; print(v);",
    ),
    Row(
        Code.COMPARISON_PRIORITY,
        "`==` or `!=` and an ordering without parentheses",
        "All comparisons have the same priority here, so `x == y < z` is `(x == y) < z`. C would read `x == (y < z)`. "
        "Parentheses say which is meant.",
        bad="if (1 == 2 < 3) { print(1); }",
        good="if ((1 == 2) < 3) { print(1); }",
    ),
    Row(
        Code.VALUE_AS_ADDRESS,
        "value of a variable that is passed where an address is meant",
        "The interlocked and spinlock functions take the address of what they change. Here the value of the variable "
        "would be taken for the address: put a `&` in front.",
        bad=".count = 0; interlocked_increment(.count);",
        good=".count = 0; interlocked_increment(&.count);",
    ),
    Row(
        Code.DECLARED_AGAIN,
        "variable that is declared again with another type",
        "From here on the name means a new variable with the new type. HyperDbg v0.23 keeps the storage and reads it "
        "differently. Use another name.",
        bad="int v = 5; char v = 6; print(v);",
        good="int v = 5; char w = 6; print(v + w);",
    ),
    Row(
        Code.NARROW_PARAMETER,
        "64-bit value that is passed to a narrower parameter",
        "The parameter keeps the low bits only, so an address loses its upper half. HyperDbg v0.23 ignores the types "
        "of parameters and passes all 64 bits. Declare the parameter as `long`, or as a pointer.",
        bad="void show(int n) { print(n); } show(@rip);",
        good="void show(long n) { print(n); } show(@rip);",
    ),
    Row(
        Code.CONSTANT_CONDITION,
        "condition that is a constant, or a hexadecimal word that looks like a variable",
        "The condition never changes. If it is a word such as `a` or `fee`, it is a number and no variable. `while "
        "(1)` is the usual endless loop and gives no warning.",
        bad="if (a) { print(1); }",
        good="a_v = 1; if (a_v) { print(1); }",
    ),
    Row(
        Code.HEXADECIMAL_BOUND,
        "bound of a loop that looks decimal and is hexadecimal",
        "The number has two or more digits, all of them 0 to 9, and no prefix, so that `i < 10` makes sixteen rounds. "
        "Write 0n10 for ten, or 0x10 if sixteen is meant. The value with which a `for` begins counts as a bound, too.",
        bad="for (i = 0; i < 10; i++) { print(i); }",
        good="for (i = 0; i < 0n10; i++) { print(i); }",
    ),
)

REMARKS: tuple[Row, ...] = (
    Row(
        Code.HEXADECIMAL_COMPARISON,
        "number in a comparison that looks decimal and is hexadecimal",
        "The number has two or more digits, all of them 0 to 9, and no prefix: `@rdi == 10` is true for sixteen. Write "
        "0n10 for ten, or 0x10 if sixteen is meant. `hds check` says this once a file.",
        bad="if (@rdi == 10) { print(1); }",
        good="if (@rdi == 0n10) { print(1); }",
    ),
)
