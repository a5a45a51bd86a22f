"""Linux for static x86-64 programs: files, memory, time, one process and its threads. No network but its own.

kernel.py     the model: processes, the path of a call       abi.py        how a call is declared
calls/        the calls, by family: a function each          names.py      the names of all calls; refused.py
calling_conventions.py  SYSCALL and INT 0x80                 trace_stops.py where tracers have threads stop
file_system.py the files of a machine's guests               tracing.py    ptrace
space.py      mappings and the calls' way to memory          open_files.py descriptors; pipes.py without a path
paths.py      from text to a place in the guest's tree       nodes.py      what stands there
tree.py       the tree; memory_files.py, host_files.py       structures.py stat and its kin
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.kernel.linux.argument_names import constants as constants
    from machine.kernel.linux.capture import Capture as Capture
    from machine.kernel.linux.errors import Errno as Errno, LinuxError as LinuxError
    from machine.kernel.linux.host_files import show_folder as show_folder
    from machine.kernel.linux.host_rules import FolderQuota as FolderQuota
    from machine.kernel.linux.kernel import LinuxKernel as LinuxKernel
    from machine.kernel.linux.listed import linux_calls as linux_calls
    from machine.kernel.linux.mapped_files import FilePages as FilePages
    from machine.kernel.linux.nodes import Handle as Handle, Node as Node, Status as Status
    from machine.kernel.linux.pipes import InputStream as InputStream
    from machine.kernel.linux.prototypes import (
        CLASSES as CLASSES,
        PROTOTYPES as PROTOTYPES,
        PROTOTYPES_386 as PROTOTYPES_386,
        SAME_CALL as SAME_CALL,
    )
    from machine.kernel.linux.scripted_network import (
        NetworkFileError as NetworkFileError,
        ScriptedNetwork as ScriptedNetwork,
        read_network as read_network,
    )
    from machine.kernel.linux.standard_input import Given as Given, HostInput as HostInput
    from machine.kernel.linux.tree import World as World
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "argument_names": "constants",
            "capture": "Capture",
            "errors": "Errno LinuxError",
            "host_files": "show_folder",
            "host_rules": "FolderQuota",
            "kernel": "LinuxKernel",
            "listed": "linux_calls",
            "mapped_files": "FilePages",
            "nodes": "Handle Node Status",
            "pipes": "InputStream",
            "prototypes": "CLASSES PROTOTYPES PROTOTYPES_386 SAME_CALL",
            "scripted_network": "NetworkFileError ScriptedNetwork read_network",
            "standard_input": "Given HostInput",
            "tree": "World",
        },
        late="capture host_files host_rules interfaces pipe_buffers scripted_network seccomp signals socket_options "
        "standard_input terminals timers",
    )
