"""The names that the site takes for a gateway."""

from cmg_core.domain.name_spaces import NameSpaces, holds_the_names, judge_names, names_held
from cmg_core.domain.values import JsonObject
from tests.fakes import deployment, migration

FREE: JsonObject = {"nameAvailable": True}
TAKEN: JsonObject = {"nameAvailable": False, "reason": "AlreadyExists", "message": "It is taken."}
DELETED: JsonObject = {"id": "/deleted", "name": "granitefalls", "properties": {"scheduledPurgeDate": "2027-01-01"}}


def codes(spaces: NameSpaces) -> list[str]:
    found = list(judge_names(spaces, "granitefalls"))
    assert all(finding.applies_to == ("site",) for finding in found)
    return [finding.code for finding in found]


def test_each_space_has_its_finding() -> None:
    assert codes(NameSpaces(FREE, FREE, None)) == []
    assert codes(NameSpaces(TAKEN, FREE, None)) == ["vault-name-taken"]
    assert codes(NameSpaces(FREE, TAKEN, None)) == ["storage-name-taken"]
    assert codes(NameSpaces(TAKEN, TAKEN, DELETED)) == ["vault-name-soft-deleted", "storage-name-taken"]


def test_a_deleted_vault_is_to_be_purged_unless_it_is_protected() -> None:
    (found,) = judge_names(NameSpaces(TAKEN, FREE, DELETED), "granitefalls")
    assert "az keyvault purge --name granitefalls" in found.cure
    assert "until 2027-01-01" in found.seen
    protected: JsonObject = {**DELETED, "properties": {"purgeProtectionEnabled": True}}
    (found,) = judge_names(NameSpaces(TAKEN, FREE, protected), "granitefalls")
    assert "purge --name" not in found.cure


def test_the_old_gateway_holds_the_names_of_its_first_label() -> None:
    assert holds_the_names(migration(), "granitefalls")
    assert not holds_the_names(migration(), "granitefalls2")
    assert not holds_the_names(deployment(), "granitefalls")
    assert names_held(migration(), "granitefalls").applies_to == ("site",)
