"""The registry: what .reg files may say."""

from __future__ import annotations

import pytest

from machine.kernel.nt.registry import MOST_LEVELS, RegFileError, Registry, read_reg_file
from machine.kernel.nt.status import NtError

HEAD = b"Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE"


def test_keys_have_so_many_levels_at_most() -> None:
    registry = Registry(1 << 30)
    read_reg_file(registry, HEAD + b"\\a" * (MOST_LEVELS - 2) + b"]\n")
    with pytest.raises(RegFileError, match="line 2: a key has at most 512 levels"):
        read_reg_file(registry, HEAD + b"\\a" * 100_000 + b"]\n")
    with pytest.raises(NtError, match="c0000106"):
        registry.create(registry.root, ["a"] * MOST_LEVELS)
