"""Guest memory, without an emulator: frames of the host's memory, and address spaces. What other rooms use of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.memory.address_space import (
        AddressSpace as AddressSpace,
    )
    from machine.memory.areas import (
        Area as Area,
    )
    from machine.memory.errors import (
        MapError as MapError,
    )
    from machine.memory.pages import (
        ADDRESS_SPACE as ADDRESS_SPACE,
        CANONICAL_HALF as CANONICAL_HALF,
        PAGE as PAGE,
        Protection as Protection,
        is_canonical as is_canonical,
        page_ceil as page_ceil,
        page_floor as page_floor,
        with_read as with_read,
    )
    from machine.memory.physical import (
        Frames as Frames,
        PhysicalMemory as PhysicalMemory,
    )
    from machine.memory.shared import (
        SharedMemory as SharedMemory,
        SizedMemory as SizedMemory,
    )
    from machine.memory.work import (
        PER_CALL as PER_CALL,
        PER_ITEM as PER_ITEM,
        PER_MAPPING as PER_MAPPING,
        PIECE as PIECE,
        KernelWork as KernelWork,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "address_space": "AddressSpace",
            "areas": "Area",
            "errors": "MapError",
            "pages": "ADDRESS_SPACE CANONICAL_HALF PAGE Protection is_canonical page_ceil page_floor with_read",
            "physical": "Frames PhysicalMemory",
            "shared": "SharedMemory SizedMemory",
            "work": "PER_CALL PER_ITEM PER_MAPPING PIECE KernelWork",
        },
    )
