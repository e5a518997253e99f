"""Names in code type on the pages are names of the product: a page that tells of what is no more fails."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmg_core.description.problem_types import problem_types
from cmg_core.domain.gates import GateName
from cmg_core.domain.record import Status
from cmg_core.domain.transitions import Phase
from cmg_core.domain.values import Json, at
from cmg_core.plan import STEPS
from cmg_core.settings import Settings
from cmg_core.triggers.http import DESCRIPTION, ROUTES
from local.dev.processes import ROOT
from local.sample import sample_names
from tests.unit.infra.templates import VARIABLES
from tests.unit.test_findings_page import told

TELL_OF_OTHERS = ("decisions", "simulator.md", "campaigns.md", "engine-protocol.md", "security.md")
"""Pages about the simulator's keys, or about how the product is made."""
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if not {page.name, page.parent.name} & set(TELL_OF_OTHERS)
]
KEY = re.compile(r"`([a-z]+(?:_[a-z]+)+(?:\.[a-z_]+)*)`")
CODE = re.compile(r"`([a-z]+(?:-[a-z0-9]+)+)`")
SETTING = re.compile(r"`(CMG_[A-Z_]+)`")
OTHERS = {
    "prevent_destroy": "Terraform",
    "local-exec": "Terraform",
    "what-if": "Azure Resource Manager",
    "tickets_authorization": "a parameter of infra/logic-apps",
    "given-up": "a subscription's state",
    "callback-keys": "a secret of the app's vault (infra/make_keys.py)",
    "message-keys": "a secret of the app's vault (infra/make_keys.py)",
    "wake-due": "the timer's function",
    "user_impersonation": "a scope of infra/caller-app.json",
}
"""Names that are not in the description, and whose they are."""
LIKE = re.compile(r"x-[a-z-]+|cmg-[a-z-]+")
"""Headers, queues and tags."""


def keys(schema: Json) -> Iterator[str]:
    """Each key of a request or an answer, and each value that the description lists."""
    for name, inner in schema.items() if isinstance(schema, dict) else ():
        if name == "properties" and isinstance(inner, dict):
            yield from inner
        if name == "enum" and isinstance(inner, list):
            yield from map(str, inner)
        for each in inner if isinstance(inner, list) else (inner,):
            yield from keys(each)


NAMES = {
    *keys(at(DESCRIPTION.document, "components", "schemas")),
    *(f"{field.alias}" for field in Settings.model_fields.values()),
    *(step.name for step in STEPS),
    *(route.name for route in ROUTES),
    *(name.removesuffix(".json") for name in sample_names()),
    *(*GateName, *Phase, *Status),
    *problem_types(),
    *told(),
    *VARIABLES,
    *OTHERS,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_what_there_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [
        *CODE.findall(text),
        *SETTING.findall(text),
        *(part for key in KEY.findall(text) for part in key.split(".")),
    ]
    assert sorted({name for name in named if name not in NAMES and not LIKE.fullmatch(name)}) == []
