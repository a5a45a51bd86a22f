"""/proc and /sys of Linux guests (proc(5)): texts about the guest's own processes and machine, never about the host.

`files` is the table of what is there, `system` and `processes` write the texts, `nodes` makes files and folders of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.kernel.linux.proc.nodes import OpenedNode as OpenedNode, folders as folders, shown as shown
    from machine.kernel.linux.proc.system import System as System
else:
    __getattr__, __dir__ = lazy(__name__, {"nodes": "OpenedNode folders shown", "system": "System"})
