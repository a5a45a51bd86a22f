"""What of other packages is part of hds's Python face."""

from machine import (
    LoadError as LoadError,
    Message as Message,
    Program as Program,
    RunSummary as RunSummary,
    StopCause as StopCause,
)
from vm.facts.limits import Limits as Limits
