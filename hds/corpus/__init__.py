"""One script on many programs (docs/corpus.md, `hds corpus`): Dask runs them, the results are Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.corpus.campaign import (
        Budget as Budget,
        Campaign as Campaign,
        Settings as Settings,
        new_campaign as new_campaign,
    )
    from hds.corpus.comparing import (
        ProgramChange as ProgramChange,
        compare_campaigns as compare_campaigns,
        lines_of_change as lines_of_change,
        object_of_change as object_of_change,
    )
    from hds.corpus.kept import KeptRun as KeptRun, kept_runs as kept_runs
    from hds.corpus.outcomes import Outcome as Outcome
    from hds.corpus.pages import campaign_pages as campaign_pages
    from hds.corpus.refusals import (
        BadResults as BadResults,
        CampaignEnded as CampaignEnded,
        ClusterLost as ClusterLost,
        CommandRefused as CommandRefused,
        NoPrograms as NoPrograms,
        ScriptRefused as ScriptRefused,
    )
    from hds.corpus.running import Account as Account, run as run
    from hds.corpus.store import Reading as Reading, is_results as is_results
    from hds.corpus.summing import (
        Overview as Overview,
        lines_of as lines_of,
        lists_of as lists_of,
        overview as overview,
    )
    from hds.corpus.watching import progress as progress
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "campaign": "Budget Campaign Settings new_campaign",
            "comparing": "ProgramChange compare_campaigns lines_of_change object_of_change",
            "kept": "KeptRun kept_runs",
            "outcomes": "Outcome",
            "pages": "campaign_pages",
            "summing": "Overview lines_of lists_of overview",
            "watching": "progress",
            "refusals": "BadResults CampaignEnded ClusterLost CommandRefused NoPrograms ScriptRefused",
            "running": "Account run",
            "store": "Reading is_results",
        },
    )
