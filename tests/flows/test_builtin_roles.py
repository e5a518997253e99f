"""The built-in roles that docs/service-providers.md names cover what it says: delegation takes no others.

Actions as in Microsoft Learn's "Azure built-in roles" (general, networking, security), looked up in November 2026. Of
Virtual Machine Contributor only what matters here is listed: it has more.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from cmg_core.domain.permissions import IN_THE_GROUP, allows
from cmg_core.domain.values import JsonObject
from tests.flows.test_custom_roles import ROLES, actions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "service-providers.md"


@dataclass(frozen=True)
class BuiltIn:
    """A role's ID and patterns."""

    id: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    def grants(self, action: str) -> bool:
        entry: JsonObject = {"actions": [*self.actions], "notActions": [*self.not_actions]}
        return allows([entry], action)

    def grants_data(self, action: str) -> bool:
        return allows([{"actions": [*self.data_actions], "notActions": []}], action)


ANY_READER_HAS = ("Microsoft.Authorization/*/read", "Microsoft.Resources/subscriptions/resourceGroups/read")
BUILT_IN = {
    "Contributor": BuiltIn(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
        ),
    ),
    "Reader": BuiltIn("acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    "DNS Zone Contributor": BuiltIn(
        "befefa01-2a29-4197-83a8-272ff33ce314", ("Microsoft.Network/dnsZones/*", *ANY_READER_HAS)
    ),
    "Network Contributor": BuiltIn("4d97b98b-1d4f-4787-a291-c67834d212e7", ("Microsoft.Network/*", *ANY_READER_HAS)),
    "Virtual Machine Contributor": BuiltIn(
        "9980e02c-c2be-4d73-94e8-173b1dc7cf3c", ("Microsoft.Compute/virtualMachineScaleSets/*", *ANY_READER_HAS)
    ),
    "Key Vault Reader": BuiltIn(
        "21090545-7ca7-4776-b22c-e363652d74d2",
        ("Microsoft.KeyVault/vaults/*/read", *ANY_READER_HAS),
        data_actions=("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
    ),
    "Key Vault Certificate User": BuiltIn(
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        (),
        data_actions=(
            "Microsoft.KeyVault/vaults/certificates/read",
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            "Microsoft.KeyVault/vaults/keys/read",
        ),
    ),
}
DELEGABLE = ("Contributor", "Reader", "DNS Zone Contributor", "Network Contributor", "Virtual Machine Contributor")
PRIVATE_KEY = "Microsoft.KeyVault/vaults/secrets/getSecret/action"


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "Key Vault Certificate User"])
def test_the_page_names_each_by_its_id(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert name in page and BUILT_IN[name].id in page


def test_contributor_covers_all_that_the_flows_ask_for_and_no_right_to_hand_out_rights() -> None:
    contributor = BUILT_IN["Contributor"]
    assert [action for name in ROLES for action in actions(name) if not contributor.grants(action)] == []
    assert not contributor.grants("Microsoft.Authorization/roleAssignments/write")
    assert not contributor.grants("Microsoft.Authorization/locks/delete")


def test_reader_covers_every_look_and_no_step() -> None:
    wanted = {action for name in ROLES for action in actions(name)}
    assert {action for action in wanted if BUILT_IN["Reader"].grants(action)} == {
        action for action in wanted if action.endswith("/read")
    }


def test_dns_zone_contributor_covers_the_zone() -> None:
    assert [action for action in actions("zone") if not BUILT_IN["DNS Zone Contributor"].grants(action)] == []


def test_the_two_contributors_of_a_group_cover_a_gateways_resources_and_not_the_vault_nor_providers() -> None:
    both = (BUILT_IN["Network Contributor"], BUILT_IN["Virtual Machine Contributor"])
    assert [action for action, _ in IN_THE_GROUP if not any(role.grants(action) for role in both)] == []
    for action in ("Microsoft.KeyVault/vaults/deploy/action", "Microsoft.Resources/subscriptions/resourceGroups/write"):
        assert not any(role.grants(action) for role in both)


def test_what_can_be_delegated_reads_nothing_in_a_vault() -> None:
    assert all(BUILT_IN[name].data_actions == () for name in DELEGABLE)


def test_key_vault_reader_reads_the_certificate_and_not_its_key() -> None:
    reader = BUILT_IN["Key Vault Reader"]
    assert all(reader.grants_data(action) for action in actions("vault", "DataActions"))
    assert not reader.grants_data(PRIVATE_KEY)
    assert BUILT_IN["Key Vault Certificate User"].grants_data(PRIVATE_KEY), "why the page warns of it"
