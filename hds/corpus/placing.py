"""Where Python's objects lie in a process that forks others, each of which has to copy the pages that it writes to.

CPython counts the users of an object in the object, so that calling a function writes to the pages that its code lies
in. What every fork uses is therefore brought together, on few pages, and what forks allocate comes to pages that are
nobody's yet. All of it is the same as before, elsewhere. With another Python than CPython nothing is done.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType

_SMALLEST, _LARGEST = 16, 512  # bytes of the objects that CPython allocates by size, in steps of 16
_POOL = 16 << 10  # bytes that it takes at a time for those of one size
_POOL_HEAD = 48
_BYTES_HEAD = b"".__sizeof__()
_MOST = 100_000  # objects of a size that are made to fill gaps
_BLOCKS = (65536, 16384, 8192, 4096, 2048, 1536, 1024, 896, 768, 640, 512, 384, 256, 128)  # of malloc, in bytes
_EDGE = 1 << 17  # bytes: no gap is as large
_MOST_FILLED = 8 << 20  # bytes of malloc

_kept: list[object] = []  # what fills gaps, and code that was moved: its place is not to be used again


def code_of(run: Callable[[], object]) -> set[CodeType]:
    """The code that a call executes in this thread."""
    found: set[CodeType] = set()

    def see(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            found.add(frame.f_code)

    sys.setprofile(see)
    try:
        run()
    finally:
        sys.setprofile(None)
    return found


def gather(used: set[CodeType]) -> None:
    """Put this code, of functions that exist, onto pages of its own."""
    if platform.python_implementation() != "CPython":
        return
    fill_gaps()
    numbers = set(map(id, used))
    moved: dict[int, CodeType] = {}

    def move(code: CodeType, is_made: bool) -> CodeType:
        """The code elsewhere, if it is used or, where `is_made`, a function of it is made by code that is."""
        if id(code) not in moved:
            moves = is_made or id(code) in numbers
            constants = tuple(move(each, moves) if isinstance(each, CodeType) else each for each in code.co_consts)
            has_moved = any(new is not old for new, old in zip(constants, code.co_consts, strict=True))
            if moves or has_moved:
                name = (code.co_qualname + " ")[:-1]  # another string: who makes a function counts as its user
                moved[id(code)] = code.replace(co_consts=constants, co_qualname=name)
                _kept.append(code)
            else:
                moved[id(code)] = code
        return moved[id(code)]

    for function in gc.get_objects():
        if isinstance(function, FunctionType):
            new = move(function.__code__, is_made=False)
            if new is not function.__code__:
                function.__code__ = new


def fill_gaps() -> None:
    """Have what is allocated from now on come to new pages, not between what is there."""
    if platform.python_implementation() != "CPython":
        return
    gc.collect()
    for size in range(_SMALLEST * 3, _LARGEST + 1, _SMALLEST):
        _fill_pools(size)
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    edge, filled = library.malloc(ctypes.c_size_t(_EDGE - 4096)) or 0, 0
    for size in _BLOCKS:
        while filled < _MOST_FILLED and (library.malloc(ctypes.c_size_t(size)) or edge) < edge:
            filled += size


def _fill_pools(size: int) -> None:
    """Make objects of a size until they come one behind the other in a pool that is new."""
    in_pool, in_row, before = (_POOL - _POOL_HEAD) // size, 0, 0
    made: list[bytes] = []
    while in_row < in_pool - 1 and len(made) < _MOST:
        each = bytes(size - _BYTES_HEAD)
        in_row = in_row + 1 if id(each) - before == size else 0
        before = id(each)
        made.append(each)
    _kept.append(made[:-in_pool])
