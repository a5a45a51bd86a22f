"""Errors in the directives of tests (`hds test`): E300 to E305."""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Row

_SCRIPT = "print(1);\n\n"

TEST_ERRORS: tuple[Row, ...] = (
    Row(
        Code.UNKNOWN_DIRECTIVE,
        "no directive of a test",
        "A test begins with `// test: NAME`, and each comment line below it, up to the first line that is none, is a "
        "directive `KEY: VALUE`. A remark between them begins with `// #`. An unknown key would mean that nothing is "
        "tested, so it is an error.",
        _SCRIPT + "// test: one\n//   output: 1\n",
        _SCRIPT + "// test: one\n//   out: 1\n",
    ),
    Row(
        Code.BAD_TEST_VALUE,
        "no value for this directive",
        "What stands behind the colon cannot be read: a number, a regular expression, a text in quotes, a place. "
        "Counts, exit codes and places are decimal; registers, addresses and values are hexadecimal, as in scripts.",
        _SCRIPT + "// test: one\n//   re: (1\n",
        _SCRIPT + "// test: one\n//   re: (1)\n",
    ),
    Row(
        Code.TEST_NAME,
        "a test without a name, or one of two with the same",
        "Tests are chosen and reported by the path of their file and their name, so each has one that no other test "
        "of the file has.",
        _SCRIPT + "// test: one\n//   out: 1\n\n// test: one\n//   exit: 0\n",
        _SCRIPT + "// test: one\n//   out: 1\n\n// test: two\n//   exit: 0\n",
    ),
    Row(
        Code.DIRECTIVES_CONFLICT,
        "directives that do not go together",
        "A test has one command line. `silent:`, `out-file:` and lines of `out:` say all about the output, so only "
        "one of the three is there. A test with `check:` executes nothing, and one with `eval:` has neither a guest "
        "program nor events.",
        _SCRIPT + "// test: one\n//   silent:\n//   out: 1\n",
        _SCRIPT + "// test: one\n//   out: 1\n",
    ),
    Row(
        Code.BAD_TEST_COMMAND,
        "a wrong command line of a test",
        "`run:`, `eval:` and `check:` have the command line of these subcommands, without the script: that is the "
        "file that the test stands in. What is wrong with it is said as by the subcommand.",
        _SCRIPT + "// test: one\n//   eval: --regs rax=1\n//   out: 1\n",
        _SCRIPT + "// test: one\n//   eval: --reg rax=1\n//   out: 1\n",
    ),
    Row(
        Code.DIRECTIVE_OUTSIDE,
        "a directive outside of a test",
        "A test ends at the first line that is no `//` comment, so a directive behind an empty line belongs to none. "
        "It would never be looked at.",
        _SCRIPT + "// test: one\n\n// out: 1\n",
        _SCRIPT + "// test: one\n// out: 1\n",
    ),
)
