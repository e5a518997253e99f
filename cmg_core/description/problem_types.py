"""What the page of errors (errors.md, beside this file) says of each type of problem."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cmg_core.answers import ProblemTypeAnswer
from cmg_core.description.table import CALLS, problems_of

PAGE = Path(__file__).with_name("errors.md")

_PARTS = re.compile(r"\*\*What:\*\*(.+?)\*\*Why:\*\*(.+?)\*\*What to do:\*\*(.+)", re.DOTALL)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


@cache
def problem_types() -> Mapping[str, ProblemTypeAnswer]:
    """Every type of problem by its code, in the page's order. Raises OSError where the page did not ship."""
    sections = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    told = (_told(*section.split("\n", 1)) for section in sections)
    return {each.code: each for each in told}


def problem_type_answer(code: str) -> ProblemTypeAnswer | None:
    """What a type of problem means; None for a code that this release cannot tell."""
    return problem_types().get(code)


def in_markdown(told: ProblemTypeAnswer) -> str:
    """The section as the page has it."""
    return f"# {told.code}\n\n**What:** {told.what}\n\n**Why:** {told.why}\n\n**What to do:** {told.what_to_do}\n"


def _told(heading: str, body: str) -> ProblemTypeAnswer:
    parts = _PARTS.search(re.split(r"^#", body, maxsplit=1, flags=re.MULTILINE)[0])
    code = heading.strip()
    if parts is None:
        raise ValueError(f"the section {code} of the page of errors has no What, Why and What to do")
    what, why, what_to_do = (_LINK.sub(r"\1", " ".join(part.split())) for part in parts.groups())
    calls = tuple(name for name, call in CALLS.items() if code in problems_of(call))
    return ProblemTypeAnswer(code=code, what=what, why=why, what_to_do=what_to_do, calls=calls)
