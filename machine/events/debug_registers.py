"""MOV to and from debug registers where the guest may execute them: breakpoints that it sets fire (machine.processor).

On level 3 they are #GP, so that programs of a system are not looked through for them. Their events come first.
"""

from __future__ import annotations

from collections.abc import Callable

from machine.events.exits import dr
from machine.events.instructions import HookedSite
from machine.events.registry import Registry
from machine.processor import KERNEL_LEVEL, Served, Site, SiteHook
from machine.schedule import Process


class _Both:
    """The hooks of events at a MOV, and what is carried out behind them."""

    def __init__(self, first: Served, second: Served) -> None:
        self._hooks = first, second

    def come_last(self) -> None:
        """Another hook of the address has been installed."""
        for hook in self._hooks:
            hook.come_last()

    def remove(self) -> None:
        """Serve it no more."""
        for hook in self._hooks:
            hook.remove()


class DebugRegisterMoves:
    """A `machine.events.instructions.Service`; `for_events` serves a site for events of the kind."""

    kind = dr.EXIT.kind

    def __init__(self, registry: Registry, for_events: Callable[[Process, Site], Served]) -> None:
        self._registry = registry
        self._for_events = for_events

    def wants(self, process: Process) -> bool:
        """Whether those of a process are to be served."""
        return process.cpu.home_level == KERNEL_LEVEL or bool(self._registry.newest_first(self.kind))

    def serve(self, process: Process, site: Site) -> Served:
        """Serve one."""
        cpu = process.cpu

        def move() -> None:
            cpu.breakpoints.move(site.code)

        events = self._for_events(process, site)
        return _Both(events, SiteHook(lambda: HookedSite(cpu, cpu.hook_address(site.address, move))))
