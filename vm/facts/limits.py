"""Every named limit, in one table: what bounds a script, and what bounds the emulated machine under it.

The defaults of the script limits are HyperDbg v0.23's where it has one (language.md section 16.3). A limit is set by a
flag of the same name with dashes (`--max-steps 5000`), and named in the message when it strikes.
"""

from __future__ import annotations

import msgspec

LARGEST = (1 << 63) - 1
MOST_CORES = 64
MOST_PROCESS_ID = 0xFFFF_FFFE
_MOST_RESERVED = 1 << 32  # bytes of address space that are taken at once
_ROWS: list[tuple[int, str, str, int, int]] = []  # of the fields of `Limits`, in their order


def _limit(default: int, unit: str, doc: str, *, least: int = 1, most: int = LARGEST) -> int:
    _ROWS.append((default, unit, doc, least, most))
    return default


class Limits(msgspec.Struct, frozen=True):
    """The limits of one session: integers, whose unit and range stand in their rows.

    Raises TypeError for what is no integer, and ValueError outside the range.
    """

    max_steps: int = _limit(
        1_000_000, "instructions", "bytecode instructions of one run, charged per basic block on entry"
    )
    max_call_depth: int = _limit(128, "calls", "nested calls of user functions")
    max_stack_bytes: int = _limit(1_048_576, "bytes", "memory of the locals of all active calls", most=_MOST_RESERVED)
    max_message: int = _limit(4095, "bytes", "one printf message, including the zero that ends it", most=1 << 24)
    max_bulk_bytes: int = _limit(
        268_435_456, "bytes", "memory that copies, fills, comparisons and searches of one run may touch in all"
    )
    max_globals: int = _limit(512, "variables", "global variables of a session")
    max_global_bytes: int = _limit(
        16_777_216, "bytes", "memory of all global variables of a session", most=_MOST_RESERVED
    )
    max_nesting: int = _limit(
        500, "levels", "nesting of parentheses, operators, blocks, initialisers and types in the source", most=10_000
    )
    max_include_depth: int = _limit(32, "files", "nesting of #include", most=500)
    max_errors: int = _limit(20, "errors", "errors reported for one script before the rest is left out")
    max_findings: int = _limit(
        1000, "findings", "warnings or remarks of one code for one script before the rest is left out"
    )
    max_source_bytes: int = _limit(
        2_097_152,
        "bytes",
        "one script with all that it includes, or one command file; compiling takes up to 1 GiB then",
    )
    max_total_source_bytes: int = _limit(
        4_194_304, "bytes", "all scripts of one command file, with what each of them includes"
    )
    max_snapshots: int = _limit(
        24, "processes", "snapshots of a console with `--record`; every second one is given up then", most=1000
    )
    max_script_depth: int = _limit(32, "files", "command files that run each other with `.script`", most=500)
    max_compiled_bytes: int = _limit(16_777_216, "bytes", "one compiled file (.hdc)")
    max_instructions: int = _limit(10_000_000_000, "instructions", "guest instructions of one run of the machine")
    max_kernel_work: int = _limit(
        1 << 35,
        "bytes",
        "what system calls of one run move, and the pages and mappings that they change (each has its weight in bytes)",
    )
    quantum_instructions: int = _limit(
        100_000,
        "instructions",
        "guest instructions of a thread or process before the next one's turn on its core",
    )
    max_root_instructions: int = _limit(
        100_000, "instructions", "instructions of one run of a condition or a code block in vmx-root mode"
    )
    max_packet_bytes: int = _limit(
        4096, "bytes", "collected messages (imm no) that are delivered as one, including the zero that ends them"
    )
    max_packets: int = _limit(
        1000, "packets", "full packets that wait to be read before the oldest is lost (--emulate-message-loss)"
    )
    max_assembly_statements: int = _limit(
        65_536, "statements", "statements of one assembly block or listing, and words of one of them"
    )
    max_assembler_seconds: int = _limit(
        10,
        "seconds",
        "time in which the assembler, a process of its own, answers for a batch of instructions",
        most=1_000_000,
    )
    max_assembler_bytes: int = _limit(536_870_912, "bytes", "memory of the process that assembles")
    max_kept_messages: int = _limit(
        65_536,
        "messages",
        "messages that are kept: by Session.messages in Python and by hds eval --json",
        least=0,
    )
    max_compared_records: int = _limit(500_000, "records", "each of the two runs that hds diff compares")
    max_compared_bytes: int = _limit(268_435_456, "bytes", "the same: its JSON lines")
    max_recorded_blocks: int = _limit(500_000, "blocks", "basic blocks of each process that --record blocks records")
    max_counted_instructions: int = _limit(
        1_000_000, "instructions", "bytecode instructions of the scripts in a session whose lines --record lines counts"
    )
    max_aggregate_groups: int = _limit(
        1000, "groups", "those that each hds run --aggregate keeps; the rows of others are counted together"
    )
    max_aggregate_buckets: int = _limit(1000, "buckets", "those of lhist(x, min, max, step)", most=100_000)
    max_record_bytes: int = _limit(16_777_216, "bytes", "one JSON line that hds report reads")
    max_report_programs: int = _limit(
        1_000, "programs", "those of a folder of hds corpus that have a page of their own in hds report"
    )
    max_report_messages: int = _limit(5_000, "messages", "those of each run that a page of hds report has")
    max_report_lines: int = _limit(20_000, "lines", "lines of scripts that a page of hds report has of each run")
    max_report_values: int = _limit(
        10_000, "values", "different values of $context, threads or addresses of an event that hds report counts"
    )
    max_report_bins: int = _limit(400, "bins", "stretches of time of a chart of hds report", least=2, most=10_000)
    max_shown_errors: int = _limit(
        100, "errors", "run-time errors of different events, places or kinds that one run shows; others are counted"
    )
    max_processes: int = _limit(128, "processes", "living guest processes of one machine that fork", most=4096)
    max_timer_hz: int = _limit(
        100_000, "interrupts", "what a guest's timer may have a second (--timer)", most=10_000_000
    )
    max_threads: int = _limit(1024, "threads", "living threads of one guest process")
    max_guest_memory: int = _limit(1_073_741_824, "bytes", "memory that guests have in all, page tables included")
    max_mappings: int = _limit(65_530, "mappings", "mappings of one process (vm.max_map_count of Linux)")
    max_shown_members: int = _limit(
        65_536, "members", "members of structures that one `dt` shows, lines that one `struct` shows"
    )
    max_demangled_names: int = _limit(
        20_000, "names", "mangled names of a program that one look-up of a readable name, or one `x`, looks at"
    )
    max_open_files: int = _limit(1024, "descriptors", "open descriptors of one Linux guest", least=3, most=1 << 20)
    max_handles: int = _limit(65_536, "handles", "open handles of one Windows guest", most=1 << 24)
    max_file_bytes: int = _limit(
        268_435_456, "bytes", "all files of one Linux guest in memory, and each of its files in a writable host folder"
    )
    max_root_bytes: int = _limit(
        1_073_741_824, "bytes", "what the guests of a run add to the files of a writable host folder (--root-rw)"
    )
    max_root_files: int = _limit(
        65_536, "names", "files, directories and links that the guests of a run add to a writable host folder"
    )
    max_socket_bytes: int = _limit(
        67_108_864,
        "bytes",
        "what waits in all sockets of a run's Linux guests, or all pipes of a Windows guest, and 512 bytes a message",
    )
    max_capture_bytes: int = _limit(
        67_108_864, "bytes", "the capture file of a run (--pcap); packets that have no room are left out", least=24
    )
    max_path_bytes: int = _limit(4096, "bytes", "one path that a Linux guest names, including the zero that ends it")

    def __post_init__(self) -> None:
        for name, (_, unit, _, least, most) in zip(self.__struct_fields__, _ROWS, strict=True):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} is a number of {unit}, not {value!r}")
            if not least <= value <= most:
                raise ValueError(f"{name} is {least} to {most} {unit}, not {value}")


class LimitRow(msgspec.Struct, frozen=True):
    """One row of the table as the documentation and the command line read it."""

    name: str
    default: int
    unit: str
    doc: str
    least: int  # what a flag may set it to: a guest has three standard streams
    most: int  # recursion follows nesting, and some memory is taken at once


LIMITS: tuple[LimitRow, ...] = tuple(
    LimitRow(name, *row) for name, row in zip(Limits.__struct_fields__, _ROWS, strict=True)
)

DEFAULT_LIMITS = Limits()
