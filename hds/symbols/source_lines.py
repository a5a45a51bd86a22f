"""Lines of source: what DWARF in an ELF file says of an address. The file is hostile until proved otherwise."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from io import BytesIO

_LARGEST = 8 << 20  # bytes of line programs that are read; it is done at once, and takes a second a megabyte
_MOST_ROWS = 1 << 20


class SourceLines:
    """The lines of one file, whose tables are read when somebody first asks."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._rows: list[tuple[int, str, int]] | None = None

    def at(self, address: int) -> str:
        """`file.c:12`, the line of the code at an address (as the file has it); empty where that is not known."""
        if self._rows is None:
            try:
                self._rows = sorted(_rows_of(self._data))
            except Exception:  # whatever the library stumbles over
                self._rows = []
            self._data = b""
        index = bisect_right(self._rows, (address, "\U0010ffff", 0)) - 1
        if index < 0 or not self._rows[index][2]:
            return ""
        _, name, line = self._rows[index]
        return f"{name}:{line}"


def _rows_of(data: bytes) -> Iterator[tuple[int, str, int]]:
    """Address, file and line where one begins; line 0 behind the end of a stretch."""
    from elftools.elf.elffile import ELFFile

    file = ELFFile(BytesIO(data))
    section = file.get_section_by_name(".debug_line")
    if section is None or section.data_size > _LARGEST:
        return
    dwarf, count = file.get_dwarf_info(relocate_dwarf_sections=False), 0
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        first = 0 if program.header["version"] >= 5 else 1
        names = [entry.name.decode("utf-8", "replace").rpartition("/")[2] for entry in program.header["file_entry"]]
        for entry in program.get_entries():
            state = entry.state
            if state is None or not 0 <= state.file - first < len(names):
                continue
            count += 1
            if count > _MOST_ROWS:
                return
            name = names[state.file - first]
            yield state.address, name if name.isprintable() else "?", 0 if state.end_sequence else state.line
