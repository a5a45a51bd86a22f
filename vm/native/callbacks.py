"""What compiled code asks Python for: whatever has no native form, on the activation that a handle names.

A callback never raises through compiled code: it keeps the exception in the activation and answers 0, which ends the
run; `Activation.outcome` raises it again or makes a fault of it. Every call is counted in `CALLS`.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from vm import formatting
from vm.builtins import BUILTINS
from vm.library import call
from vm.memory import Memory
from vm.semantics import MASK
from vm.verifier import arity

if TYPE_CHECKING:
    from vm.native.activation import Activation

ACTIVATIONS: WeakValueDictionary[int, Activation] = WeakValueDictionary()
