"""Portability remarks on arrays, pointers and structs: P060 to P082."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Remark

OBJECT_REMARKS: tuple[Remark, ...] = (
    Remark(
        Code.V023_ARRAY_SIZE,
        "array sizes in base 16",
        "Array sizes are hexadecimal as all numbers: `int v[10]` has sixteen elements. HyperDbg v0.23 reads "
        "the digits as decimal, whatever the prefix, and makes ten. Write `0n16` or `0n10`, or one digit, "
        "which both read alike.",
        bad="int v[10] = {1}; print(sizeof(v));",
        good="int v[0n16] = {1}; print(sizeof(v));",
        v023="decimal, whatever the prefix; same only for one digit 1-9 and `0n..`",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_ELEMENT,
        "writing an element: `v[i] = e`, `v[i] += e`, member arrays",
        "Elements of arrays can be written. HyperDbg v0.23 stops with a run-time error at `v[i] = e` and "
        "`v[i] += e`; use variables, or memory of the guest.",
        bad="int v[3] = {1, 2, 3}; v[1] = 5; print(v[1]);",
        good="int v[3] = {1, 5, 3}; print(v[1]);",
        v023="run-time error",
        kinds="E",
        seen="s",
    ),
    Remark(
        Code.V023_ARRAY,
        "arrays without initialiser, with `{}`, with `[]`, in functions and blocks, global",
        "An array may have no initialisers, no size in front of a list, and stand in functions, blocks and "
        "globals. HyperDbg v0.23 wants a size and a list, at the top level of the main program, and rejects "
        "all else.",
        bad="int v[3]; print(v[0]);",
        good="int v[3] = {0, 0, 0}; print(v[0]);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_INDEX,
        "index outside the array stops",
        "An index outside its array stops the script. HyperDbg v0.23 reads or changes what is beside it; "
        "compare the index with the size first.",
        bad="int v[3] = {1, 2, 3}; print(v[@rax]);",
        good="int v[3] = {1, 2, 3}; if (@rax < 3) { print(v[@rax]); }",
        v023="reads or changes what is beside it",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_INITIALISER,
        "one initialiser too many is an error",
        "One initialiser too many is an error here. HyperDbg v0.23 accepts exactly one and drops it; leave it out.",
        bad="int v[2] = {1, 2, 3}; print(v[1]);",
        good="int v[2] = {1, 2}; print(v[1]);",
        v023="accepts exactly one too many",
        kinds="A",
        seen="s",
    ),
    Remark(
        Code.V023_ARRAY_BASE,
        "arrays of `short`; `float` arrays from literals; `double` arrays from integers; integer arrays "
        "from floating point",
        "Elements are converted to the type of their array. HyperDbg v0.23 stores `short` elements, `float` "
        "elements from literals, `double` elements from integers and integer elements from floating point "
        "wrongly; use `int` or `long` with integers, and `double` with floating point.",
        bad='double v[2] = {1, 2}; printf("%f\\n", v[0]);',
        good='double v[2] = {1.0, 2.0}; printf("%f\\n", v[0]);',
        v023="broken",
        kinds="D E",
        seen="s",
    ),
    Remark(
        Code.V023_ROW,
        "row of an array as a value (`v[1]` of `v[2][3]`)",
        "A row of an array, such as `v[1]` of `v[2][3]`, is the address of its first element. HyperDbg "
        "v0.23 rejects it as a value; take the address of the element.",
        bad="int v[2][3] = {1, 2, 3, 4, 5, 6}; x = v[1]; print(dd(x));",
        good="int v[2][3] = {1, 2, 3, 4, 5, 6}; print(v[1][0]);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_ELEMENT_STEP,
        "`v[i]++` changes one element",
        "`v[i]++` changes one element. HyperDbg v0.23 changes 64 bits, so that the next element changes "
        "too; use variables.",
        bad="int v[3] = {1, -1, 3}; v[1]++; print(v[2]);",
        good="int v = -1; v = v + 1; print(v);",
        v023="changes 64 bits",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_ELEMENT_ADDRESS,
        "`&v[i]` is the element's address",
        "`&v[i]` is the address of the element. HyperDbg v0.23 gives the address of a copy, so that writing "
        "through it changes nothing; use a variable of its own.",
        bad="int v[3] = {1, 2, 3}; x = &v[1]; print(dd(x));",
        good="int w = 2; x = &w; print(dd(x));",
        v023="address of a copy",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_POINTER,
        "pointer parameters and results, `T **p`",
        "Functions may take and return pointers, and there are pointers to pointers. HyperDbg v0.23 rejects "
        "them; use a parameter of type `unsigned long` and read with `dd`, `poi` and their like.",
        bad="int fn(int *p) { return *p; } int y = 7; print(fn(&y));",
        good="int fn(unsigned long p) { return dd(p); } y = 7; x = &y; print(fn(x));",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_POINTEE_SIZE,
        "`*p` of a typed pointer has the pointee's size and sign; `*v = e` with an integer v writes 64 bits",
        "`*p` of a typed pointer has the size and sign of what it points to. HyperDbg v0.23 always reads 64 "
        "bits, and writes the size of the variable p; use `db`, `dw`, `dd` and `eb`, `ed`.",
        bad="x = 0x1122334455667788; int *p = &x; print(*p);",
        good="x = 0x1122334455667788; print(dd(&x));",
        v023="always reads 64 bits; writes the size of the variable v",
        kinds="D",
        seen="p",
    ),
    Remark(
        Code.V023_POINTEE,
        "`*(e) = v`, `*f(x) = v`",
        "`*` may write to any address. HyperDbg v0.23 knows `*name = v` only and rejects `*(e) = v`; put "
        "the address in a variable.",
        bad="*(10000080 + 8) = 5;",
        good="p = 10000088; *p = 5;",
        v023="only `*name = v`",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_BAD_ADDRESS,
        "`*p = v` to a bad address stops",
        "A write to a bad address through `*p` stops the script. HyperDbg v0.23 ignores it; ask `check_address` first.",
        bad="x = 1000; *x = 5; print(1);",
        good="x = @rsp; if (check_address(x)) { *x = 5; }",
        v023="is ignored",
        kinds="D",
        seen="n",
    ),
    Remark(
        Code.V023_POINTER_INDEX,
        "indexing a pointer",
        "A typed pointer can be indexed. HyperDbg v0.23 rejects that; add to the address.",
        bad="int v[3] = {1, 2, 3}; int *p = (int *)v; print(p[1]);",
        good="int v[3] = {1, 2, 3}; x = v; print(dd(x + 4));",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_POINTER_CAST,
        "integer or other pointer type to a pointer without a cast; pointer to a typed integer",
        "Pointers and integers convert into each other when they are assigned. HyperDbg v0.23 rejects an "
        "integer, or a pointer of another type, for a pointer, and a pointer for an integer of a declared "
        "type; write a cast, or use a variable without a type.",
        bad="x = 5; unsigned long long q = &x; print(q);",
        good="x = 5; unsigned long long q = (unsigned long long)&x; print(q);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_ADDRESS,
        "`&` of registers, pseudo-registers, literals is an error",
        "Registers, pseudo-registers and literals have no address: `&` on them is an error here. HyperDbg "
        "v0.23 gives 0 or an address inside its compiled code; assign to a variable and take its address.",
        bad="x = &@rax; print(x);",
        good="y = @rax; x = &y; print(x);",
        v023="0, or an address inside the compiled code",
        kinds="A",
        seen="s",
    ),
    Remark(
        Code.V023_STRUCT,
        "struct objects: initialised from a struct, pointer initialised with `&v`, nested initialisers, "
        "typedef names, typedef with body, `(*p).m`, element of an array of structs, pointer-to-struct "
        "parameters, global structs",
        "Structs can be initialised from structs, nested lists and addresses, be named by a typedef, be "
        "elements, globals and parameters through pointers. HyperDbg v0.23 rejects all of this; initialise "
        "members one by one, and use the name with `struct`.",
        bad="struct P { int mx; }; struct P v = {1}; struct P w = v; print(w.mx);",
        good="struct P { int mx; }; struct P v = {1}; struct P w = {1}; print(w.mx);",
        v023="rejects",
        kinds="R",
        seen="s",
    ),
    Remark(
        Code.V023_FLOAT_MEMBER,
        "`float` members from literals, compound assignment on floating members",
        "Floating-point members take literals and compound assignments as values. HyperDbg v0.23 stores "
        "wrong bits; use a variable, or a member of type `double` with a plain assignment.",
        bad='struct P { float mf; }; struct P v; v.mf = 1.5; printf("%f\\n", v.mf);',
        good='struct P { double mf; }; struct P v; v.mf = 1.5; printf("%f\\n", v.mf);',
        v023="wrong bits",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_ARROWS,
        "writing through two arrows: `p->q->m = e`",
        "A write through two arrows reaches the member. HyperDbg v0.23 writes elsewhere; keep the inner "
        "pointer in a variable.",
        bad=(
            "struct P { int mx; struct P *nx; }; struct P v; struct P *p; v.nx = &v; p = &v; p->nx->mx "
            "= 4; print(v.mx);"
        ),
        good=(
            "struct P { int mx; struct P *nx; }; struct P v; struct P *p; v.nx = &v; p = v.nx; p->mx = 4; print(v.mx);"
        ),
        v023="writes elsewhere",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_LOCAL_STRUCT,
        "struct objects in functions",
        "Struct objects in functions have memory of their own. In HyperDbg v0.23 they overlap with "
        "temporaries; declare them in the main program.",
        bad=("int fn() { struct P { int mx; int my; }; struct P v = {5, 6}; return v.mx + v.my; } print(fn());"),
        good="struct P { int mx; int my; }; struct P v = {5, 6}; print(v.mx + v.my);",
        v023="overlap with temporaries",
        kinds="D",
        seen="s",
    ),
    Remark(
        Code.V023_STRUCT_NUMBER,
        "struct used as a number, struct assigned from a number: errors",
        "A struct that is used as a number, or assigned from one, is an error here. HyperDbg v0.23 gives "
        "its address, or ignores the assignment; name a member, or take the address.",
        bad="struct P { int mx; }; struct P v; x = v; print(x);",
        good="struct P { int mx; }; struct P v; x = v.mx; print(x);",
        v023="gives the address; ignores",
        kinds="A",
        seen="s",
    ),
    Remark(
        Code.V023_ARRAY_AGAIN,
        "array declared again with another size is a new array",
        "An array that is declared again with another size is a new array. HyperDbg v0.23 keeps the old "
        "one; use another name.",
        bad="int v[3] = {1, 2, 3}; int v[2] = {7, 8}; print(v[0]);",
        good="int v[3] = {1, 2, 3}; int w[2] = {7, 8}; print(w[0]);",
        v023="keeps the old one",
        kinds="D",
        seen="s",
    ),
)
