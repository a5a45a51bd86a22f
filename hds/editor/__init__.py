"""What an editor asks about a text: findings, meanings of names, completion, layout; and the language server.

Everything but the server works on texts and offsets, and knows no protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from hds.editor.completion import Suggestions as Suggestions, suggest as suggest
    from hds.editor.document import Analyser as Analyser
    from hds.editor.server import serve as serve
    from hds.editor.textmate import textmate_grammar as textmate_grammar
    from hds.editor.vim import vim_syntax as vim_syntax
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "completion": "Suggestions suggest",
            "document": "Analyser",
            "server": "serve",
            "textmate": "textmate_grammar",
            "vim": "vim_syntax",
        },
    )
