"""The three ways in which evaluation ends early."""

from __future__ import annotations


class Rejected(Exception):  # noqa: N818 - named after what happens to the script
    """The script is no program of the language; `code` is a row of section 17.1."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Stopped(Exception):  # noqa: N818
    """The run stops; `kind` is a row of section 16.2."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Unspecified(Exception):  # noqa: N818
    """The language does not say what happens."""
