"""Modules that packages show, and load when something in them is first used."""

from __future__ import annotations

import subprocess
import sys

from source_trees import ROOT

_BEGINNING = """
import sys
from machine.root import processor
from vm.face import load_late
def loaded(): return "machine.root.processor" in sys.modules
"""


def said(program: str) -> list[str]:
    """What a process of its own prints."""
    line = [sys.executable, "-c", _BEGINNING + program]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_a_late_module_is_loaded_by_its_first_use() -> None:
    ran = said("print(loaded()); made = processor.RootProcessor; print(loaded(), made is processor.RootProcessor)")
    assert ran == ["False", "True", "True"]


def test_what_is_used_of_it_is_that_of_the_module() -> None:
    program = "from machine.root.processor import RootProcessor; print(processor.RootProcessor is RootProcessor)"
    assert said(program) == ["True"]


def test_a_late_module_has_no_other_names() -> None:
    assert said("print(hasattr(processor, 'nothing'), loaded())") == ["False", "True"]


def test_all_of_them_can_be_loaded_at_once() -> None:
    assert said("print(loaded()); load_late(); print(loaded())") == ["False", "True"]
