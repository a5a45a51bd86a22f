"""A shorter way to the modules of this program: a start imports hundreds, and Python's own way is a sixth of its time.

What is found is what Python's own finder would find, in the same places and by the same rules: the bytecode that Python
has kept beside a source file, if it is of that file's time and size. Whatever is otherwise - no bytecode, an old one,
one that is checked by its hash, an archive - is left to the finders that come behind, which also keep new bytecode.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import MAGIC_NUMBER
from types import ModuleType

_PACKAGES = frozenset(("hds", "lang", "machine", "vm"))
_BY_TIME = MAGIC_NUMBER + bytes(4)  # how bytecode begins that has the time and size of its source next
_WORD = 0xFFFF_FFFF
_spare: list[int] = []  # a descriptor, if there is one, for a module that is needed when there are no others


class _Kept(SourcelessFileLoader):
    """Bytecode that is here."""

    data = b""

    def get_data(self, path: str) -> bytes:
        """The bytecode, header and all."""
        return self.data


class _Loader(SourceFileLoader):
    """One whose bytecode is here; all else of it is asked of the file as ever."""

    kept: _Kept | None = None

    def exec_module(self, module: ModuleType) -> None:
        """Execute the bytecode; the long way where it was made of a file of another name, as in folders that moved."""
        kept, self.kept = self.kept, None
        code = None if kept is None else kept.get_code(self.name)
        if code is None or code.co_filename != self.path:
            super().exec_module(module)
        else:
            exec(code, module.__dict__)


class _Finder:
    """Of submodules of these packages."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As a finder of `sys.meta_path`; None for what others are to find."""
        package, _, last = name.rpartition(".")
        if package.partition(".")[0] not in _PACKAGES or path is None or len(path) != 1:
            return None
        folder = path[0]
        return _spec(name, folder, last, None) or _spec(name, f"{folder}/{last}", "__init__", [f"{folder}/{last}"])


def _spec(name: str, folder: str, stem: str, locations: list[str] | None) -> ModuleSpec | None:
    source, kept = f"{folder}/{stem}.py", f"{folder}/__pycache__/{stem}.{sys.implementation.cache_tag}.pyc"
    try:
        status = os.stat(source)
        code = _read(kept)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE) or not _spare:
            return None
        os.close(_spare.pop())  # a guest has opened files until there were no more descriptors
        try:
            return _spec(name, folder, stem, locations)
        finally:
            _keep_spare()
    made_of = (int(status.st_mtime) & _WORD).to_bytes(4, "little") + (status.st_size & _WORD).to_bytes(4, "little")
    if not code.startswith(_BY_TIME + made_of):
        return None
    loader = _Loader(name, source)
    loader.kept = _Kept(name, kept)
    loader.kept.data = code
    spec = ModuleSpec(name, loader, origin=source, is_package=locations is not None)
    spec.submodule_search_locations = locations
    spec.has_location, spec.cached = True, kept
    return spec


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _keep_spare() -> None:
    with contextlib.suppress(OSError):
        _spare.append(os.open(os.sep, os.O_RDONLY | os.O_CLOEXEC))


def shorten() -> None:
    """Import modules of this program the short way from now on, where Python keeps bytecode as it usually does."""
    if not sys.flags.optimize and sys.pycache_prefix is None:
        _keep_spare()
        sys.meta_path.insert(0, _Finder)


@contextlib.contextmanager
def absent(name: str) -> Iterator[None]:
    """A time in which no module of a name can be imported, unless it is already there."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how `import` is told so
    try:
        yield
    finally:
        del sys.modules[name]
