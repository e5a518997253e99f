"""Faults that are planted in the product are found by the judge: a guard left out, a fence ignored, a grace cut short.

Each is told the story in which it does its harm; the same story without it is clean.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cmg_core import engine
from cmg_core.domain import gaps, procedure, record, transitions
from cmg_core.domain.cases import Case
from cmg_core.domain.guard import Verdict
from cmg_core.domain.outcomes import Done
from cmg_core.domain.plans import Part
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Claim
from cmg_core.domain.record_sets import RecordSet
from cmg_core.history import Line
from cmg_core.looks import survey
from cmg_core.steps import cut_over, provision_scale_set, release_name, retire_old_gateway, roll_back
from cmg_core.steps.planned import plan_of
from local.chaos import servers, stage
from local.chaos.checker import judge
from local.chaos.mischief import Kind, Mischief
from local.sample import Sample, load

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
FENCE = "no write with an old revision"
GUARD = "nothing deleted but under the guard"
STANDSTILLS = tuple(Mischief(Kind.FROZEN, at, 3) for at in range(101, 150, 5))
"""So many that one meets a run between its claim and its write."""
type Plant = Callable[[pytest.MonkeyPatch], None]


@cache
def sample(grace: str = "PT4S") -> Sample:
    found = load(SAMPLES / "s07-own-domain-from-classic.json")
    return found.model_copy(update={"request": found.request | {"grace_period": grace}})


def guard_left_out(patch: pytest.MonkeyPatch) -> None:
    async def nothing_found(*_: Any, **__: Any) -> Verdict:
        return Verdict()

    patch.setattr(retire_old_gateway, "_guard", nothing_found)


def grace_cut_short(patch: pytest.MonkeyPatch) -> None:
    async def nothing_left(*_: Any) -> timedelta:
        return timedelta()

    patch.setattr(retire_old_gateway, "left_until", nothing_left)
    guard_left_out(patch)


def fence_ignored(patch: pytest.MonkeyPatch) -> None:
    async def no_claim(run: Any) -> Claim:
        return Claim(run.invocation_id, run.message_id, run.services.clock.now() + timedelta(minutes=5))

    patch.setattr(engine._Run, "_take_claim", no_claim)


def claims_never_run_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(record.Claim, "ensure_covers_a_call", lambda *_: None)


def relaying_taken_for_granted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cut_over, "_relays", lambda *_: True)


def new_resources_forgotten(patch: pytest.MonkeyPatch) -> None:
    async def removes_nothing(_: Any, state: Any) -> Done:
        return Done(state)

    patch.setattr(roll_back, "_remove_new", removes_nothing)


def storage_account_as_well(patch: pytest.MonkeyPatch) -> None:
    remove = retire_old_gateway.remove

    async def remove_more(context: Any, state: Any, ids: Any, *more: Any) -> Any:
        plan = state.plan.model_copy(update={"delete": tuple(Part(id=id) for id in (*ids, *state.plan.keep))})
        widened = replace(state, plan=plan)
        storage = [part.id for part in plan.delete if "storageAccounts/" in part.id]
        return await remove(context, widened, [*ids, *storage], *more)

    patch.setattr(retire_old_gateway, "remove", remove_more)
    guard_left_out(patch)


def password_in_history(patch: pytest.MonkeyPatch) -> None:
    password = "Cmg-1234567890-abcdef"
    patch.setattr(provision_scale_set, "_password", lambda: password)
    patch.setattr(engine, "lines_of_run", lambda *_, **__: (Line(f"set the password {password}"),))


def problems_without_cure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "problem_of", lambda *_: Problem(code="x", title="It failed", detail="403", cure=""))


def wakes_nobody(patch: pytest.MonkeyPatch) -> None:
    async def sleeps_on(_: Any) -> int:
        return 0

    patch.setattr(servers, "wake_due", sleeps_on)
    patch.setattr(stage, "LONGEST", timedelta(days=2))


def released_without_a_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release_name, "judge_release", lambda *_: ())


def parked_name_forgotten(patch: pytest.MonkeyPatch) -> None:
    remove = retire_old_gateway.remove

    async def remove_more(context: Any, state: Any, ids: Any, *more: Any) -> Any:
        widened = replace(state, plan=state.plan.model_copy(update={"delete": (*state.plan.delete, state.plan.parked)}))
        return await remove(context, widened, [*ids, state.plan.parked.id], *more)

    patch.setattr(retire_old_gateway, "remove", remove_more)
    guard_left_out(patch)


def gives_up_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "RETRIES", 0)


PLANTED: list[tuple[Plant, str, tuple[Mischief, ...], str]] = [
    (guard_left_out, "PT4S", (Mischief(Kind.FORGOTTEN_RECORD, 30, 1),), GUARD),
    (grace_cut_short, "PT1H", (), GUARD),
    (fence_ignored, "PT4S", (), FENCE),
    (
        claims_never_run_out,
        "PT4S",
        (Mischief(Kind.FROZEN, 127, 3), Mischief(Kind.FROZEN, 132, 3)),
        FENCE,
    ),
    (relaying_taken_for_granted, "PT4S", (Mischief(Kind.CONNECTION_POINT_LOST, 60, 1),), "a gateway relayed"),
    (new_resources_forgotten, "PT1H", (Mischief(Kind.ROLLBACK, 80, 1),), "no orphan resource"),
    (storage_account_as_well, "PT4S", (), "nothing deleted outside the plan"),
    (password_in_history, "PT4S", (), "no secret anywhere"),
    (problems_without_cure, "PT4S", (Mischief(Kind.FORBIDDEN, 20, 1),), "every failure is explained"),
    (wakes_nobody, "P1D", (), "every request ends or waits"),
    (gives_up_at_once, "PT4S", (Mischief(Kind.BURST, 20, 1),), "each end is right"),
]


@pytest.mark.parametrize(("plant", "grace", "mischief", "rule"), PLANTED, ids=[plant.__name__ for plant, *_ in PLANTED])
def test_a_planted_fault_is_caught(
    plant: Plant, grace: str, mischief: tuple[Mischief, ...], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge(stage.play(sample(grace), mischief, 1)) == []
    plant(monkeypatch)
    found = judge(stage.play(sample(grace), mischief, 1))
    assert any(each.rule.startswith(rule) for each in found), found


def original_record_too(patch: pytest.MonkeyPatch) -> None:
    """Case 1: the record that clients know already is changed as well, as if the name moved."""
    change = cut_over._change_record

    async def changes_both(context: Any, state: Any) -> Any:
        zone = state.request.dns.zone_id
        old = RecordSet.alias(f"{zone}/CNAME/gateway", timedelta(minutes=5), plan_of(state).names.deployment_name)
        await context.azure.put(await context.claim(), old.id, old.body())
        return await change(context, state)

    patch.setattr(stage, "LONGEST", timedelta(hours=1))
    patch.setattr(
        cut_over, "ORDERS", cut_over.ORDERS | {Case.NEW_NAME: (changes_both, *cut_over.ORDERS[Case.NEW_NAME][1:])}
    )


def asks_the_site_unguarded(patch: pytest.MonkeyPatch) -> None:
    """The site is to forget the old gateway though the new one does not relay; only the deletion looks."""
    guard = retire_old_gateway._guard

    async def looks_before_deleting(*things: Any, about_to_delete: bool) -> Verdict:
        return await guard(*things, about_to_delete=True) if about_to_delete else Verdict()

    patch.setattr(retire_old_gateway, "_guard", looks_before_deleting)


def gap_foretold_too_short(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gaps, "CHANNEL_CHECK", timedelta(seconds=1))


def deaths_not_foretold(patch: pytest.MonkeyPatch) -> None:
    """Only what usually happens is foretold."""
    patch.setattr(gaps, "MESSAGE_HOLD", timedelta())


def record_before_anybody_asked(patch: pytest.MonkeyPatch) -> None:
    """The record leads over first, and only then somebody is asked whether clients may move."""
    ready, change, *others = cut_over._CONNECTION_POINT_FOLLOWS
    order = (cut_over._lower_ttl, change, ready, *others)
    patch.setattr(cut_over, "ORDERS", cut_over.ORDERS | {Case.GAP_ACCEPTED: order})


def inside_view_asked_last(patch: pytest.MonkeyPatch) -> None:
    """Nobody is asked to let the inside view follow before the new gateway relays, which waits for just that."""
    order = tuple(part for part in cut_over.ORDERS[Case.GAP_ACCEPTED] if part is not cut_over._ask_inside_view)
    patch.setattr(cut_over, "ORDERS", cut_over.ORDERS | {Case.GAP_ACCEPTED: order})
    patch.setattr(stage, "LONGEST", timedelta(hours=1))


def grace_from_the_gateways_making(patch: pytest.MonkeyPatch) -> None:
    """A retirement whose grace period counts from before anybody was ready."""
    order = tuple(part for part in cut_over.ORDERS[Case.RETIREMENT] if part is not cut_over._ready)
    patch.setattr(cut_over, "ORDERS", cut_over.ORDERS | {Case.RETIREMENT: (*order, cut_over._ready)})


def original_point_goes_as_well(patch: pytest.MonkeyPatch) -> None:
    """With an accepted gap the original connection point serves the new gateway: it must never be asked to go."""
    gates_of = procedure.gates_of

    def one_more(request: Any, names: Any, ports: str) -> Any:
        return (*gates_of(request, names, ports), procedure._connection_point_removed(names))

    patch.setattr(survey, "gates_of", one_more)
    patch.setattr(stage, "LONGEST", timedelta(hours=1))


def back_without_a_look_at_the_old_one(patch: pytest.MonkeyPatch) -> None:
    async def serves(_: Any, state: Any) -> Done:
        return Done(state)

    patch.setattr(roll_back, "_old_name_serves", serves)


def figures_taken_as_they_come(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transitions, "why_not_enough", lambda *_: "")


PLANTED_IN_CASES: list[tuple[Plant, str, tuple[Mischief, ...], str]] = [
    (original_record_too, "s08-own-domain-from-cloudapp-net", (), "records change only"),
    (asks_the_site_unguarded, "s08-retire-only", (Mischief(Kind.CONNECTION_POINT_LOST, 30, 1),), "nothing asked"),
    (gap_foretold_too_short, "s07-consented-gap", (), "a gap only as foretold"),
    (deaths_not_foretold, "s07-consented-gap", (), "a gap only as foretold"),
    (record_before_anybody_asked, "s07-consented-gap", (), "records change only"),
    (inside_view_asked_last, "s07-consented-gap", (), "a gap only as foretold"),
    (original_point_goes_as_well, "s07-consented-gap", (), "the gates are the case's"),
    (original_point_goes_as_well, "s02-classic-gone", (), "the gates are the case's"),
    (grace_from_the_gateways_making, "s08-retire-only", (Mischief(Kind.LATE, 2, 1),), "nothing asked of the site"),
    (guard_left_out, "s08-retire-only", (Mischief(Kind.CONNECTION_POINT_LOST, 45, 1),), GUARD),
    (
        back_without_a_look_at_the_old_one,
        "s08-own-domain-from-cloudapp-net",
        (Mischief(Kind.ORIGINAL_POINT_LOST, 60, 1), Mischief(Kind.ROLLBACK, 68, 1)),
        "the way back is safe",
    ),
    (figures_taken_as_they_come, "s09-offline-clients", (), "gates open when it is so"),
]


@pytest.mark.parametrize(("plant", "name", "mischief", "rule"), PLANTED_IN_CASES)
def test_a_fault_that_only_another_case_shows_is_caught(
    plant: Plant, name: str, mischief: tuple[Mischief, ...], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = load(SAMPLES / f"{name}.json")
    assert judge(stage.play(story, mischief, 1)) == []
    plant(monkeypatch)
    found = judge(stage.play(story, mischief, 1))
    assert any(each.rule.startswith(rule) for each in found), found


RELEASED = Mischief(Kind.RELEASE_NAME, 10_000, 1)
"""Asked for after the end only."""
PLANTED_IN_RELEASES: list[tuple[Plant, tuple[Mischief, ...], str]] = [
    (released_without_a_look, (RELEASED, Mischief(Kind.FORGOTTEN_RECORD, 1, 1, put_off=True)), GUARD),
    (released_without_a_look, (RELEASED, Mischief(Kind.RECORD_BACK, 1, 1, put_off=True)), GUARD),
    (released_without_a_look, (RELEASED, Mischief(Kind.OLD_RECREATED, 1, 1, put_off=True)), GUARD),
    (parked_name_forgotten, (), "nothing deleted outside the plan"),
]


@pytest.mark.parametrize(("plant", "mischief", "rule"), PLANTED_IN_RELEASES)
def test_a_fault_planted_in_the_release_of_a_name_is_caught(
    plant: Plant, mischief: tuple[Mischief, ...], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parking = load(SAMPLES / "parked-name.json")
    assert judge(stage.play(parking, mischief, 1)) == []
    plant(monkeypatch)
    found = judge(stage.play(parking, mischief, 1))
    assert any(each.rule.startswith(rule) for each in found), found
