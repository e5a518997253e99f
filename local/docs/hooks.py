"""What mkdocs adds to the pages in docs/: reference pages made from the code, and the pages that lie outside docs/."""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from cmg_core.triggers.http import DESCRIPTION
from local.dev.processes import ROOT
from local.docs.api import api_page
from local.docs.indexes import findings_page, gates_page
from local.docs.reference import settings_page

OUTSIDE = {
    "infra/README.md": "infra.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "cmg_core/description/errors.md": "errors.md",
    "cmg_core/description/findings.md": "findings.md",
}
"""Pages that people look for at their places in the tree, and what they are called in the site."""

_ELSEWHERE = re.compile(r"\[(?P<text>[^\]]+)\]\((?!https?://|#)(?P<path>[\w./-]+)\)")
_LINK = re.compile(r"\]\((?P<up>(?:\.\./)*)(?P<path>[\w./-]+\.md)(?P<rest>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_ELSEWHERE.sub(_named, _LINK.sub(_from_outside, text))))
    made = {
        "settings": settings_page(),
        "api": api_page(DESCRIPTION.document),
        "findings": findings_page(),
        "gates": gates_page(),
    }
    for name, text in made.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead links out of docs/ to the pages that stand for their targets."""
    return _LINK.sub(_to_outside, _ELSEWHERE.sub(_out_of_docs, markdown))


def _from_outside(link: re.Match[str]) -> str:
    """In a page from elsewhere ``docs/…`` is here."""
    path, rest = link["path"].removeprefix("docs/"), link["rest"] or ""
    return f"]({OUTSIDE.get(path, path)}{rest})"


def _named(link: re.Match[str]) -> str:
    """Files of the repository that are no pages are named only."""
    return link[0] if link["path"].endswith(".md") else link["text"]


def _to_outside(link: re.Match[str]) -> str:
    """A page of docs/ leads out of it where a page stands for the target; else the target is named only."""
    if not link["up"]:
        return link[0]
    here = OUTSIDE.get(link["path"])
    return f"]({link['up'].removesuffix('../')}{here}{link['rest'] or ''})" if here else link[0]


def _out_of_docs(link: re.Match[str]) -> str:
    """Files and folders of the repository that no page stands for are named only."""
    return link["text"] if link["path"].startswith("../") and not link["path"].endswith(".md") else link[0]
