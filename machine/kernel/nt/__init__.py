"""Windows as programs see it: calls with deterministic answers, the common ones carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.kernel.nt.argument_names import nt_constants as nt_constants
    from machine.kernel.nt.kernel import NtKernel as NtKernel
    from machine.kernel.nt.listed import nt_calls as nt_calls
    from machine.kernel.nt.names import LAST_COMMON as LAST_COMMON, numbers_of as numbers_of
    from machine.kernel.nt.prototypes import CLASSES as CLASSES, PROTOTYPES as PROTOTYPES
    from machine.kernel.nt.status import status_name as status_name
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "argument_names": "nt_constants",
            "kernel": "NtKernel",
            "listed": "nt_calls",
            "names": "LAST_COMMON numbers_of",
            "prototypes": "CLASSES PROTOTYPES",
            "status": "status_name",
        },
    )
