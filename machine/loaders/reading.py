"""From a file or bytes to an `Image`, whatever kind of program it is.

Where nothing says the kind, the content decides: ELF and PE files by their first bytes. What shows nothing is machine
code or a listing only if the name of the file says so: text or an image that is run as code is never what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from machine.loaders import asm, elf, pe, raw, scripts
from machine.loaders.image import USER, Image, LoadError, Placement, ProgramKind, UnreadableFile, is_elf, is_pe
from vm import FileRefused, FileTooLarge, read_beginning, read_file
from vm.facts.limits import Limits

_ELF = ProgramKind("elf", "an ELF program", elf, is_elf, has_symbols=True)
_PE = ProgramKind("pe", "a PE program", pe, is_pe, has_symbols=True)
_RAW = ProgramKind("raw", "machine code", raw, suffixes=(".bin", ".raw", ".sc"))
_ASM = ProgramKind("asm", "an assembly listing", asm, suffixes=(".asm",), is_text=True)

KINDS: Mapping[str, ProgramKind] = {kind.name: kind for kind in (_ELF, _PE, _RAW, _ASM)}
KIND_OF_SUFFIX: Mapping[str, ProgramKind] = {suffix: kind for kind in KINDS.values() for suffix in kind.suffixes}

# What other files are, by their first bytes.
_FILES = (
    (b"#!", "a script for another program"),
    (b"HDSC", "a compiled script"),
    (b"HDSB", "a compiled command file"),
    (b"MZ", "a DOS program"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"\0asm", "a WebAssembly module"),
    (b"!<arch>", "an archive of object files"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"%PDF", "a PDF document"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "compressed data"),
)
TEXT, _UNKNOWN = "text", "data of an unknown kind"
PROGRAMS = (_ELF.what, _PE.what, "a DOS program", "a Mach-O program")
SCRIPTS = (TEXT, "a compiled script", "a compiled command file")
_LOOKED_AT = 4096  # bytes in which text shows


def read_image(program: Path | bytes, kind: str | None, placement: Placement) -> Image:
    """The image of a file or of bytes. Raises LoadError."""
    limits = placement.limits
    data = _read_file(program, limits) if isinstance(program, Path) else program
    if kind is not None and kind not in KINDS:
        raise LoadError(f"unknown kind of program {kind!r}", f"the kinds are {', '.join(KINDS)}")
    chosen = _kind_of(program, data) if kind is None else KINDS[kind]
    if placement.ring is not None and chosen.has_symbols:
        raise LoadError(f"{chosen.what} runs on level {USER}", "--ring is for raw code and listings")
    return chosen.load(data, placement)


def read_program(path: Path, placement: Placement) -> Image:
    """The image of a program in a file that may have symbols, an ELF or PE file. Raises LoadError."""
    data = _read_file(path, placement.limits)
    kind = _kind_of(path, data)
    if not kind.has_symbols:
        raise LoadError(f"{path} is neither an ELF nor a PE file: it has no symbols")
    return kind.load(data, placement)


def _kind_of(program: Path | bytes, data: bytes) -> ProgramKind:
    suffix = program.suffix.lower() if isinstance(program, Path) else ""
    kind = _recognised(data) or KIND_OF_SUFFIX.get(suffix)
    if kind is None:
        name = str(program) if isinstance(program, Path) else "the program"
        hints = [
            f"`--kind {kind.name}` or a name in {', '.join(kind.suffixes)}: to load it as {kind.what}"
            for kind in KINDS.values()
            if kind.suffixes
        ]
        interpreter = scripts.interpreter_of(data) if data.startswith(scripts.BEGINNING) else None
        path = "" if interpreter is None else interpreter.path.decode("utf-8", "replace")
        if path and path.isprintable():
            hints.insert(0, f"`--root DIR` shows the guest {path}, which it is for: `--root /` that of this machine")
        raise LoadError(f"{name} is no ELF or PE program, but {describe(data)}", "; ".join(hints))
    return kind


def _recognised(data: bytes) -> ProgramKind | None:
    return next((kind for kind in KINDS.values() if kind.recognises(data)), None)


def looks_at(path: Path) -> bytes:
    """The first bytes of a file, which tell what it is. Raises vm.files.FileRefused."""
    return read_beginning(path, _LOOKED_AT)


def is_known(data: bytes) -> bool:
    """Whether the first bytes tell what it is, and that is no text."""
    return describe(data[:_LOOKED_AT]) not in (TEXT, _UNKNOWN)


def describe(data: bytes) -> str:
    """What a file with these first bytes seems to be, as the end of a sentence."""
    if not data:
        return "empty"
    kind = _recognised(data)
    if kind is not None:
        return kind.what
    known = next((what for magic, what in _FILES if data.startswith(magic)), None)
    if known is not None:
        return known
    return TEXT if _is_text(data[:_LOOKED_AT]) else _UNKNOWN


def _is_text(data: bytes) -> bool:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < _LOOKED_AT - 3:  # the last character may be cut
            return False
        text = data[: error.start].decode("utf-8")
    return all(char.isprintable() or char in "\t\r\n\f" for char in text)


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        return read_file(path, limits, "max_guest_memory")
    except FileTooLarge as error:
        raise LoadError.beyond("max_guest_memory", str(error)) from None
    except FileRefused as error:
        raise UnreadableFile(str(error), error.hint or "") from None
