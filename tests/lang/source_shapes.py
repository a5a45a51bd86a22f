"""Shapes of sources that grow: what has taken time or memory out of proportion, and what could."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A text of any size: `before`, then `unit` again and again ({i} is its number), then `after`."""

    name: str
    unit: str
    before: str = ""
    after: str = ""

    def text(self, size: int) -> str:
        """About `size` characters, in one line."""
        parts: list[str] = []
        length = 0
        while length < size:
            part = self.unit.replace("{i}", str(len(parts)))
            parts.append(part)
            length += len(part)
        return self.before + "".join(parts) + self.after


SHAPES = (
    Shape("semicolons", ";"),
    Shape("blocks", "{}"),
    Shape("prints", "print(1); "),
    Shape("printfs", 'printf("%d", 1);'),
    Shape("declarations", "int v{i}_v;"),
    Shape("list of declarators", ",v{i}_v", "int v_v"),
    Shape("names", "v{i}_v = 1;"),
    Shape("names in a function", "v{i}_v = 1;", "void fn() {", "}"),
    Shape("names in branches", "if (1) { v{i}_v = 1; } else { v{i}_v = 2; }", "void fn() {", "}"),
    Shape("names that nobody assigned", "x = v{i}_v;"),
    Shape("chain", "x=", after="1;"),
    Shape("chain of globals", ".x=", after="1;"),
    Shape("sum", "x+", "x=1;x=", "1;"),
    Shape("comparisons", "x<", "x=1;x=", "1;"),
    Shape("rows", "u_v<", "int u_v[3][3]; if(", "1){}"),
    Shape("addresses", "&v_v", "int v_v[3]; x=", "1;"),
    Shape("pointers to pointers", "*x", "x=1;x=1", ";"),
    Shape("initialisers that are computed", "x,", "x=1; int v_v[]={", "1};"),
    Shape("elsif", "elsif(x){}", "x=1;if(x){}"),
    Shape("initialisers", "1,", "int v_v[]={", "1};"),
    Shape("initialisers in groups", "{1},", "int v_v[][1]={", "{1}};"),
    Shape(
        "initialisers of members", "1,", "struct s_s {" + "int a_m, b_m;" * 1 + "}; struct s_s v_v[10000] = {", "1};"
    ),
    Shape("members", "int m{i}_m;", "struct s_s {", "};"),
    Shape("structs", "struct s{i}_s { int mx; };"),
    Shape("typedefs", "typedef int t{i}_t;"),
    Shape("typedef words", "typedef "),
    Shape("typedefs without end", "typedef x "),
    Shape("functions", "void f{i}_f() { }"),
    Shape("unknown functions", "f{i}_f();"),
    Shape("known and unknown functions", "void f{i}_f() { g{i}_g(); }"),
    Shape("unknown members", "v_v.m{i}_m = 1;", "struct s_s { int mx; }; struct s_s v_v;"),
    Shape("unknown tags", "struct s{i}_s v_v;"),
    Shape("parameters", ",p{i}_p", "void fn(p_p", ") { }"),
    Shape("stray characters", "\x01 "),
    Shape("wrong digits", "0xg;"),
    Shape("wrong registers", "@zz;"),
    Shape("wrong escapes", "\\q", 'x = strlen("', '");'),
    Shape("expressions as statements", "a;"),
    Shape("closing braces", "}"),
    Shape("opening braces", "{"),
    Shape("percent signs", "%", 'printf("', '");'),
    Shape("specifiers", "%d", 'printf("', '");'),
    Shape("digits", "1", "print(0n", ");"),
    Shape("name", "v", after="=1;"),
    Shape("includes", '#include "nothing.hds" '),
    Shape("includes in blocks", "{}", "while (1) {", '} #include "nothing.hds"'),
    Shape("comments", "/**/"),
    Shape("open comments", "/*"),
    Shape("quotes", "'a'"),
)
SHAPE = {shape.name: shape for shape in SHAPES}
