"""How long a plan takes: what was measured, what the plan knows, and that nothing unknown is passed over."""

import asyncio
import time
from datetime import timedelta

import pytest

from cmg_core import calls
from cmg_core.domain.cases import Case
from cmg_core.domain.durations import ADDRESS, BALANCER, MAKING, REMOVING, Kind, in_words, timetable
from cmg_core.domain.plans import Part, Plan
from cmg_core.domain.requests import Request
from cmg_core.plan import steps_of
from tests.fakes import FakeServices, deployment, migration
from tests.worlds import base, classic, scale_set


def planned(request: Request, services: FakeServices | None = None) -> Plan:
    return asyncio.run(calls.make_plan(services or classic(), request))  # type: ignore[arg-type]  # fakes


def span(request: Request, plan: Plan, what: str) -> timedelta | None:
    return next(line.usual for line in timetable(request, plan).lines if what in line.what)


def test_every_step_has_its_lines_in_the_order_of_the_plan() -> None:
    request = migration()
    told = [line.step for line in timetable(request, planned(request)).lines if line.step]
    assert list(dict.fromkeys(told)) == list(steps_of(request))


@pytest.mark.parametrize(
    ("maker", "kinds"),
    [
        ("automation", [Kind.AZURE, Kind.NOT_MEASURED]),
        ("site", [Kind.NOT_MEASURED]),
        ("existing", [Kind.CALLS]),
    ],
)
def test_the_scale_set_takes_what_its_maker_needs(maker: str, kinds: list[Kind]) -> None:
    plan = planned(migration()).model_copy(update={"steps": ("provision-scale-set",), "gates": ()})
    lines = timetable(migration(provisioned_by=maker), plan).lines
    assert [(line.step, line.kind) for line in lines] == [("provision-scale-set", kind) for kind in kinds]


def test_what_azure_needs_is_what_the_recordings_show() -> None:
    making = [line for line in timetable(migration(), planned(migration())).lines if line.kind is Kind.AZURE]
    seconds = [(line.step, line.usual, line.highest) for line in making]
    assert seconds == [
        ("provision-network", timedelta(seconds=32), timedelta(seconds=104)),
        ("provision-scale-set", timedelta(seconds=92), timedelta(seconds=353)),
    ]


def test_waits_are_exact_ttl_before_and_after_the_change_and_grace() -> None:
    request = migration(grace_period="P3D")
    waits = [line for line in timetable(request, planned(request)).lines if line.kind is Kind.WAIT]
    assert [line.usual for line in waits] == [timedelta(minutes=5), timedelta(seconds=30), timedelta(days=3)]
    assert all(line.usual == line.highest for line in waits)


def test_the_longest_ttl_that_servers_gave_counts_before_the_change() -> None:
    services = classic()
    services.dns.point("GraniteFalls.Contoso.Com", "granitefalls.cloudapp.net", ttl=7200)
    assert span(migration(), planned(migration(), services), "before the record changes") == timedelta(hours=2)


def test_where_the_zone_is_others_its_ttl_is_waited_for_once() -> None:
    services = classic()
    services.dns.point("GraniteFalls.Contoso.Com", "granitefalls.cloudapp.net", ttl=600)
    request = migration(dns=None)
    table = timetable(request, planned(request, services))
    assert table.of(Kind.WAIT).usual == timedelta(minutes=10) + request.grace_period


def test_providers_take_their_time_only_where_they_are_missing() -> None:
    services = classic()
    services.resource_manager.provider_states["Microsoft.Compute"] = "NotRegistered"
    registered, missing = planned(migration()), planned(migration(), services)
    differs = timetable(migration(), missing).usual - timetable(migration(), registered).usual
    assert differs == timedelta(seconds=77)


def test_of_what_azure_makes_side_by_side_the_longer_chain_counts() -> None:
    line = next(line for line in timetable(migration(), planned(migration())).lines if line.step == "provision-network")
    assert line.usual == MAKING[ADDRESS].usual + MAKING[BALANCER].usual
    assert line.highest == MAKING[ADDRESS].highest + MAKING[BALANCER].highest


def test_parts_of_the_old_gateway_go_one_after_the_other() -> None:
    old = {"resource_id": scale_set_id(), "service_name": "GraniteFalls.Contoso.Com"}
    request = migration(old_gateway=old, reason="new subscription")
    plan = planned(request, scale_set())
    deleted = [line for line in timetable(request, plan).lines if line.what.startswith("Azure deletes")]
    assert len(deleted) == len(plan.delete) == 5
    assert {(line.step, line.kind) for line in deleted} == {("retire-old-gateway", Kind.AZURE)}
    assert sum((line.highest or timedelta() for line in deleted), timedelta()) == sum(
        (measured.highest for measured in REMOVING.values()), timedelta()
    )


def scale_set_id() -> str:
    return next(
        id for id in (str(body["id"]) for body in scale_set().resource_manager.resources.values()) if "Sets" in id
    )


def test_what_was_never_measured_is_said_and_not_counted() -> None:
    plan = planned(migration())
    strange = plan.model_copy(
        update={
            "steps": (*plan.steps, "polish"),
            "delete": (*plan.delete, Part(id=plan.delete[0].id.replace("ClassicCompute/domainNames", "Sql/servers"))),
        }
    )
    before, after = timetable(migration(), plan), timetable(migration(), strange)
    assert (before.usual, before.highest) == (after.usual, after.highest)
    assert {(line.step, line.what) for line in set(after.on_top) - set(before.on_top)} == {
        ("retire-old-gateway", "Azure deletes the servers GraniteFalls"),
        ("polish", "Not measured"),
    }


def test_people_are_told_and_not_counted() -> None:
    table = timetable(migration(), planned(migration()))
    people = [line for line in table.lines if line.kind is Kind.PEOPLE]
    assert [(line.what, line.usual) for line in people] == [("Gates that people open (5)", None)]


def test_a_moment_before_which_nothing_changes_is_told_in_utc_wherever_the_host_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = migration(cut_over_not_before="2026-12-01T06:00:00+02:00")
    plan = planned(request)
    with monkeypatch.context() as place:
        place.setenv("TZ", "EST5")
        time.tzset()
        told = [line.what for line in timetable(request, plan).lines]
    time.tzset()
    assert "Not before 2026-12-01 04:00 UTC" in told


@pytest.mark.parametrize("changes", [{"case": Case.RETIREMENT}, {"record": None, "public_ttl": timedelta()}])
def test_no_ttl_is_waited_for_where_no_record_changes(changes: dict[str, object]) -> None:
    plan = planned(migration()).model_copy(update={"steps": ("cut-over",), "gates": (), **changes})
    [line] = timetable(migration(), plan).lines
    assert (line.step, line.kind) == ("cut-over", Kind.CALLS)


def test_sums_are_those_of_the_lines() -> None:
    table = timetable(deployment(), planned(deployment(), base()))
    assert table.usual == sum((line.usual for line in table.lines if line.usual), timedelta())
    assert table.highest == sum((line.highest for line in table.lines if line.highest), timedelta())
    assert timedelta() < table.usual < table.highest


@pytest.mark.parametrize("measured", [*MAKING.values(), *REMOVING.values()])
def test_nothing_was_seen_to_take_longer_than_the_longest(measured: object) -> None:
    assert timedelta() <= measured.usual <= measured.highest  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (0.4, "0 s"), (59, "59 s"), (92, "1 min 32 s"), (3600, "1 h"), (90061, "1 d 1 h 1 min 1 s")],
)
def test_spans_read_as_people_say_them(seconds: float, told: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == told
