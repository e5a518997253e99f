"""What a request's keys take, and what a deployment holds alone."""

import pytest
from pydantic import ValidationError

from cmg_core.domain.requests import DeploymentRequest, MigrationRequest, Request, held_gateway
from tests.authorities import authority
from tests.fakes import CLASSIC_ID, GROUP, SUBSCRIPTION, VAULT, ZONE_ID, deployment, migration, resource_id

STANDING = resource_id("Microsoft.Compute/virtualMachineScaleSets", "Evergreen")


@pytest.mark.parametrize("span", [3600, None, "12:00:00", "3 days", "PT0S", "-P1D", "P"])
def test_a_duration_is_written_as_iso_8601_has_it_and_longer_than_nothing(span: object) -> None:
    with pytest.raises(ValidationError, match="grace_period"):
        migration(grace_period=span)
    assert migration(grace_period="PT1S").grace_period.total_seconds() == 1


def test_a_request_is_read_again_from_its_values() -> None:
    request = migration(accept_gap="PT30M")
    assert MigrationRequest.model_validate(request.model_dump()) == request


@pytest.mark.parametrize("name", [5, True, ["cmg.contoso.com"], {}])
def test_a_name_that_is_no_text_is_refused_as_one(name: object) -> None:
    with pytest.raises(ValidationError, match="service_name"):
        deployment(service_name=name)


def test_a_vaults_address_is_kept_in_one_form() -> None:
    written = migration(certificate={"vault": "https://KV-CMG.Vault.Azure.Net/", "name": "granitefalls"})
    assert written.certificate == migration(certificate={"vault": VAULT, "name": "granitefalls"}).certificate


def test_several_authorities_in_one_text_are_kept_one_behind_the_other() -> None:
    one, other = authority("Contoso root"), authority("Fabrikam root")
    place = {"vault": VAULT, "name": "granitefalls", "trusted_roots": [f"{one.pem}\n\n{other.pem}"]}
    assert migration(certificate=place).certificate.trusted_roots == (one.pem + other.pem,)


PLACE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}|{VAULT}|granitefalls|"


@pytest.mark.parametrize(
    ("request_", "held"),
    [
        (migration(), CLASSIC_ID.lower()),
        (migration(provisioned_by="existing", new_gateway={"resource_id": STANDING}), CLASSIC_ID.lower()),
        (deployment(provisioned_by="existing", new_gateway={"resource_id": STANDING}), STANDING.lower()),
        (deployment(), PLACE),
        (deployment(service_name="GraniteFalls.Contoso.Com"), f"{PLACE}granitefalls.contoso.com"),
        (deployment(first_label="GraniteFalls"), f"{PLACE}granitefalls"),
        (
            deployment(service_name="GraniteFalls.Contoso.Com", first_label="granitefalls"),
            f"{PLACE}granitefalls.contoso.com",
        ),
        (deployment(certificate=None), f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}||"),
    ],
)
def test_one_deployment_at_a_time_holds_a_gateway_however_it_is_written(request_: Request, held: str) -> None:
    """The ledger keeps it as a key: another release finds it in the same letters."""
    assert held_gateway(request_) == held


def test_letters_of_another_case_hold_the_same_gateway() -> None:
    old = {"resource_id": CLASSIC_ID.upper(), "service_name": "GraniteFalls.Contoso.Com"}
    assert held_gateway(migration(old_gateway=old)) == held_gateway(migration())
    assert held_gateway(deployment(resource_group=GROUP.upper())) == held_gateway(deployment())


def test_a_zone_is_a_public_one_and_a_gateway_a_scale_set() -> None:
    private = ZONE_ID.replace("dnsZones", "privateDnsZones")
    for changes in ({"dns": {"zone_id": private}}, {"new_gateway": {"resource_id": CLASSIC_ID}}):
        with pytest.raises(ValidationError):
            deployment(**changes)
    assert isinstance(deployment(dns={"zone_id": ZONE_ID}), DeploymentRequest)
