"""The virtual machine: bytecode, its verifier, and the engines that run it on a Host.

Knows nothing above it: no syntax, no emulator, no command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from vm import formatting as formatting
    from vm.blocks import entries_of_instructions as entries_of_instructions
    from vm.bundle import (
        Bundle as Bundle,
        is_bundle as is_bundle,
        read_bundle as read_bundle,
        write_bundle as write_bundle,
    )
    from vm.drives import (
        NO_DRIVES as NO_DRIVES,
        DriveRefused as DriveRefused,
        Drives as Drives,
        read_drives as read_drives,
    )
    from vm.engine import (
        Engine as Engine,
        Fault as Fault,
        FaultKind as FaultKind,
        Loaded as Loaded,
        RunResult as RunResult,
    )
    from vm.files import (
        FileRefused as FileRefused,
        FileTooLarge as FileTooLarge,
        lines_of as lines_of,
        open_for_writing as open_for_writing,
        read_beginning as read_beginning,
        read_file as read_file,
        read_lines as read_lines,
        reason as reason,
        too_large as too_large,
        write_file as write_file,
    )
    from vm.host import PAGE as PAGE, Host as Host, MemoryHost as MemoryHost, UnsupportedHere as UnsupportedHere
    from vm.host_memory import (
        HostMemoryError as HostMemoryError,
        memory_of_all_copies as memory_of_all_copies,
        private_memory as private_memory,
        require_memory as require_memory,
    )
    from vm.interpreter import Interpreter as Interpreter
    from vm.isa import (
        INSTRUCTIONS as INSTRUCTIONS,
        INTEGER_KINDS as INTEGER_KINDS,
        JUMP16_RANGE as JUMP16_RANGE,
        WIDE as WIDE,
        Instruction as Instruction,
        Operand as Operand,
        encode as encode,
    )
    from vm.listing import listing_of as listing_of
    from vm.patterns import late_pattern as late_pattern
    from vm.program import (
        Function as Function,
        GlobalSymbol as GlobalSymbol,
        Position as Position,
        Program as Program,
        ProgramFormatError as ProgramFormatError,
        Source as Source,
        decode_program as decode_program,
        encode_program as encode_program,
        is_compiled as is_compiled,
    )
    from vm.script_memory import (
        GLOBALS_BASE as GLOBALS_BASE,
        SLOT as SLOT,
        GlobalConflict as GlobalConflict,
        GlobalStore as GlobalStore,
    )
    from vm.semantics import (
        BINARY as BINARY,
        MASK as MASK,
        UNARY as UNARY,
        Stop as Stop,
        double_to_integer as double_to_integer,
        from_double as from_double,
        signed as signed,
    )
    from vm.sharing import Brake as Brake, Shareable as Shareable, Sharing as Sharing
    from vm.verifier import VerificationError as VerificationError, verify as verify
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "blocks": "entries_of_instructions",
            "bundle": "Bundle is_bundle read_bundle write_bundle",
            "drives": "DriveRefused Drives NO_DRIVES read_drives",
            "engine": "Engine Fault FaultKind Loaded RunResult",
            "files": "FileRefused FileTooLarge lines_of open_for_writing read_beginning read_file read_lines reason "
            "too_large write_file",
            "host": "Host MemoryHost PAGE UnsupportedHere",
            "host_memory": "HostMemoryError memory_of_all_copies private_memory require_memory",
            "interpreter": "Interpreter",
            "isa": "INSTRUCTIONS INTEGER_KINDS Instruction JUMP16_RANGE Operand WIDE encode",
            "listing": "listing_of",
            "patterns": "late_pattern",
            "program": "Function GlobalSymbol Position Program ProgramFormatError Source"
            " decode_program encode_program is_compiled",
            "script_memory": "GLOBALS_BASE GlobalConflict GlobalStore SLOT",
            "semantics": "BINARY MASK Stop UNARY double_to_integer from_double signed",
            "sharing": "Brake Shareable Sharing",
            "verifier": "VerificationError verify",
        },
        late="interpreter library",
    )
