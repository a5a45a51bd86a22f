"""Registers, memory and globals as Python sees them: at a trigger, at a halt, and between runs.

The names are those of scripts, without the `@` of registers. Reads and writes go through a Host, as a script's do: page
protection is ignored, and a write that does not fit into what is mapped writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, overload

from vm.facts.registers import GENERAL, REGISTER_INDEX, REGISTERS, Register

if TYPE_CHECKING:
    from vm import GlobalStore, Host

SHOWN_REGISTERS = (*GENERAL, "rip", "rflags")
_WORD = (1 << 64) - 1
LONGEST_STRING = 1 << 16  # bytes that `Memory.string` looks through unless it is told otherwise
_PIECE = 64


class UnmappedMemory(LookupError):  # noqa: N818 - it reads as what happened
    """Nothing, or not enough, is mapped at an address."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"the {size} byte{'' if size == 1 else 's'} at 0x{address:x} are not all mapped")
        self.address = address
        self.size = size


def _register(name: str) -> Register:
    index = REGISTER_INDEX.get(name.lower().removeprefix("@")) if isinstance(name, str) else None
    if index is None:
        raise KeyError(name)
    return REGISTERS[index]


class Registers(MutableMapping[str, int]):
    """Registers by name, as `registers["rdi"]` or `registers.rdi`; values are unsigned.

    All names of scripts are there, parts (`eax`, `zf`) too; the mapping lists the general registers, rip and rflags.
    A write changes the named bits only. Raises KeyError, or AttributeError, for a name that there is not.
    """

    __slots__ = ("_host",)

    def __init__(self, host: Callable[[], Host]) -> None:
        object.__setattr__(self, "_host", host)

    _host: Callable[[], Host]

    def __getitem__(self, name: str) -> int:
        row = _register(name)
        return row.extract(self._host().read_register(row.storage))

    def __setitem__(self, name: str, value: int) -> None:
        row, host = _register(name), self._host()
        _expect_number("a register", value)
        host.write_register(row.storage, row.insert(host.read_register(row.storage), value & _WORD))

    def __delitem__(self, name: str) -> None:
        raise TypeError("registers cannot be deleted")

    def __getattr__(self, name: str) -> int:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no register {name!r}") from None

    def __setattr__(self, name: str, value: int) -> None:
        try:
            self[name] = value
        except KeyError:
            raise AttributeError(f"there is no register {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(SHOWN_REGISTERS)

    def __len__(self) -> int:
        return len(SHOWN_REGISTERS)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *REGISTER_INDEX})

    def __repr__(self) -> str:
        return "Registers(" + ", ".join(f"{name}=0x{value:x}" for name, value in self.items()) + ")"

    def _repr_html_(self) -> str:
        return html_table(("register", "value"), ((name, f"0x{value:x}") for name, value in self.items()))


class Memory:
    """Memory by address: `memory[a]` is a byte, `memory[a:b]` bytes.

    Raises UnmappedMemory, and IndexError for a slice without both ends or with a step.
    """

    __slots__ = ("_host",)

    def __init__(self, host: Callable[[], Host]) -> None:
        self._host = host

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes. Raises UnmappedMemory."""
        _expect_number("an address", address)
        data = self._host().read_memory(address & _WORD, size)
        if data is None:
            raise UnmappedMemory(address & _WORD, size)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write all of it. Raises UnmappedMemory, with nothing written."""
        _expect_number("an address", address)
        if isinstance(data, str):
            raise TypeError(f"memory takes bytes, not {data!r}")
        if not self._host().write_memory(address & _WORD, data):
            raise UnmappedMemory(address & _WORD, len(data))

    def integer(self, address: int, size: int = 8, *, signed: bool = False) -> int:
        """A number of `size` bytes, little-endian. Raises UnmappedMemory."""
        return int.from_bytes(self.read(address, size), "little", signed=signed)

    def write_integer(self, address: int, value: int, size: int = 8) -> None:
        """The lowest `size` bytes of a number. Raises UnmappedMemory."""
        self.write(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def string(self, address: int, most: int = LONGEST_STRING) -> str:
        """The text up to a zero byte, at most `most` bytes; what is no UTF-8 becomes U+FFFD. Raises UnmappedMemory."""
        return self._up_to_zero(address, most, 1).decode("utf-8", "replace")

    def wide_string(self, address: int, most: int = LONGEST_STRING) -> str:
        """The text of 16-bit units up to a zero one, at most `most` bytes. Raises UnmappedMemory."""
        return self._up_to_zero(address, most, 2).decode("utf-16-le", "replace")

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            start, end = _ends(key)
            return self.read(start, end - start)
        return self.read(key, 1)[0]

    def __setitem__(self, key: int | slice, value: int | bytes) -> None:
        if isinstance(key, slice):
            start, end = _ends(key)
            if isinstance(value, str):
                raise TypeError(f"memory takes bytes, not {value!r}")
            if isinstance(value, int) or len(value) != end - start:
                raise ValueError(f"0x{end - start:x} bytes are wanted")
            self.write(start, bytes(value))
        elif isinstance(value, int):
            self.write(key, bytes((value,)))
        else:
            raise TypeError("a byte is a number")

    __iter__ = None  # or Python would try all addresses from 0 on
    __contains__ = None

    def __repr__(self) -> str:
        return "<memory of the guest>"

    def _up_to_zero(self, address: int, most: int, unit: int) -> bytes:
        found = bytearray()
        while len(found) < most:
            at = address + len(found)
            size = min(_PIECE - at % _PIECE, most - len(found))
            size += size % unit and unit - size % unit
            found += self.read(at, size)
            for index in range(0, len(found) - unit + 1, unit):
                if not any(found[index : index + unit]):
                    return bytes(found[:index])
        return bytes(found[: most - most % unit])


def _expect_number(what: str, value: object) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{what} is a number, not {value!r}")


def _ends(key: slice) -> tuple[int, int]:
    if key.start is None or key.stop is None or key.step not in (None, 1) or key.stop < key.start:
        raise IndexError("a slice of memory is memory[start:end]")
    return key.start, key.stop


class Globals(MutableMapping[str, int | bytes]):
    """The globals of a session's scripts, as `globals[".n"]`; the dot may be left out.

    Numbers and pointers are integers, signed where their type is; arrays and structures are bytes. A name is there when
    a script has mentioned it. Raises KeyError for others.
    """

    def __init__(self, store: GlobalStore) -> None:
        self._store = store

    def _type(self, name: str) -> str:
        if not isinstance(name, str) or _plain(name) not in self._store.entries:
            raise KeyError(f"there is no global {name!r}; a script that mentions it makes it")
        return self._store.entries[_plain(name)].symbol.type

    def __getitem__(self, name: str) -> int | bytes:
        spelling, data = self._type(name), self._store.read(_plain(name))
        return int.from_bytes(data, "little", signed=_is_signed(spelling)) if _is_scalar(spelling) else data

    def __setitem__(self, name: str, value: int | bytes) -> None:
        spelling, old = self._type(name), self._store.read(_plain(name))
        if isinstance(value, str):
            raise TypeError(f"a global takes a number or bytes, not {value!r}")
        if isinstance(value, int) and _is_scalar(spelling):
            value = (value & _WORD).to_bytes(8, "little")
        if isinstance(value, int) or len(value) != len(old):
            raise ValueError(f"{name} has {len(old)} bytes")
        self._store.write(_plain(name), bytes(value))

    def __delitem__(self, name: str) -> None:
        raise TypeError("globals live as long as their session")

    def __iter__(self) -> Iterator[str]:
        return (f".{name}" for name in self._store.entries)

    def __len__(self) -> int:
        return len(self._store.entries)

    def __repr__(self) -> str:
        return f"Globals({dict(self)!r})"

    def _repr_html_(self) -> str:
        rows = ((name, str(value) if isinstance(value, int) else value.hex(" ")) for name, value in self.items())
        return html_table(("global", "value"), rows)


def _plain(name: str) -> str:
    return name.removeprefix(".")


def _is_scalar(spelling: str) -> bool:
    return spelling.endswith("*") or not (spelling.endswith("]") or spelling.startswith(("struct", "union")))


def _is_signed(spelling: str) -> bool:
    return not (spelling.startswith(("unsigned", "bool")) or spelling.endswith("*"))


def html_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose texts are never markup."""
    from html import escape

    def row(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row("td", cells) for cells in rows)
    return f"<table><thead>{row('th', head)}</thead><tbody>{body}</tbody></table>"
