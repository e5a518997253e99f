"""Where the gateway will stand: providers in every state, and vaults that are deleted or closed."""

import pytest

from cmg_core.domain.problems import Severity
from cmg_core.domain.target import judge_providers, judge_vault, judge_vault_access, unregistered
from cmg_core.domain.values import JsonObject
from tests.fakes import VAULT_ID, migration

NEEDED = ("Microsoft.Compute", "Microsoft.Network")


@pytest.mark.parametrize(
    ("state", "code", "to_register"),
    [
        ("Registered", None, False),
        ("NotRegistered", "providers-to-register", True),
        ("Unregistered", "providers-to-register", True),
        ("Registering", "providers-registering", False),
        ("Unregistering", "providers-being-unregistered", True),
    ],
)
def test_each_state_of_a_provider_is_told(state: str, code: str | None, to_register: bool) -> None:
    states = {"microsoft.compute": state, "Microsoft.Network": "Registered"}
    found = judge_providers(states, NEEDED)
    assert [finding.code for finding in found] == ([code] if code else [])
    weight = Severity.WARNS if state == "Unregistering" else Severity.TELLS
    assert all(finding.severity is weight and "Microsoft.Compute" in finding.seen for finding in found)
    assert unregistered(states, NEEDED) == (("Microsoft.Compute",) if to_register else ())


def test_a_provider_that_azure_does_not_list_is_to_be_registered() -> None:
    assert unregistered({}, NEEDED) == NEEDED
    assert [finding.code for finding in judge_providers({}, NEEDED)] == ["providers-to-register"]


def test_a_vault_that_was_deleted_can_be_recovered() -> None:
    deleted: JsonObject = {
        "id": "/d",
        "name": "kv-cmg",
        "properties": {"location": "westus", "deletionDate": "2026-11-01"},
    }
    (found,) = judge_vault(None, migration(), deleted)
    assert (found.code, found.resource) == ("vault-soft-deleted", "/d")
    assert "az keyvault recover --name kv-cmg --location westus" in found.cure
    assert [finding.code for finding in judge_vault(None, migration())] == ["vault-not-in-subscription"]


@pytest.mark.parametrize(
    ("properties", "codes"),
    [
        ({}, []),
        ({"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}, []),
        ({"publicNetworkAccess": "Disabled"}, ["vault-closed"]),
        ({"networkAcls": {"defaultAction": "Deny"}}, ["vault-closed"]),
    ],
)
def test_a_closed_vault_is_told_from_a_missing_right(properties: JsonObject, codes: list[str]) -> None:
    found = judge_vault_access({"id": VAULT_ID, "properties": properties}, migration())
    assert [finding.code for finding in found] == codes
