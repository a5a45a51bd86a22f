"""Tests of scripts in Python: run one, and assert on what it did. Works with plain `assert` under pytest.

def test_counts_calls() -> None:
    ran = hds.testing.run('!syscall 1 script { printf("%x\\n", @rdx); }', "guest.asm")
    assert ran.messages == ["5\\n"]
    assert ran.triggers == {"!syscall": 1}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.testing.outcomes import (
        Ran as Ran,
        assert_messages as assert_messages,
        outcome as outcome,
        run as run,
    )
else:
    __getattr__, __dir__ = lazy(__name__, {"outcomes": "Ran assert_messages outcome run"})
