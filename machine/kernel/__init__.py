"""What stands in for the operating system. `create` makes a kernel by name.

Importing this package loads no emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.kernel.bare import BareKernel as BareKernel
    from machine.kernel.base import Kernel as Kernel, Services as Services, Start as Start
    from machine.kernel.builds import BUILDS as BUILDS, DEFAULT_BUILD as DEFAULT_BUILD, Build as Build
    from machine.kernel.entry import LINUX as LINUX
    from machine.kernel.happenings import (
        Answered as Answered,
        Ended as Ended,
        Happening as Happening,
        Requested as Requested,
        Signalled as Signalled,
        Watcher as Watcher,
        unwatched as unwatched,
    )
    from machine.kernel.kernels import Kernels as Kernels
    from machine.kernel.linux import (
        Capture as Capture,
        Given as Given,
        HostInput as HostInput,
        LinuxKernel as LinuxKernel,
        NetworkFileError as NetworkFileError,
        ScriptedNetwork as ScriptedNetwork,
        World as World,
        read_network as read_network,
    )
    from machine.kernel.listed import ListedCall as ListedCall
    from machine.kernel.nt import NtKernel as NtKernel
    from machine.kernel.objects import (
        KernelObjects as KernelObjects,
        ProcessObjects as ProcessObjects,
        ThreadObjects as ThreadObjects,
    )
    from machine.kernel.quick import (
        DESCRIPTORS as DESCRIPTORS,
        MOST_BYTES as MOST_BYTES,
        CallerCells as CallerCells,
        ContentCells as ContentCells,
        FileCells as FileCells,
        Gives as Gives,
        KeptOutput as KeptOutput,
        OutputCells as OutputCells,
        QuickCall as QuickCall,
        Reads as Reads,
        ReadsFile as ReadsFile,
        Seeks as Seeks,
        SeeksFile as SeeksFile,
        TellsTime as TellsTime,
        Wakes as Wakes,
        Writes as Writes,
        WritesFile as WritesFile,
    )
    from machine.kernel.stand_ins import ENTRY_POINTS as ENTRY_POINTS, KERNEL_NAMES as KERNEL_NAMES, create as create
    from machine.kernel.structures import TYPEDEFS as TYPEDEFS, windows_types as windows_types
    from machine.kernel.text import KernelText as KernelText
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "bare": "BareKernel",
            "base": "Kernel Services Start",
            "builds": "BUILDS Build DEFAULT_BUILD",
            "entry": "LINUX",
            "happenings": "Answered Ended Happening Requested Signalled Watcher unwatched",
            "kernels": "Kernels",
            "linux": "Capture Given HostInput LinuxKernel NetworkFileError ScriptedNetwork World read_network",
            "listed": "ListedCall",
            "nt": "NtKernel",
            "objects": "KernelObjects ProcessObjects ThreadObjects",
            "quick": "CallerCells ContentCells DESCRIPTORS FileCells Gives KeptOutput MOST_BYTES OutputCells QuickCall "
            "Reads ReadsFile Seeks SeeksFile TellsTime Wakes Writes WritesFile",
            "stand_ins": "ENTRY_POINTS KERNEL_NAMES create",
            "structures": "TYPEDEFS windows_types",
            "text": "KernelText",
        },
    )
