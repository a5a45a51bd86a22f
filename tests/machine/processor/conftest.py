"""Fixtures of the tests of machine/processor."""

from __future__ import annotations

import pytest

from machine.processor import block_entries, block_hook


@pytest.fixture(params=["python", "switching", "native"])
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who counts: Python only, machine code after three blocks, machine code from the start."""
    if request.param != "python" and block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    monkeypatch.setattr(block_hook, "is_compiled", lambda: request.param == "native")
    monkeypatch.setattr(block_entries, "_PATIENCE", 3 if request.param == "switching" else 1 << 60)
    return str(request.param)
