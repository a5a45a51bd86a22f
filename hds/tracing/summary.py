"""The table of `-c`: calls, errors and virtual time by name, as strace has it."""

from __future__ import annotations

from collections import Counter

from hds.tracing.calls import Call

_SECOND = 1_000_000_000


class Counts:
    """Counts calls; signals and ends are not told of."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.time: Counter[str] = Counter()

    def entered(self, call: Call) -> None:
        """As `Sink`."""

    def left(self, call: Call) -> None:
        """As `Sink`."""
        self.calls[call.name] += 1
        self.errors[call.name] += call.error is not None
        self.time[call.name] += (call.ended or call.began) - call.began

    def signal(self, pid: int, tid: int, name: str, info: str, now: int) -> None:
        """As `Sink`."""

    def joined(self, tid: int) -> None:
        """As `Sink`."""

    def ended(self, pid: int, tid: int, code: int, killed_by: str | None, how: str, now: int) -> None:
        """As `Sink`."""

    def finish(self) -> None:
        """As `Sink`."""

    def table(self) -> str:
        """The lines: most time first, then most calls, then by name."""
        whole = self.time.total()
        rule = f"{'-' * 6} {'-' * 11} {'-' * 11} {'-' * 9} {'-' * 9} {'-' * 16}\n"
        text = f"{'% time':>6} {'seconds':>11} {'usecs/call':>11} {'calls':>9} {'errors':>9} syscall\n{rule}"
        for name in sorted(self.calls, key=lambda name: (-self.time[name], -self.calls[name], name)):
            text += _row(self.time[name], whole, self.calls[name], self.errors[name], name)
        return f"{text}{rule}" + _row(whole, whole, self.calls.total(), self.errors.total(), "total")


def _row(time: int, whole: int, calls: int, errors: int, name: str) -> str:
    share = 100 * time / whole if whole else 0.0
    each = time // 1000 // calls if calls else 0
    return f"{share:6.2f} {time / _SECOND:11.6f} {each:11} {calls:9} {errors or '':>9} {name}\n"
