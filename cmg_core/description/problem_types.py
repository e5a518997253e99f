"""What the page of errors (errors.md, beside this file) says of each type of problem."""

import re
from collections.abc import Mapping
from functools import cache

from cmg_core.answers import ProblemTypeAnswer
from cmg_core.description.sections import PAGES, in_a_line, sections
from cmg_core.description.table import CALLS, problems_of

PAGE = PAGES / "errors.md"

_PARTS = re.compile(r"\*\*What:\*\*(.+?)\*\*Why:\*\*(.+?)\*\*What to do:\*\*(.+)", re.DOTALL)


@cache
def problem_types() -> Mapping[str, ProblemTypeAnswer]:
    """Every type of problem by its code, in the page's order. Raises OSError where the page did not ship."""
    return {code: _told(code, text) for code, text in sections(PAGE)}


def problem_type_answer(code: str) -> ProblemTypeAnswer | None:
    """What a type of problem means; None for a code that this release cannot tell."""
    return problem_types().get(code)


def in_markdown(told: ProblemTypeAnswer) -> str:
    """The section as the page has it."""
    return f"# {told.code}\n\n**What:** {told.what}\n\n**Why:** {told.why}\n\n**What to do:** {told.what_to_do}\n"


def _told(code: str, section: str) -> ProblemTypeAnswer:
    parts = _PARTS.search(section)
    if parts is None:
        raise ValueError(f"the section {code} of the page of errors has no What, Why and What to do")
    what, why, what_to_do = map(in_a_line, parts.groups())
    calls = tuple(name for name, call in CALLS.items() if code in problems_of(call))
    return ProblemTypeAnswer(code=code, what=what, why=why, what_to_do=what_to_do, calls=calls)
