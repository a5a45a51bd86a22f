"""The rows H1 to H38 of events-and-commands.md, and the rules of A.3 that have no row."""

from __future__ import annotations

import pytest

from lang.commands import Token, TokenKind, tokenize
from lang.source import SourceFile

N, S, L, B = TokenKind.NUM, TokenKind.STRING, TokenKind.STRING_LITERAL, TokenKind.BRACKET_STRING
KINDS = {"N": N, "S": S, "L": L, "B": B}


def tokens(text: str) -> list[Token]:
    return tokenize(SourceFile("test", text))


def show(text: str) -> list[str]:
    """Tokens as kind letter, blank, text."""
    return [f"{next(k for k, kind in KINDS.items() if kind is token.kind)} {token.text}" for token in tokens(text)]


ROWS = {
    "H1": ("   lead   trail   ", ["S lead", "S trail"]),
    "H4": ("db 10", ["N db", "N 10"]),
    "H5": (
        r"eb 1000 0n16 n12 x1f \x90 0y11 10`20",
        ["N eb", "N 1000", "N 0n16", "N n12", "N x1f", r"N \x90", "S 0y11", "N 10`20"],
    ),
    "H6": ("z 0xzz 12g 7fff_0", ["S z", "S 0xzz", "S 12g", "S 7fff_0"]),
    "H7": ("db nt!Foo+10 l 20", ["N db", "S nt!Foo+10", "S l", "N 20"]),
    "H8": (
        "!syscall 0n85 pid 1f4 script { print(@rax); }",
        ["S !syscall", "N 0n85", "S pid", "N 1f4", "S script", "B  print(@rax); "],
    ),
    "H9": (
        "!cpuid script{a}condition{90}output {x,y}",
        ["S !cpuid", "S script", "B a", "S condition", "B 90", "S output", "B x,y"],
    ),
    "H10": ("{a} b", ["B a", "N b"]),
    "H11": ("?  {} z", ["S ?", "B ", "S z"]),
    "H12": ("!x {\n if (1) { b(); }\n}", ["S !x", "B \n if (1) { b(); }\n"]),
    "H13": ('x {a "}" b} y', ["S x", 'B a "}" b', "S y"]),
    "H14": (r'v { "\"" } w', ["S v", r'B  "\"" ', "S w"]),
    "H15": (r"r {\{ s \} t} u", ["S r", "B { s } t", "S u"]),
    "H16": (r"a {b\\} c", ["N a", r"S b\} c"]),
    "H17": ("x {unclosed 1f", ["S x", "S unclosed 1f"]),
    "H18": ("foo}bar baz}", ["S foo}bar", "S baz}"]),
    "H19": (r'.start path "c:\my dir\a.exe" -x 5', ["S .start", "S path", r"L c:\my dir\a.exe", "S -x", "N 5"]),
    "H20": (r".start path c:\dir\new.exe", ["S .start", "S path", r"S c:\dir\new.exe"]),
    "H21": (r'x "a \" b"c', ["S x", 'L a " b', "N c"]),
    "H22": ('a"b c"d', ["N a", "L b c", "N d"]),
    "H23": ('"a""b"', ["L a", "L b"]),
    "H24": ('say "" end', ["S say", "S end"]),
    "H25": ('s "{ x }" y', ["S s", "L { x }", "S y"]),
    "H26": ("alpha/*c*/beta   gamma", ["S alphabeta", "S gamma"]),
    "H27": ("db nt!Foo+10 l 20//tail", ["N db", "S nt!Foo+10", "S l", "N 20"]),
    "H28": ("m ///*n\no", ["S m", "S o"]),
    "H29": (r"a // hi \n b", ["N a", "N b"]),
    "H30": ("a / b / * c", ["N a", "S /", "N b", "S /", "S *", "N c"]),
    "H31": ("a /* open", ["N a", "S /*", "S open"]),
    "H32": ("k */ l", ["S k", "S */", "S l"]),
    "H33": ('n "// not comment" p', ["S n", "L // not comment", "S p"]),
    "H34": ("!x {\n /* c } */ 1\n}", ["S !x", "B \n /* c } */ 1\n"]),
    "H35": ("x {a // }\nb } y", ["S x", "B a // ", "N b", "S }", "S y"]),
    "H36": ('q {"a // in string" // real\n w} z', ["S q", 'B "a // in string" // real\n w', "S z"]),
    "H37": ("/* only */", []),
    "H38": (r"\n lead", ["S lead"]),
}


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_table(row: str) -> None:
    text, expected = ROWS[row]
    assert show(text) == expected


def test_H2_deviates_a_newline_separates_tokens() -> None:
    assert show("? x = 1;\n? y = 2;") == ["S ?", "S x", "S =", "S 1;", "S ?", "S y", "S =", "S 2;"]


def test_H3_deviates_a_tab_separates_tokens() -> None:
    assert show("a\tb") == ["N a", "N b"]


def test_carriage_returns_and_form_feeds_separate_tokens() -> None:
    assert show("r\rs\r\nt\fu\vv") == ["S r", "S s", "S t", "S u", "S v"]


def test_unclosed_quote_makes_the_rest_one_word() -> None:
    assert show('x "open { 1  ') == ["S x", "S open { 1"]


def test_unclosed_block_may_be_a_number() -> None:
    assert show("x { 1f ") == ["S x", "N 1f"]


def test_paired_backslashes_do_not_escape_a_quote() -> None:
    assert show(r'"c:\dir\\" next') == [r"L c:\dir\\", "S next"]


def test_literals_are_not_trimmed() -> None:
    assert show('" a "') == ["L  a "]


def test_written_newline_and_digits_is_a_decimal_number() -> None:
    assert [token.value for token in tokens(r"\n16")] == [16]


def test_written_newline_inside_a_word_is_kept() -> None:
    assert show(r"c:\new") == [r"S c:\new"]


def test_closing_brace_in_a_comment_closes_what_its_own_line_opened() -> None:
    assert show("!x { print(1); // c } imm no") == ["S !x", "B  print(1); // c ", "S imm", "S no"]


def test_closing_brace_in_a_comment_does_not_close_an_earlier_line() -> None:
    assert show("!x {\n // }\n} y") == ["S !x", "B \n // }\n", "S y"]


def test_braces_that_pair_inside_a_comment_do_not_count() -> None:
    assert show("!x { // {a}\n} y") == ["S !x", "B  // {a}\n", "S y"]


def test_written_newline_in_a_commented_string_does_not_end_the_comment() -> None:
    assert show('// printf("\\n");') == []


def test_literal_after_a_comment_mark_hides_its_braces() -> None:
    assert show('!x { // "}" } y') == ["S !x", 'B  // "}" ', "S y"]


def test_byte_order_mark_is_skipped() -> None:
    assert show("\ufeff!cpuid") == ["S !cpuid"]


def test_span_of_a_block_is_its_inside() -> None:
    block = tokens("!x script { a; }")[2]
    assert (block.span.text, block.span.column) == (" a; ", 12)


def test_span_of_a_literal_is_its_inside() -> None:
    assert tokens('x "a b"')[1].span.text == "a b"


def test_position_behind_an_escaped_brace_points_into_the_file() -> None:
    block = tokens(r"x {\{ a \} b}")[1]
    assert block.text == "{ a } b"
    assert block.span_of(block.text.index("b"), len(block.text)).text == "b"


def test_position_behind_an_escaped_quote_points_into_the_file() -> None:
    literal = tokens(r'x "a \" b"')[1]
    assert literal.span_of(4, 5).text == "b"


def test_position_behind_a_comment_in_a_word_points_into_the_file() -> None:
    word = tokens("al/*c*/be")[0]
    assert word.span_of(2, 4).text == "be"
