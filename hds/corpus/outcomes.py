"""What became of a program: THE table of docs/corpus.md."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """An outcome has its name in the dataset, its meaning as `doc`, and whether `--retry failed` runs it again.

    Those that are not retried are what the program does, and would be the same again.
    """

    is_retried: bool
    doc: str

    def __new__(cls, name: str, is_retried: bool, doc: str) -> Outcome:
        member = object.__new__(cls)
        member._value_ = name
        member.is_retried = is_retried
        member.doc = doc
        return member

    OK = "ok", False, "the run came to its end"
    GUEST_CRASH = "guest_crash", False, "the guest crashed"
    PAGING = "paging", False, "the guest asked for page tables of its own, which are not emulated"
    DEADLOCK = "deadlock", False, "every thread of the guest waits, and nothing would end that"
    INSTRUCTIONS = "instruction_limit", False, "`max_instructions` was reached"
    KERNEL_WORK = "kernel_work", False, "`max_kernel_work` was used up"
    LOAD_ERROR = "load_error", False, "it is no program that hds loads"
    COMPILE_ERROR = "compile_error", False, "the script does not compile for this program, whose symbols it names"
    REFUSED_COMMAND = "refused_command", False, "a command of the script was refused"
    OUTPUT_LOST = "output_lost", False, "an output source of the script did not take everything"
    MEMORY = "memory", True, "`max_guest_memory` or `--max-memory` was used up"
    TIMEOUT = "timeout", True, "the time of `--timeout` was up"
    KILLED = (
        "killed",
        True,
        "its process ended by a signal: a crash of the emulator, or the system's out-of-memory killer",
    )
    NO_INPUT = "no_input", True, "the file cannot be read"
    WORKER_LOST = "worker_lost", True, "workers ended, one after the other, while they ran it"
    INTERNAL_ERROR = "internal_error", True, "a bug in hds, or its process said what no run says"


RETRIED = frozenset(outcome.value for outcome in Outcome if outcome.is_retried)
