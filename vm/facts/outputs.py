"""Kinds of output sources, as `output create` names them. The module of that name in hds/outputs carries one out."""

from __future__ import annotations

OUTPUT_KINDS: tuple[str, ...] = ("file", "namedpipe", "tcp", "module")
