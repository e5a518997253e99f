"""What operators set by ``azd env set``: every parameter can be, the pages tell all, and no other way is advised."""

import json
import re

from cmg_core.domain.roles import Role
from tests.unit.docs.commands import PAGES
from tests.unit.infra.templates import INFRA, PARAMETERS, ROOT, VARIABLE, VARIABLES, template

BY_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID"}
"""What azd itself has or asks for; whom it deploys as (AZURE_PRINCIPAL_…) nobody sets."""
GIVEN = json.loads(PARAMETERS.read_text())["parameters"]


def test_every_parameter_is_taken_from_the_environment() -> None:
    assert set(GIVEN) == set(template(INFRA / "main.bicep").part("parameters"))
    assert [name for name, one in GIVEN.items() if not VARIABLE.fullmatch(one["value"])] == []


def test_what_counts_where_nothing_is_set_is_the_templates_own_default() -> None:
    for name, declared in template(INFRA / "main.bicep").part("parameters").items():
        if declared["default"] is not None:
            default = str(declared["default"])
            found = VARIABLE.fullmatch(GIVEN[name]["value"])
            assert found and (found[2] or "") == (default.lower() if declared["type"] == "bool" else default), name


def test_the_page_tells_every_variable_and_no_other() -> None:
    table = (INFRA / "README.md").read_text().partition("| `azd env set …` |")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines() for name in re.findall(r"`(CMG_\w+)`", row.split(" | ")[0])}
    assert told == {name for name in VARIABLES if name.startswith("CMG_")}


def test_the_pages_set_nothing_that_is_not_taken_and_nothing_past_azd() -> None:
    """The next `azd provision` takes back what the Azure CLI has set."""
    for page in PAGES:
        text = page.read_text()
        named = set(re.findall(r"azd env set ([A-Z_0-9]+)", text))
        assert named <= VARIABLES.keys() | BY_AZD, page
        assert "appsettings set" not in text, page


def test_the_registration_of_callers_has_the_apps_roles_and_asks_for_tokens_of_version_2() -> None:
    registration = json.loads((INFRA / "caller-app.json").read_text())
    assert {one["value"] for one in registration["appRoles"]} == {role.app_role for role in Role}
    assert all(set(one["allowedMemberTypes"]) == {"User", "Application"} for one in registration["appRoles"])
    assert registration["api"]["requestedAccessTokenVersion"] == 2
    [scope] = registration["api"]["oauth2PermissionScopes"]
    ids = [scope["id"], *(one["id"] for one in registration["appRoles"])]
    assert len({*ids}) == len(ids)
    assert f'"delegatedPermissionIds\\": [\\"{scope["id"]}\\"]' in (ROOT / "docs" / "roles.md").read_text()
