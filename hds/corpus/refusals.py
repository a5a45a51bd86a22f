"""Why a campaign cannot begin or go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lang import Diagnostic


class CampaignEnded(Exception):  # noqa: N818 - it reads as what happened
    """What was finished is kept, and the same call goes on; `hint` says what helps."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ScriptRefused(CampaignEnded):
    """The script does not compile, or not for a campaign; `findings` say more."""

    def __init__(self, message: str, findings: Sequence[Diagnostic] = (), hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.findings = findings


class CommandRefused(ScriptRefused):
    """A command of the script is refused, whatever the program is."""


class NoPrograms(CampaignEnded):
    """What is named is not there, or cannot be listed."""


class BadResults(CampaignEnded):
    """The folder of the results cannot be used."""


class ClusterLost(CampaignEnded):
    """There is no scheduler, or no worker, any more or at all."""
