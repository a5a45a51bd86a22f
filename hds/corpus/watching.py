"""How far a campaign is, on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hds.corpus.outcomes import RETRIED
from hds.corpus.running import Account


@contextlib.contextmanager
def progress() -> Iterator[Callable[[Account], None]]:
    """A line at the foot of the terminal that the function brings up to date."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s, {task.fields[failed]} failed"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None, rate=0.0, failed=0)

        def watch(account: Account) -> None:
            failed = sum(count for outcome, count in account.outcomes.items() if outcome in RETRIED)
            done = account.run + account.done_before + account.duplicates + account.unreadable
            rate = account.run / account.seconds if account.seconds else 0.0
            shown.update(task, total=account.total, completed=done, rate=rate, failed=failed)

        yield watch
