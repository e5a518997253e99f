"""The names that the site takes for a gateway."""

import pytest

from cmg_core.domain.name_spaces import NameSpaces, holds_the_names, judge_names, names_held
from cmg_core.domain.problems import Severity
from cmg_core.domain.values import JsonObject
from tests.fakes import CLASSIC_ID, deployment, migration

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
    assert "until 2027-01-01" in found.seen and "protected" not in found.seen
    assert (found.severity, found.resource) == (Severity.BLOCKS, "/deleted")
    protected: JsonObject = {**DELETED, "properties": {"purgeProtectionEnabled": True}}
    (found,) = judge_names(NameSpaces(TAKEN, FREE, protected), "granitefalls")
    assert "purge --name" not in found.cure
    assert "protected against being purged" in found.seen and "until" not in found.seen


@pytest.mark.parametrize(
    ("spaces", "what"), [(NameSpaces(TAKEN, FREE, None), "vault"), (NameSpaces(FREE, TAKEN, None), "storage account")]
)
def test_a_name_that_is_taken_is_told_with_the_label_and_azures_reason(spaces: NameSpaces, what: str) -> None:
    (found,) = judge_names(spaces, "granitefalls")
    assert f"{what} «granitefalls»" in found.seen and "It is taken." in found.seen
    assert (found.severity, found.pointer) == (Severity.BLOCKS, "/service_name")


def test_azures_reason_is_told_where_it_has_no_message() -> None:
    said: JsonObject = {"nameAvailable": False, "reason": "AccountNameInvalid"}
    (found,) = judge_names(NameSpaces(said, FREE, None), "granitefalls")
    assert "AccountNameInvalid" in found.seen


def test_the_old_gateway_holds_the_names_of_its_first_label() -> None:
    assert holds_the_names(migration(), "granitefalls")
    assert not holds_the_names(migration(), "granitefalls2")
    assert not holds_the_names(deployment(), "granitefalls")
    held = names_held(migration(), "granitefalls")
    assert (held.applies_to, held.severity) == (("site",), Severity.BLOCKS)
    assert (held.resource, held.pointer) == (CLASSIC_ID, "/old_gateway/service_name")
