"""Loads a Lark grammar as LALR tables, from a cache after the first time (about 130 ms once, 8 ms afterwards).

The cache lies in the user's own cache folder (XDG_CACHE_HOME), never in a shared one: it is a pickle. Where it cannot
be written, the tables are built anew each time.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
from lark.lexer import Lexer
from lark.parse_tree_builder import ParseTreeBuilder
from lark.parsers.lalr_parser_state import ParseConf


class _NoLexer(Lexer):
    """Tokens are fed by hand; Lark is not to build a lexer of its own."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, data: object) -> Iterator[lark.Token]:  # type: ignore[override]  # never called
        return iter(())


def _cache_file(text: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(f"{lark.__version__} {sys.version} {text}".encode()).hexdigest()[:32]
    return root / "hds" / f"{key}.lalr"


def _build(text: str) -> lark.Lark:
    return lark.Lark(text, parser="lalr", lexer=_NoLexer, keep_all_tokens=True, maybe_placeholders=False)


def _is_ours(path: Path) -> bool:
    """A cache file is trusted only if this user alone can have written it."""
    status = path.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def load_tables(path: Path, builder: object) -> ParseConf[Any]:
    """The LALR tables of the grammar file, with the methods of `builder` as its callbacks on every reduction."""
    text = path.read_text(encoding="utf-8")
    instance = _cached(text)
    table = instance.parser.parser.parser.parse_table
    trees: Any = ParseTreeBuilder
    callbacks = trees(instance.rules, lark.Tree).create_callback(builder)
    return ParseConf(table, callbacks, "start")


def _cached(text: str) -> lark.Lark:
    try:
        cache = _cache_file(text)
        if _is_ours(cache):
            with cache.open("rb") as file:
                return lark.Lark.load(file)
    except Exception:  # a cache that is missing, damaged or from elsewhere is built again
        pass
    instance = _build(text)
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = io.BytesIO()
        instance.save(data)
        handle, name = tempfile.mkstemp(dir=cache.parent)
        with os.fdopen(handle, "wb") as new:
            new.write(data.getvalue())
        os.replace(name, cache)
    except OSError:
        pass
    return instance
