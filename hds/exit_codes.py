"""THE table of exit codes (docs/command-line.md)."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `hds` says to the shell. Each member carries its meaning as `doc`."""

    doc: str

    def __new__(cls, value: int, doc: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member

    OK = 0, "everything worked; for check, conform, diff and fmt --check: nothing was found"
    FAILED = (
        1,
        "the input is wrong: a script does not compile, a command was refused, a vector or a test failed, runs differ; "
        "for corpus: programs failed",
    )
    USAGE = 2, "the command line is wrong; for diff: a run cannot be read or made"
    NO_INPUT = 3, "a file cannot be read or written: a script, the guest program, an input, an output; or no cluster"
    RUNTIME = 4, "a script stopped with a run-time error (eval), or any did (run --fail-on-script-errors)"
    GUEST = 5, "the guest program cannot be loaded, or it crashed: an exception that nobody handled ended it"
    LIMIT = 6, "a limit was reached: instructions, time or memory of the run, or memory of the host"
    BREAK = 7, "an event asked for a break and --on-break is fail"
    OUTPUT = 8, "everything else went well, but an output source or the log did not take all that was sent to it"
    INTERNAL = 70, "a bug in hds; the message says how to report it"
    STREAM = 74, "standard output cannot be written (closed, a full disk); or standard error, where all else went well"
    HUNG_UP = 129, "ended by SIGHUP: the terminal was closed"
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    BROKEN_PIPE = 141, "the reader of the output went away"
    TERMINATED = 143, "ended by SIGTERM"
