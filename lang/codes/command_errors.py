"""Errors and warnings of the command level: E200 to E240, W021, W030.

Numbers in parentheses at the end of a message are HyperDbg's own error numbers (events-and-commands.md B.15).
"""

from __future__ import annotations

from lang.code import Code
from lang.codes.rows import Row
from vm.facts.errors import ErrorNumber
from vm.facts.events import EVENTS

COMMAND_ERRORS: tuple[Row, ...] = (
    Row(
        Code.UNKNOWN_COMMAND,
        "unknown command",
        "The first word of a line selects the command, in upper or lower case. Event commands and commands that "
        "work on physical memory begin with `!`, commands about the debugger itself mostly with a dot. HyperDbg "
        "prints the same line and goes on with the next command of the file.",
        "!sycall script { print(1); }",
        "!syscall script { print(1); }",
    ),
    Row(
        Code.BLOCK_NOT_CLOSED,
        "block not closed",
        "A `{` has no matching `}` up to the end of the file, so all that follows would belong to the block. "
        "Braces in strings and comments are not counted, and `\\{` and `\\}` stand for braces that are not counted "
        "either. One exception, as in HyperDbg: a `}` in a `//` comment closes a brace that was opened on the "
        "same line.",
        "!syscall script { print(1);",
        "!syscall script { print(1); }",
    ),
    Row(
        Code.STRING_NOT_CLOSED,
        "quoted parameter not closed",
        'A `"` has no partner up to the end of the file. A quote inside a quoted parameter is written `\\"`, '
        'therefore a quoted path must not end in a single backslash: write "c:\\dir\\\\" or leave the backslash out.',
        '.script "checks.hds',
        '.script "checks.hds"',
    ),
    Row(
        Code.COMMENT_NOT_CLOSED,
        "comment not closed",
        "A `/*` between the commands has no `*/` up to the end of the file. HyperDbg takes such a mark for "
        "ordinary text.",
        "/* all calls\n!syscall",
        "/* all calls */\n!syscall",
    ),
    Row(
        Code.NO_COMMAND,
        "a line that does not begin with a command",
        "A line begins with a brace block. A block belongs to a command only if its `{` stands on the line of "
        "that command.",
        "!syscall 55\n{ print(1); }",
        "!syscall 55 script {\n    print(1);\n}",
    ),
    Row(
        Code.MISSING_VALUE,
        "option without a value",
        "The options pid, core, imm, sc, stage and buffer are followed by their value. The command ends before it.",
        "!syscall script { print(1); } pid",
        "!syscall script { print(1); } pid 490",
    ),
    Row(
        Code.BAD_PID,
        "pid is invalid",
        "`pid` takes a number of at most 32 bits, hexadecimal unless it begins with 0n, or the word `all`.",
        "!syscall pid guest script { print(1); }",
        "!syscall pid 490 script { print(1); }",
    ),
    Row(
        Code.BAD_CORE,
        "core id is invalid",
        "`core` takes a number of at most 32 bits, hexadecimal unless it begins with 0n. Leave it out to mean "
        "every core: unlike `pid`, it does not know the word `all`.",
        "!syscall core all",
        "!syscall",
    ),
    Row(
        Code.BAD_IMMEDIATE,
        "immediate messaging token is invalid",
        "`imm` takes `yes` (every message at once, the default) or `no` (messages are collected and shown in blocks).",
        "!syscall imm later script { print(1); }",
        "!syscall imm no script { print(1); }",
    ),
    Row(
        Code.BAD_SHORT_CIRCUIT,
        "the short-circuiting state is invalid",
        "`sc` takes `on` (the instruction is not emulated unless the script says so) or `off` (the default).",
        "!syscall 55 sc yes",
        "!syscall 55 sc on",
    ),
    Row(
        Code.BAD_STAGE,
        "the calling stage is invalid",
        "`stage` takes `pre` (before the instruction is emulated, the default), `post` (after it) or `all` (both).",
        "!syscall stage before",
        "!syscall stage pre",
    ),
    Row(
        Code.BAD_BUFFER,
        "buffer size is invalid",
        "`buffer` takes the size in bytes, a number of at most 32 bits, hexadecimal unless it begins with 0n.",
        "!syscall buffer large code { 90 }",
        "!syscall buffer 400 code { 90 }",
    ),
    Row(
        Code.SHORT_CIRCUIT_WITH_POST,
        "short-circuiting with a post stage",
        "`sc on` skips the instruction, so there is nothing that a `post` stage could come after. HyperDbg "
        f"refuses the combination of `sc on` with `stage post` or `stage all` with its error "
        f"{ErrorNumber.SHORT_CIRCUITING_WITH_POST:x}.",
        "!syscall 55 sc on stage post",
        "!syscall 55 sc on",
    ),
    Row(
        Code.OUTPUT_WITHOUT_IMMEDIATE,
        "output forwarding of collected messages",
        "Messages that are collected (`imm no`) no longer know their event, so they cannot be forwarded to its "
        "`output`.",
        "!syscall imm no script { print(1); } output {log}",
        "!syscall script { print(1); } output {log}",
    ),
    Row(
        Code.STAGE_NOT_SUPPORTED,
        "the event has no such stage",
        f"{', '.join(f'`{row.name}`' for row in EVENTS if not row.kind.stages)} have the `pre` stage only.",
        "!epthook 401000 stage post",
        "!epthook 401000",
    ),
    Row(
        Code.BAD_HEX,
        "not machine code in hexadecimal",
        "Without `asm` before the keyword, a `code` or `condition` block holds bytes in hexadecimal: `{90 90}`, "
        "`{9090}` or `{\\x90\\x90}`, with a leading 0x, \\x or x allowed. For assembly text write `asm code { nop; "
        "nop }`.",
        "!syscall code { nop }",
        "!syscall asm code { nop }",
    ),
    Row(
        Code.EMPTY_CODE,
        "machine code of no bytes",
        "A `code` or `condition` block holds blanks only. HyperDbg's number for it is "
        f"{ErrorNumber.ACTION_BUFFER_SIZE_IS_ZERO:x}.",
        "!syscall code { }",
        "!syscall code { 90 }",
    ),
    Row(
        Code.NO_SCRIPT_FILE,
        "script file without a path",
        "A script block that begins with `file:` names the file to take the script from: `script {file:checks.hds}`.",
        "!syscall script {file:}",
        "!syscall script { print(1); }",
    ),
    Row(
        Code.NO_OUTPUT_NAME,
        "output block without a name",
        "An `output` block holds the names of output sources, separated by commas: `output {log, tcp1}`.",
        "!syscall script { print(1); } output { , }",
        "!syscall script { print(1); } output {log}",
    ),
    Row(
        Code.TOO_MANY_OUTPUTS,
        "too many output sources",
        "An event forwards its messages to at most five output sources.",
        "!syscall script { print(1); } output {a, b, c, d, e, f}",
        "!syscall script { print(1); } output {a, b, c, d, e}",
    ),
    Row(
        Code.BAD_ASSEMBLY,
        "assembly text that cannot be assembled",
        "A block of `asm condition` or `asm code` is Intel syntax; numbers are hexadecimal unless they begin with 0n, "
        "statements end at `;` or at the end of the line, comments begin with //, a value may be `(2 + 3)*4`; there "
        "are no directives. The message has the assembler's reason.",
        "!syscall asm code { moov rax, 1 }",
        "!syscall asm code { mov rax, 1 }",
    ),
    Row(
        Code.WINDOWS_PATH,
        "path on a drive of Windows",
        "A path such as `c:\\scripts\\one.txt`, or `\\\\server\\share\\one.txt`, is looked up in a folder of this "
        "computer: `--drive c=DIR` (or `--drive \\\\server\\share=DIR`) says which. Upper and lower case do not matter "
        "there, and the path must not lead out of that folder by `..` or by a link. In every other path a backslash "
        "separates folders.",
        "!syscall script {file:c:\\scripts\\one.txt}",
        "!syscall script { print(1); }",
    ),
    Row(
        Code.UNKNOWN_PARAMETER,
        "unknown parameter",
        "After the options and the event's own parameters have been taken out, this word is left over. A keyword "
        "such as `script` is left over when no block, or an empty one, stands behind it.",
        "!syscall 55 66",
        "!syscall 55\n!syscall 66",
    ),
    Row(
        Code.MISSING_PARAMETER,
        "missing parameter",
        "The event cannot be created without this parameter of its own.",
        "!epthook script { print(@rip); }",
        "!epthook 401000 script { print(@rip); }",
    ),
    Row(
        Code.BAD_PARAMETER,
        "invalid parameter",
        "A parameter of the event is not of the kind that it takes: a plain number, or one of a few words.",
        "!cpuid first",
        "!cpuid 1",
    ),
    Row(
        Code.OUT_OF_RANGE,
        "parameter out of range",
        "Exceptions are 0 to 1f, external interrupts 20 to ff, and hook addresses are not zero.",
        "!exception 55",
        "!exception e",
    ),
    Row(
        Code.BAD_RANGE,
        "invalid address range",
        "A monitored range is written with its first and last address, or with its first address and a length in "
        "bytes (`l 10`). The last address must not lie before the first one and the length must not be zero.",
        "!monitor rw 402000 401000",
        "!monitor rw 401000 402000",
    ),
    Row(
        Code.REFUSED,
        "a command was refused when it was carried out",
        "The command is well-formed, but what it asks for is not there or not possible now. The message is HyperDbg's; "
        "the commands behind it are carried out.",
        "events d 5",
        "!syscall\nevents d 0",
    ),
    Row(
        Code.HEXADECIMAL_NUMBER,
        "number of an assembly block that looks decimal and is hexadecimal",
        "Numbers of assembly blocks are hexadecimal, like everywhere in commands. This one has two or more digits, all "
        "of them 0 to 9, and no prefix. Write 0n10 for ten, or 0x10 if sixteen is meant.",
        "!syscall asm code { mov rax, 10; ret }",
        "!syscall asm code { mov rax, 0n10; ret }",
    ),
    Row(
        Code.NOT_AVAILABLE,
        "command that hds does not carry out",
        "HyperDbg knows the command and hds reads it, but the emulated machine does not raise this kind of event yet, "
        "or the command needs what is not there offline. `hds run` refuses it. `hds list commands` and `hds list "
        "events` show what runs.",
        "test query",
        "events",
    ),
)
