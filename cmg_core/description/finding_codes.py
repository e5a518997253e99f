"""What the page of findings (findings.md, which ships with the app) says of each code."""

import re
from collections.abc import Mapping
from functools import cache

from cmg_core.answers import FindingCodeAnswer
from cmg_core.description.sections import PAGES, in_a_line, sections

PAGE = PAGES / "findings.md"

_PARTS = re.compile(
    r"(.+?)\*\*Seen:\*\*(.+?)\*\*Why it matters:\*\*(.+?)\*\*What to do:\*\*(.+)",
    re.DOTALL,
)


@cache
def finding_codes() -> Mapping[str, FindingCodeAnswer]:
    """Every finding by its code, in the page's order. Raises OSError where the page did not ship."""
    return {code: _told(code, text) for code, text in sections(PAGE)}


def in_markdown(told: FindingCodeAnswer) -> str:
    """The section as the page has it."""
    return (
        f"# {told.code}\n\n{told.weighs}\n\n**Seen:** {told.seen}\n\n**Why it matters:** {told.why}\n\n"
        f"**What to do:** {told.what_to_do}\n"
    )


def _told(code: str, section: str) -> FindingCodeAnswer:
    parts = _PARTS.search(section)
    if parts is None:
        raise ValueError(f"the section {code} of the page of findings has no Seen, Why it matters and What to do")
    weighs, seen, why, what_to_do = map(in_a_line, parts.groups())
    return FindingCodeAnswer(code=code, weighs=weighs, seen=seen, why=why, what_to_do=what_to_do)
