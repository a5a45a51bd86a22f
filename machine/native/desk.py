"""Desk: what the triggers on one core need while they run, and what they count. Cores that take turns share one."""

from __future__ import annotations

import ctypes

from machine.events import Event
from machine.kernel import Kernel
from machine.native.marks import CollectedRing, MarkedRing
from machine.native.tables import ANSWERS, AnswerRow, Marks
from machine.root import RootSandbox
from vm.facts.limits import Limits
from vm.native import Workspace, table

_WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF
_FIELDS = tuple(table(AnswerRow))  # a word each


class Answers:
    """What one kernel's model answers to calls that it does not carry out, and machine code for some that it does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._rows = (AnswerRow * ANSWERS)()
        self._words = (ctypes.c_uint64 * (ANSWERS * len(_FIELDS))).from_buffer(self._rows)  # to read many at once
        self.address = ctypes.addressof(self._rows)
        known, value, step = _FIELDS.index("known"), _FIELDS.index("value"), len(_FIELDS)
        answers = [kernel.default_answer(number) for number in range(ANSWERS)]
        self._words[known::step] = [answer is not None for answer in answers]
        self._words[value::step] = [0 if answer is None else answer & _WORD_MASK for answer in answers]
        kernel.tell_of_looks(self._forget)
        self._is_quick = False

    def be_quick(self) -> None:
        """Have quick calls carried out by machine code, where the CallerCells of a process let it."""
        if not self._is_quick:
            from machine.native import quick_calls  # few programs come to it

            self._is_quick = True
            calls = tuple(dict.fromkeys(self._kernel.quick_calls.values()))
            code = quick_calls.compiled(calls)
            for number, call in self._kernel.quick_calls.items():
                self._rows[number].code = code.address(f"call_{calls.index(call)}")

    def _forget(self) -> None:
        """None of them are answered any more."""
        for row in self._rows:
            row.known = 0

    def count(self) -> None:
        """Let the kernel know how often it has answered."""
        counts = self._words[_FIELDS.index("count") :: len(_FIELDS)]
        if not any(counts):
            return
        for number, count in enumerate(counts):
            if count:
                self._kernel.unknown_calls[number] += count
                self._rows[number].count = 0


class Desk:
    """The sandbox of blocks, and the workspaces of scripts: `held` has the messages that wait for the reader.

    `sent` has those that are sent at once; with `defers` they are delivered when somebody could notice.
    """

    def __init__(self, sandbox: RootSandbox, limits: Limits, defers: bool) -> None:
        self.sandbox = sandbox
        self.collected = CollectedRing()
        self.held = Workspace(limits, self.collected)
        self.sent = MarkedRing(defers)
        self._immediate = Workspace(limits, self.sent)
        self._answers: dict[str, Answers] = {}

    def workspace_of(self, event: Event) -> Workspace:
        """Where the scripts of an event run."""
        return self._immediate if event.definition.immediate else self.held

    def marks_of(self, event: Event) -> int:
        """The address of the Marks of an event's messages; 0 where they are collected."""
        definition, sent = event.definition, self.sent
        return ctypes.addressof(sent.unmarked if definition.outputs else sent.marks) if definition.immediate else 0

    def before(self, event: Event) -> int:
        """The address of a cell that is 0 unless messages wait that come before those of an event."""
        marks, collected = (
            ctypes.addressof(self.sent.marks),
            self.held.ring.address,
        )  # whose first cell counts what waits
        return collected if event.definition.immediate else marks + int(getattr(Marks, "used").offset)  # noqa: B009 - a descriptor

    def answers(self, kernel: Kernel) -> Answers:
        """The answers of a kernel's model."""
        if kernel.name not in self._answers:
            self._answers[kernel.name] = Answers(kernel)
        return self._answers[kernel.name]

    def count_answers(self) -> None:
        """Bring the kernels' counts up to date."""
        for answers in self._answers.values():
            answers.count()
