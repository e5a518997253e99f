"""Links of the pages outside docs/, which the site's build does not follow from where they lie, and of what ships."""

import re
from pathlib import Path

import pytest

from local.dev.processes import ROOT

OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "infra/README.md")
LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
MADE_BY_EXAMPLES = {"cmg_core/steps/warm_up.py", "local/azure/arm/route_tables.py"}
"""Files that are in docs/examples only, and in the tree of who has applied them."""
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """What can be linked to in a page, as GitHub and mkdocs make it of headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = (re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", found) for found in re.findall(r"^#+ (.+)$", text, re.M))
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def broken_in(page: Path) -> list[str]:
    """Links of a page that lead to no file of the tree, or to no heading of it."""
    found = []
    for link in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
        path, anchor = link["path"], link["anchor"]
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            found.append(f"{path}: no such file")
        elif anchor and anchor not in anchors_of(target):
            found.append(f"{path}#{anchor}: no such heading")
    return found


@pytest.mark.parametrize("name", OUTSIDE)
def test_links_of_pages_outside_docs_are_whole(name: str) -> None:
    assert broken_in(ROOT / name) == []


def test_links_out_of_docs_are_whole_in_the_tree_too() -> None:
    """In the site they are led elsewhere; who reads the files follows them as they stand."""
    made = {"reference/", "../reference/", "infra.md", "changelog.md", "contributing.md"}
    pages = sorted((ROOT / "docs").rglob("*.md"))
    broken = {page.name: found for page in pages if (found := broken_in(page))}
    for found in broken.values():
        found[:] = [each for each in found if not any(each.startswith(name) for name in made)]
    assert {name: found for name, found in broken.items() if found} == {}


FILE = re.compile(r"`((?:cmg_core|docs|infra|local|samples|tests|bench)/[\w./*-]+)`")


def test_files_that_pages_name_are_there() -> None:
    pages = [*(ROOT / name for name in OUTSIDE), *sorted((ROOT / "docs").rglob("*.md"))]
    missing = {
        page.name: names
        for page in pages
        if (names := [name for name in FILE.findall(page.read_text(encoding="utf-8")) if not [*ROOT.glob(name)]])
    }
    made = set(missing.pop("CONTRIBUTING.md", ()))
    assert missing == {} and made <= MADE_BY_EXAMPLES


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b` c\n[one](missing.md) [two](#a-b-c) [three](#other) `[four](no.md)` [five](https://x.y)\n")
    assert [each.split(":")[0] for each in broken_in(page)] == ["missing.md", "#other"]
