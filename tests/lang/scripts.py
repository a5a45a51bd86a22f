"""A strategy for scripts: random, mostly well-formed, with every construct of the grammar."""

from __future__ import annotations

from hypothesis import strategies as st

# What most scripts start with, so that many of them compile.
PRELUDE = (
    "struct P { int mx; struct P *next; short w[3]; }; struct P s1 = {1}; struct P *p = &s1; s1.next = p; "
    "int v[3] = {1, 2, 3}; unsigned char *q = (unsigned char *)10000000; double dv = 1.5; x = y = i = 3; "
    ".g = 1; long fn(int n, char m) { if (n < 1) { return m; } return fn(n / 2, m) + n; } "
)
NAMES = st.sampled_from(["x", "y", "i", "total", "p", "v", "q", "dv"])
NUMBERS = st.sampled_from(["0", "1", "ff", "0n12", "0y101", "0t17", "1`000", "beef"])
ATOMS = st.one_of(
    NAMES,
    NUMBERS,
    st.sampled_from(
        [".g", ".h", "@rax", "@cl", "rbx", "$pid", "2.5", '"text"', 'L"wide"', "sizeof(int *)", "sizeof x"]
    ),
)
BINARY = st.sampled_from(
    ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&&", "||"]
)
UNARY = st.sampled_from(["-", "~", "!", "+", "*", "&", "- -", "& ", "(char)", "(struct P *)", "sizeof "])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, BINARY, inner).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"),
        st.tuples(UNARY, inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(st.sampled_from(["v", "q", "s1.w", "p->w"]), inner).map(lambda parts: f"{parts[0]}[{parts[1]} % 3]"),
        inner.map(lambda text: f"(p)->next->mx + s1.mx + db(10000000 + ({text}) % 10)"),
        st.tuples(inner, inner).map(lambda parts: f"fn({parts[0]}, {parts[1]})"),
    )


EXPRESSIONS = st.recursive(ATOMS, _larger, max_leaves=6)
PLACES = st.sampled_from(
    ["x", "y", "total", "dv", ".g", "@rax", "*q", "v[1]", "p->mx", "s1.w[2]", "q[x & 7]", "*(x + 8)"]
)
ASSIGNMENTS = st.one_of(
    st.tuples(PLACES, st.sampled_from(["=", "+=", "<<=", "= y ="]), EXPRESSIONS).map(" ".join),
    st.tuples(PLACES, st.sampled_from(["++", "--"])).map("".join),
    PLACES.map(lambda place: f"++{place}"),
    EXPRESSIONS.map(lambda text: f"print({text})"),
    EXPRESSIONS.map(lambda text: f'printf("%d\\n", {text})'),
)
SIMPLE = st.one_of(
    ASSIGNMENTS,
    EXPRESSIONS.map(lambda text: f"int k1 = {text}, *k2, k3[3] = {{1, {{2}}}}"),
    EXPRESSIONS.map(lambda text: f"double .h = y = {text}"),
    st.sampled_from(["", "return", "x = 5", "struct Q { int mx; struct Q *next, *w[2]; } s2", "struct R"]),
    st.sampled_from(["typedef unsigned long Big, *PBig", "typedef struct { int mx; } Anon", "unsigned char z[2] = {}"]),
)
COMMENTS = st.sampled_from(["", "", "", " // note\n", " /* note */ ", "\n\n", "\n/* two\n * lines */\n"])


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(st.tuples(inner, COMMENTS).map("".join), max_size=3).map(" ".join)
    return st.one_of(
        st.tuples(EXPRESSIONS, body, EXPRESSIONS, body, body).map(
            lambda p: f"if ({p[0]}) {{{p[1]}}} elsif ({p[2]}) {{{p[3]}}} else {{{p[4]}}}"
        ),
        st.tuples(EXPRESSIONS, body).map(lambda p: f"while ({p[0]}) {{{p[1]}}}"),
        st.tuples(EXPRESSIONS, body).map(lambda p: f"do {{{p[1]}}} while ({p[0]});"),
        st.tuples(ASSIGNMENTS, EXPRESSIONS, ASSIGNMENTS, body).map(
            lambda p: f"for ({p[0]}; {p[1]}; {p[2]}) {{{p[3]}}}"
        ),
        body.map(lambda text: f"for (;;) {{{text}}}"),
        body.map(lambda text: f"{{{text}}}"),
    )


STATEMENTS = st.recursive(SIMPLE.map(lambda text: f"{text};"), _blocks, max_leaves=6)
FUNCTIONS = st.tuples(st.sampled_from(["int jn(int n, m)", "void *gn(void)", "long long hn()"]), STATEMENTS).map(
    lambda p: f"{p[0]} {{ {p[1]} }}"
)
SCRIPTS = st.tuples(
    st.sampled_from(["? ", *[PRELUDE] * 7]),
    st.lists(st.tuples(st.one_of(STATEMENTS, STATEMENTS, FUNCTIONS), COMMENTS).map("".join), max_size=4).map(" ".join),
).map("".join)
PIECES = st.sampled_from(
    [*"{}()[];,.=+-*/%&|^~!<>?:@$#\"'`\\ \n\t\r", "if", "else", "while", "for", "int ", "struct ", "typedef ", "return",
     "0x", "0n9", "1.5", ".g", "a", "x", "@rax", "$pid", "$arg1", "//", "/*", "*/", "#include", "poi", "printf", '"%d"',
     "sizeof", "fn", "L\"", "nt!x", "->", "==", "&&", "++"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=25).map("".join), st.text(max_size=30))
