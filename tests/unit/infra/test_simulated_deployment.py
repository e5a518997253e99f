"""What the Bicep files declare, put into the simulated Azure where it knows the types: wrong references show."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.azure.worlds import GROUP, Azure
from tests.unit.infra.templates import INFRA, body, template

TENANT = "11111111-1111-4111-8111-111111111111"
VERSIONS = {"Microsoft.Network": "2024-05-01", "Microsoft.KeyVault": "2023-07-01"}
GIVEN: Mapping[str, Mapping[str, Any]] = {
    "network": {
        "name": "vnet-cmg-prod",
        "location": "eastus",
        "tags": {"product": "cmg-migrate"},
        "addressPrefix": "10.71.0.0/24",
        "appPrefix": "10.71.0.0/26",
        "endpointPrefix": "10.71.0.64/26",
        "delegateTo": "Microsoft.App/environments",
    },
    "vault": {
        "name": "kv-cmg-abcdefghijklm",
        "location": "eastus",
        "tags": {"product": "cmg-migrate"},
        "privateOnly": False,
    },
}


def evaluated(value: Any, scope: Mapping[str, Any]) -> Any:
    """The value of an expression, as far as these files use the language."""
    match value:
        case {"operator": {"type": "property_accessor", "operands": {"operand_1": left, "operand_2": name}}}:
            return evaluated(left, scope)[name]
        case {"operator": {"type": "conditional", "operands": choice}}:
            return evaluated(choice["true_value" if evaluated(choice["condition"], scope) else "false_value"], scope)
        case {"function": {"type": "subscription"}}:
            return {"tenantId": TENANT}
        case dict():
            assert not {"operator", "function"} & set(value), f"an expression that is not understood here: {value}"
            return {name: evaluated(one, scope) for name, one in value.items()}
        case list():
            return [evaluated(one, scope) for one in value]
        case str() if value in scope:
            return scope[value]
        case str():
            return re.sub(r"\$\{(\w+)\}", lambda found: str(scope[found[1]]), value)
    return value


@pytest.mark.parametrize("name", GIVEN)
def test_the_resources_that_the_simulator_knows_can_be_made(name: str) -> None:
    azure, here = Azure(), template(INFRA / "modules" / f"{name}.bicep")
    scope, made = dict(GIVEN[name]), 0
    for symbol, declared in here.part("resources").items():
        namespace, _, kind = declared["type"].partition("/")
        if namespace not in VERSIONS or "/" in kind:
            continue
        assert declared["api_version"] == VERSIONS[namespace]
        given = evaluated(dict(body(declared)), scope)
        resource_id = f"{GROUP}/providers/{declared['type']}/{given.pop('name')}"
        answer = azure.call("PUT", resource_id, declared["api_version"], given)
        assert answer.status in (200, 201), (symbol, answer.json())
        azure.settle()
        scope[symbol] = {"id": resource_id}
        made += 1
    assert made
