"""Importing this skips a module of tests where no machine code can be made; its other imports would fail."""

from __future__ import annotations

from engines import need_machine_code

need_machine_code()
