"""One page for all runs, which needs nothing else: no network, no other file.

What runs say stands in it as text only: Jinja2 escapes it in the page, `_embedded` in the data of its script, and the
policy of the page lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import resources

from hds.exporting.gathering import Gathered
from hds.exporting.runs import RecordedRun
from hds.exporting.views import View, overview
from hds.session import MissingExtra
from hds.version import VERSION
from vm.facts.limits import Limits


def chunks(runs: Sequence[RecordedRun], limits: Limits) -> Iterator[bytes]:
    """The page, whole. Raises MissingExtra."""
    views = [View(Gathered(run, limits)) for run in runs]
    yield page("report.html.jinja", [view.data() for view in views], views=views, overview=overview(views))


def page(template: str, data: object, **values: object) -> bytes:
    """A page of this template, with what its script is given. Raises MissingExtra."""
    try:
        from jinja2 import Environment
        from markupsafe import Markup
    except ImportError:
        raise MissingExtra("Jinja2", "report") from None
    style = _asset("uplot/uPlot.min.css") + _asset("report.css")
    script = _asset("uplot/uPlot.iife.min.js") + _asset("report.js")
    environment = Environment(autoescape=True, trim_blocks=True)
    made = environment.from_string(_asset(template)).render(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=Markup(_embedded(data)),
        version=VERSION,
        **values,
    )
    return made.encode()


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, and nothing runs but this style and this script."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(value: object) -> str:
    """JSON that stands in a script element: ASCII, and nothing in it begins markup."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    """A file of the page's own, which has no `</script` or `</style` in it."""
    return resources.files("hds.exporting").joinpath("assets", name).read_text("utf-8")
