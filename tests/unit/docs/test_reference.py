"""The pages that are made from the code hold all of it."""

import re

import pytest

from cmg_core.description.problem_types import problem_types
from cmg_core.domain.cases import Case, case_of
from cmg_core.domain.gates import GateName
from cmg_core.domain.makers import ABOUT
from cmg_core.domain.values import at, text_at
from cmg_core.settings import Settings
from cmg_core.triggers.http import DESCRIPTION, ROUTES
from local.docs.api import api_page
from local.docs.indexes import asked, findings_page, gates_page
from local.docs.reference import settings_page
from local.docs.tables import cell
from tests.unit.test_findings_page import sections


@pytest.fixture(scope="module")
def api() -> str:
    return api_page(DESCRIPTION.document)


def test_every_setting_is_on_its_page() -> None:
    page = settings_page()
    assert [field.alias for field in Settings.model_fields.values() if f"| `{field.alias}` |" not in page] == []


def test_what_counts_for_a_setting_left_out_is_written_as_one_would_give_it() -> None:
    left_out = {row.split(" | ")[0]: row.split(" | ")[-1] for row in settings_page().splitlines()}
    assert left_out["| `CMG_KEY_ROLES`"] == "`reader, requester` |"
    assert left_out["| `CMG_SEPARATE_DUTIES`"] == "`false` |"


def test_every_route_is_on_the_page_with_its_parameters_and_roles(api: str) -> None:
    parts = re.split(r"^### .* \{#([a-z-]+)\}$", api, flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert {name for name in told if not name.startswith("type-")} == {route.name for route in ROUTES}
    for route in ROUTES:
        operation = at(DESCRIPTION.document, "paths", f"/{route.path}", route.method.lower())
        assert f"`{route.method} /api/{route.path}`" in told[route.name]
        names = re.findall(r"\{(\w+)\}", route.path)
        assert [name for name in names if f"| `{name}` | path |" not in told[route.name]] == []
        roles = at(operation, "x-roles")
        assert isinstance(roles, list)
        assert [role for role in roles if f"`{role}`" not in told[route.name]] == []
        assert text_at(operation, "description") in told[route.name]


def test_every_type_and_key_is_on_the_page_and_every_link_to_a_type_leads_somewhere(api: str) -> None:
    schemas = at(DESCRIPTION.document, "components", "schemas")
    assert isinstance(schemas, dict)
    assert set(re.findall(r"\{#type-(\w+)\}", api)) == set(schemas)
    assert set(re.findall(r"\(#type-(\w+)\)", api)) <= set(schemas)
    for name, schema in schemas.items():
        told = api.split(f"{{#type-{name}}}\n")[1].split("\n### ")[0]
        keys = at(schema, "properties")
        assert [key for key in (keys if isinstance(keys, dict) else {}) if f"| `{key}`" not in told] == []


def test_problems_on_the_page_lead_to_sections_that_are_there(api: str) -> None:
    assert set(re.findall(r"errors\.md#([a-z-]+)", api)) <= set(problem_types())


def test_every_finding_is_in_the_index_with_those_whom_it_is_about() -> None:
    page = findings_page()
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| [`")}
    assert sorted(lines) == sorted(sections())
    for code, line in lines.items():
        _, _, weighs, _, about, _ = re.split(r"(?<!\\)\|", line)
        assert re.search(r"\*(blocks|warns|tells|unknown)\*", weighs)
        assert re.findall(r"`(\w+)`", about) == [*ABOUT.get(code, ())]


def test_every_gate_and_every_case_is_on_the_page_of_gates() -> None:
    page = gates_page()
    for name in GateName:
        assert f"## {name} {{#{name}}}\n\n*opened by: " in page
    assert {each.case for each in asked()} == set(Case)
    for each in asked():
        assert case_of(each.request, each.names.service_name) is each.case
        assert f"| {each.about} |" in page


def test_a_cell_is_one_line_that_no_text_ends() -> None:
    assert cell("a | b\n <script>") == "a \\| b &lt;script>"
