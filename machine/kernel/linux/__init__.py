"""Linux for static x86-64 programs: files, memory, time, one process and its threads. No network but its own.

kernel.py     the model: processes, arguments, results       abi.py        how a call is declared
calls/        the calls, by family: a function each          names.py      the names of all calls; refused.py
space.py      mappings and the calls' way to memory          open_files.py descriptors; pipes.py without a path
paths.py      from text to a place in the guest's tree       nodes.py      what stands there
tree.py       the tree; memory_files.py, host_files.py       structures.py stat and its kin
"""

from __future__ import annotations

from machine.kernel.linux.argument_names import constants
from machine.kernel.linux.capture import Capture
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.host_files import show as show_folder
from machine.kernel.linux.host_rules import FolderQuota
from machine.kernel.linux.kernel import LinuxKernel
from machine.kernel.linux.listed import linux_calls
from machine.kernel.linux.nodes import Handle as FileHandle, Node
from machine.kernel.linux.pipes import InputStream
from machine.kernel.linux.prototypes import CLASSES, PROTOTYPES, PROTOTYPES_386, SAME_CALL
from machine.kernel.linux.scripted_network import NetworkFileError, ScriptedNetwork, read_network
from machine.kernel.linux.tree import World

__all__ = [
    "CLASSES",
    "PROTOTYPES",
    "PROTOTYPES_386",
    "SAME_CALL",
    "Capture",
    "Errno",
    "FileHandle",
    "FolderQuota",
    "InputStream",
    "LinuxError",
    "LinuxKernel",
    "NetworkFileError",
    "Node",
    "ScriptedNetwork",
    "World",
    "constants",
    "linux_calls",
    "read_network",
    "show_folder",
]
