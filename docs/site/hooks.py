"""What MkDocs does to pages on their way to the site (`hooks` in mkdocs.yml)."""

from __future__ import annotations

import re
from typing import Any

_EXAMPLES = re.compile(r"^```example\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"\[(P\d{3})\](?![\[(])")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Examples of docs/language.md, `SCRIPT ==> RESULT`, become scripts with a comment; ids of remarks become links."""
    markdown = _REMARK.sub(lambda match: f"[{match[1]}](portability.md#{match[1].lower()})", markdown)
    return _EXAMPLES.sub(lambda match: "```hds\n" + match[1].replace(" ==>", " // ==>") + "```", markdown)
