"""Addresses that machine code serves, and the lists of the events that wait there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from machine.events import Event, Waiting
from machine.native.handling import Handling
from machine.native.tables import ASK, EventTable, HookedAddress, address_of
from machine.processor import Hook

if TYPE_CHECKING:
    from machine.native.process_hook import ProcessHook


class Table:
    """The EventTable of one thing that events wait for. A trigger that is under way goes on with the lists it has."""

    def __init__(self) -> None:
        self.row = EventTable()
        self.address = ctypes.addressof(self.row)
        self._lists: list[Any] = []

    def show(self, pre: Iterable[Handling], post: Iterable[Handling] = ()) -> None:
        """List these events, newest first."""
        pre = tuple(pre)
        self.row.lone = ctypes.addressof(pre[0].row) if len(pre) == 1 and pre[0].is_plain else 0
        self.row.pre, self.row.pre_count = self._list(pre)
        self.row.post, self.row.post_count = self._list(post)

    def _list(self, handlings: Iterable[Handling]) -> tuple[int, int]:
        addresses = [ctypes.addressof(handling.row) for handling in handlings]
        rows = (ctypes.c_uint64 * len(addresses))(*addresses)
        self._lists.append(rows)
        return ctypes.addressof(rows), len(addresses)

    def forget_old(self) -> None:
        """No trigger is under way: only the lists that are shown are needed."""
        del self._lists[:-2]


class CarriedAddress:
    """A hooked address of one process: the machine code of an exit, and what does the same in Python."""

    def __init__(
        self,
        hook: ProcessHook,
        address: int,
        code: int,
        in_python: Callable[[], None],
        table: Table,
        behind: int = 0,
        waiting: Waiting | None = None,
        replaces: bool = False,
    ) -> None:
        cpu = hook.process.cpu
        self._hook = hook
        self.table = table
        callback = cpu.address_hooks.callback(address, in_python, replaces)
        self._functions = (
            callback.function,
            ASK(lambda: hook.moved(address, callback.number, replaces)),
            ASK(self._left),
        )
        self._waiting = waiting
        self.state = HookedAddress(
            state=ctypes.addressof(hook.state),
            address=address,
            behind=behind,
            events=table.address,
            waiting=0 if waiting is None else ctypes.addressof(waiting),
            anew=cpu.address_hooks.arrival.cell_address,
            changes=cpu.code.changes_address,
            in_python=address_of(self._functions[0]),
            moved=address_of(self._functions[1]),
            left=address_of(self._functions[2]),
        )
        self.installed: Hook = cpu.address_hooks.carry(address, code, ctypes.addressof(self.state))

    def show(self, events: tuple[Event, ...]) -> None:
        """These events wait here, newest first."""
        self.table.show(self._hook.handlings(events))

    def _left(self) -> None:
        """Machine code moves RIP away."""
        cpu, state = self._hook.process.cpu, self.state
        state.block, state.shape, state.rest = cpu.leave_block(state.address)
        state.known_at = cpu.code.changes

    def remove(self) -> None:
        """Carry it no more."""
        self._hook.unhook(self)
