"""Constructs of other languages: the message names them, and the hint says how they are written here."""

from __future__ import annotations

from lang import foreign
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic
from lang.lexer import KEYWORDS, TYPE_WORDS
from lang.source import SourceFile

# A script, the construct that is named, what the hint has.
FOREIGN = [
    ("let x = 3;", "`let`", "name = value;"),
    ("let mut x = 3;", "`let`", "name = value;"),
    ("var x = 3;", "`var`", "name = value;"),
    ("auto x = 3;", "`auto`", "name = value;"),
    ("const int x = 3;", "`const`", "leave it out"),
    ("static int x = 3;", "`static`", ".name"),
    ("def fn(n): return n;", "`def`", "int name(int n)"),
    ("func fn() { print(1); }", "`func`", "int name(int n)"),
    ("fn run(n: i32) -> i32 { n }", "`fn`", "int name(int n)"),
    ("function run() { print(1); }", "`function`", "int name(int n)"),
    ("lambda n: n", "`lambda`", "int name(int n)"),
    ("switch (x) { case 1: print(1); break; default: print(2); }", "`switch`", "elsif"),
    ("match x { 1 => print(1) }", "`match`", "elsif"),
    ("case 1: print(1);", "`case`", "elsif"),
    ("if (x) { } elif (y) { }", "`elif`", "elsif"),
    ("if (x) { } elseif (y) { }", "`elseif`", "elsif"),
    ("if (x) then { print(1); }", "`then`", "{ ... }"),
    ("unless (x) { print(1); }", "`unless`", "if (!(...))"),
    ("until (x == 1) { print(1); }", "`until`", "while (!(...))"),
    ("loop { print(1); }", "`loop`", "while (1)"),
    ("foreach (x in y) { print(x); }", "`foreach`", "for (i = 0;"),
    ("for (x in y) { print(x); }", "`for` over", "for (i = 0;"),
    ("for (x : y) { print(x); }", "`for` over", "for (i = 0;"),
    ("try { print(1); } ", "`try`", "run-time error"),
    ("import os;", "`import`", "#include"),
    ('echo "hi";', "`echo`", "printf"),
    ('println!("hi");', "macros", "printf"),
    ("vec!(1, 2);", "macros", "name(value, ...)"),
    ("class A_t { };", "`class`", "struct"),
    ("p = new int;", "`new`", "array"),
    ("mov rax, 1", "`mov`", "@rax ="),
    ('string s_v = "a";', "type `string`", 'printf("...")'),
    ("uint32_t x = 1;", "type `uint32_t`", "`unsigned int`"),
    ("DWORD x = 1;", "type `DWORD`", "`unsigned int`"),
    ("QWORD x = 1;", "type `QWORD`", "`unsigned long`"),
    ("size_t x = 1;", "type `size_t`", "`unsigned long`"),
    ("x = (BYTE)@rax;", "type `BYTE`", "`unsigned char`"),
    ("int fn(u16 n) { return n; }", "type `u16`", "`unsigned short`"),
    ("struct S { PVOID p_m; };", "type `PVOID`", "`void *`"),
    ("boolean x = 1;", "type `boolean`", "`bool`"),
    ("if (@rax and @rbx) { print(1); }", "`and`", "`&&`"),
    ("if (@rax or @rbx) { print(1); }", "`or`", "`||`"),
    ("if (@rax is 1) { print(1); }", "`is`", "`==`"),
    ("if (@rax === 1) { print(1); }", "`===`", "`==`"),
    ("if (@rax !== 1) { print(1); }", "`!==`", "`!=`"),
    ("if (@rax <> 1) { print(1); }", "`<>`", "`!=`"),
    ("if (@rax =< 1) { print(1); }", "`=<`", "`<=`"),
    ("x := 3;", "`:=`", "`=`"),
    ("for i := 0; i < 5; i++ { print(i); }", "parts of `for`", "for (i = 0;"),
    ("x ||= 1;", "`||=`", "x || y"),
    ("x = @rax ?? 1;", "`??`", "if / else"),
    ("x = 1 if @rax else 2;", "`if` gives no value", "else { x = 2; }"),
    ("if @rax == 1 { print(1); }", "the condition of `if`", "if (...)"),
    ("while @rax < 5 { print(1); }", "the condition of `while`", "while (...)"),
    ("if @rax == 1: print(1);", "the condition of `if`", "if (...)"),
    ("for i in range(5) { print(i); }", "parts of `for`", "for (i = 0;"),
    ("if (@rax) { } else: print(2);", "`:`", "braces"),
    ("again: print(1);", "`:`", "no labels"),
    ("int[] v = {1};", "size of an array", "int name[0n3]"),
    ("x = [1, 2];", "a list", "int name[0n3] = {1, 2, 3};"),
    ("x = [rax];", "brackets", "poi(@rax)"),
    ('console.log("hi");', "no methods", "name(value, ...)"),
    ("void fn() -> int { }", "type of a result", "int name(int n)"),
    ('printf(f"{x}");', "no prefix `f`", "inserts values"),
    ('printf("a" "b");', "strings are not joined", "one string"),
    ("if (not @rax) { print(1); }", "`not` is a built-in function", "`!`"),
    ("bp main;", "`bp` is a command", "a line of their own"),
    ("r rax = 1;", "`r` is a command", "a line of their own"),
    ("printf('hi');", "strings have double quotes", '"hi"'),
    ("printf('hi %d\\n', @rax);", "strings have double quotes", '"hi %d\\n"'),
    ("printf('h');", "no character constants", '"h"'),
    ("if (@al == 'A') { print(1); }", "no character constants", "0x41"),
    ('puts("hi");', "no function `puts`", "printf"),
    ('println("hi");', "no function `println`", "printf"),
    ("exit(0);", "no function `exit`", "return;"),
]


def errors(script: str) -> list[Diagnostic]:
    made = Compiler(portability=False).compile(SourceFile("x", script))
    return [item for item in made.diagnostics if item.code.startswith("E")]


def test_the_construct_is_named_with_how_it_is_written_here() -> None:
    def is_named(script: str, named: str, hint: str) -> bool:
        found = errors(script)
        return len(found) == 1 and named in found[0].message and hint in (found[0].hint or "")

    assert [row for row in FOREIGN if not is_named(*row)] == []


def test_a_constant_of_another_language_has_its_value_as_a_hint() -> None:
    for name, value in foreign.CONSTANTS.items():
        (item,) = Compiler(portability=False).compile(SourceFile("x", f"x = {name};")).diagnostics
        assert (item.code, item.hint) == ("W001", f"the language has no `{name}`: write {value}")
        assert Compiler(portability=False).compile(SourceFile("x", f"{name} = 5; x = {name};")).diagnostics == ()


NAMES = sorted({*foreign.WORDS, *foreign.TYPES, *foreign.TEXT_TYPES, *foreign.CONSTANTS, *foreign.WORD_OPERATORS})
HEXADECIMAL = set("0123456789abcdef")


def test_none_of_these_words_is_reserved() -> None:
    script = "@ = 5; @++; @ += 2; if (@ == 1) { print(@ * 2); } int run_v(int @) { return @; }"
    names = [name for name in NAMES if not set(name.lower()) <= HEXADECIMAL]
    assert [name for name in names if errors(script.replace("@", name))] == []
    for name in names:
        assert [item.message for item in errors(f"{name} = 5 + ;")] == ["found `;`, expected an expression"], name


def test_no_word_of_the_tables_is_one_of_the_language() -> None:
    assert not (KEYWORDS | TYPE_WORDS) & set(NAMES)
    assert foreign.SIGNS.keys().isdisjoint({"<<", ">>", "&&", "||", "->", "++", "--", "==", "!=", "<=", ">="})


def test_the_parser_goes_on_behind_the_block_of_such_a_construct() -> None:
    script = "if @rax { x = ; }\nfor i := 0; i < 5; i++ { y = ; }\nz = ;\n"
    assert [item.span.line for item in errors(script)] == [1, 2, 3]
