"""The new gateway is seen as its clients will see it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.outcomes import Done, Failed, Wait
from cmg_core.domain.problems import Severity
from cmg_core.domain.record import NewGateway, State
from cmg_core.domain.values import JsonObject
from cmg_core.services import Dialed, NameView
from cmg_core.steps.verify_gateway import verify_gateway
from tests.authorities import authority, server
from tests.fakes import FakeServices, leaf
from tests.unit.steps.building import ADDRESS, MAKE, NAMES, a_state, carry, run, services_of

LEAF = leaf("granitefalls.contoso.com")
NO_CONNECTION_POINT = Dialed(leaf=LEAF, chain=(LEAF,), status=503, status_text="CMGService_No_Connector")


def instance(name: str, health: str = "healthy") -> JsonObject:
    return {
        "name": name,
        "properties": {
            "provisioningState": "Succeeded",
            "instanceView": {
                "statuses": [{"code": "PowerState/running"}],
                "vmHealth": {"status": {"code": f"HealthState/{health}"}},
            },
        },
    }


def world() -> FakeServices:
    """A gateway of two instances that is whole."""
    services, azure = services_of()
    azure.instance_views[MAKE.scale_set.lower()] = [instance("a"), instance("b")]
    services.dns.answers[NAMES.deployment_name] = [NameView("192.0.2.53:53", addresses=(ADDRESS,))]
    services.dialer.answers[NAMES.deployment_name] = NO_CONNECTION_POINT
    return services


def state() -> State:
    known = a_state()
    assert known.certificate is not None
    return replace(
        known,
        certificate=known.certificate.model_copy(update={"fingerprint": fingerprint(LEAF)}),
        new=NewGateway(address=ADDRESS),
    )


def test_a_whole_gateway_is_verified_and_its_chain_told() -> None:
    services = world()
    outcome = run(verify_gateway, services, state())
    assert isinstance(outcome, Done)
    assert outcome.state.new.verified_at == services.clock.now()
    assert outcome.state.plan is not None
    assert [(each.code, each.severity) for each in outcome.state.plan.findings] == [
        ("certificate-chain", Severity.WARNS)
    ]


def test_looking_twice_tells_of_the_chain_once() -> None:
    services = world()
    first = run(verify_gateway, services, state())
    second = run(verify_gateway, services, first.state)
    assert second.state.plan == first.state.plan


@pytest.mark.parametrize("trusted", [True, False])
def test_a_chain_is_checked_against_the_roots_that_the_request_gives(trusted: bool) -> None:
    root, stranger = authority("Contoso root"), authority("Fabrikam root")
    der = server("granitefalls.contoso.com", root)
    services = world()
    services.dialer.answers[NAMES.deployment_name] = replace(NO_CONNECTION_POINT, leaf=der, chain=(der,))
    known = state()
    assert known.certificate is not None
    place = known.request.certificate.model_copy(update={"trusted_roots": ((root if trusted else stranger).pem,)})
    asked = replace(
        known,
        request=known.request.model_copy(update={"certificate": place}),
        certificate=known.certificate.model_copy(update={"fingerprint": fingerprint(der)}),
    )
    outcome = run(verify_gateway, services, asked)
    assert outcome.state.plan is not None
    (finding,) = (each for each in outcome.state.plan.findings if each.code == "certificate-chain")
    if trusted:
        assert isinstance(outcome, Done) and finding.severity is Severity.TELLS
        return
    assert isinstance(outcome, Failed) and outcome.problem.code == "chain-not-trusted"
    assert finding.severity is Severity.BLOCKS and outcome.state.new.verified_at is None


@pytest.mark.parametrize(
    ("what", "instances"),
    [
        ("1 instances stand where 2", [instance("a")]),
        ("3 instances stand where 2", [instance("a"), instance("b"), instance("c")]),
        ("unhealthy", [instance("a"), instance("b", "unhealthy")]),
        ("0 instances stand where 2", []),
    ],
)
def test_instances_that_are_not_whole_are_waited_for(what: str, instances: list[JsonObject]) -> None:
    services = world()
    services.resource_manager.instance_views[MAKE.scale_set.lower()] = instances
    outcome = run(verify_gateway, services, state())
    assert isinstance(outcome, Wait)
    assert what in outcome.reason


@pytest.mark.parametrize(
    "views",
    [
        [NameView("192.0.2.53:53")],
        [NameView("192.0.2.53:53", addresses=("198.51.100.1",))],
        [NameView("192.0.2.53:53", addresses=(ADDRESS,)), NameView("192.0.2.54:53")],
        [NameView("192.0.2.53:53", failure="timed out")],
    ],
)
def test_a_name_that_does_not_resolve_to_the_address_is_waited_for(views: list[NameView]) -> None:
    services = world()
    services.dns.answers[NAMES.deployment_name] = views
    assert isinstance(run(verify_gateway, services, state()), Wait)


def test_one_silent_dns_server_among_several_does_not_matter() -> None:
    services = world()
    services.dns.answers[NAMES.deployment_name].append(NameView("192.0.2.54:53", failure="timed out"))
    assert isinstance(run(verify_gateway, services, state()), Done)


@pytest.mark.parametrize(
    "dialed",
    [
        Dialed(failure="connection refused"),
        Dialed(leaf=LEAF, failure="no answer"),
        Dialed(leaf=LEAF, status=503, status_text="Service Unavailable"),
    ],
)
def test_a_gateway_that_does_not_answer_as_one_is_waited_for(dialed: Dialed) -> None:
    services = world()
    services.dialer.answers[NAMES.deployment_name] = dialed
    assert isinstance(run(verify_gateway, services, state()), Wait)


def test_another_certificate_needs_a_person() -> None:
    services = world()
    other = leaf("granitefalls.contoso.com")
    services.dialer.answers[NAMES.deployment_name] = replace(NO_CONNECTION_POINT, leaf=other, chain=(other,))
    outcome = run(verify_gateway, services, state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "wrong-certificate"
    assert fingerprint(other) in outcome.problem.detail


def test_waiting_ends_with_everything_that_is_missing() -> None:
    services = world()
    services.resource_manager.instance_views.clear()
    services.dialer.answers.clear()
    began = services.clock.now()
    outcome = carry(verify_gateway, services, state())
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "gateway-not-healthy"
    assert "0 instances stand" in outcome.problem.detail
    assert "no route to host" in outcome.problem.detail
    assert timedelta(minutes=45) < services.clock.now() - began < timedelta(minutes=46)
