"""README.md leads somewhere: its links, its picture, the menu of the site. (What it shows is run by test_pages.py.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_page_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert len(links) > 20


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "report.png").stat().st_size < 200_000


def named(menu: Any) -> set[str]:
    """The pages of a menu of MkDocs."""
    if isinstance(menu, str):
        return {menu}
    return set().union(*map(named, menu.values() if isinstance(menu, dict) else menu))


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert menu == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_what_is_installed_has_the_name_that_is_distributed() -> None:
    """`hds` is another project's name on the public index."""
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "hds").rglob("*.py")]
    assert [
        path.name for path in files if re.search(r"pip install '?hds[\[' ]", path.read_text(encoding="utf-8"))
    ] == []
