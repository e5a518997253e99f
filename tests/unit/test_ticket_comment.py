"""A ticket's comment: what it says in each status and at each gate, and that it stays plain text."""

import unicodedata
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Part, Plan
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Event, NewGateway, Record, State, Status, StepProgress, Waiting
from cmg_core.domain.requests import held_gateway
from cmg_core.plan import STEPS, steps_of
from cmg_core.ticket_comment import HEADLINES, LONGEST, WIDTH, history_text, ticket_comment
from tests.fakes import CLASSIC_ID, DEPLOYMENT, NOW, deployment, migration, resource_id
from tests.unit.triggers.callers import MemoryServices, call
from tests.unit.triggers.test_http import saved, started

SCALE_SET = resource_id("Microsoft.Compute/virtualMachineScaleSets", "granitefalls")
STORE = resource_id("Microsoft.Storage/storageAccounts", "granitefalls")
REQUEST = migration(external_reference="CHG0031337")
PLAN = Plan(findings=(), delete=(Part(id=CLASSIC_ID),), keep=(STORE,))
PROBLEM = Problem(code="quota", title="The quota is used up", detail="0 cores are left.", cure="Raise it.", step="x")
OUTSIDE = st.text(max_size=300)


def record(status: Status, step: str = "cut-over", **state: object) -> Record:
    progress = tuple(StepProgress(name) for name in steps_of(REQUEST))
    made = State(REQUEST, plan=PLAN, progress=progress)
    return Record(
        id=DEPLOYMENT,
        revision=7,
        step=step,
        status=status,
        state=replace(made, **state),  # type: ignore[arg-type]
        created_at=NOW,
        updated_at=NOW,
        gateway=held_gateway(REQUEST),
        body_hash="0" * 64,
    )


def waiting_at(gate: Gate, step: str = "cut-over") -> Record:
    waiting = Waiting(f"{gate.what_to_do} Nothing was seen yet.", NOW, NOW + timedelta(minutes=5), gate.name)
    return record(Status.WAITING, step, gates=(gate,), waiting=waiting)


def lines_of(comment: str) -> list[str]:
    """The comment's lines, as they were before they were wrapped."""
    return comment.replace("\n  ", " ").splitlines()


# --- What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_the_first_line_tells_which_gateway_which_ticket_and_where_it_is(status: Status) -> None:
    first, *_ = lines_of(ticket_comment(record(status)))
    told = "rolled back, the old gateway serves" if status is Status.ROLLED_BACK else HEADLINES[status]
    assert first == f"Migration of GraniteFalls.Contoso.Com (CHG0031337): {told}"


def test_a_way_back_and_a_release_are_told_as_what_they_are() -> None:
    assert ": being rolled back" in ticket_comment(record(Status.RUNNING, "roll-back"))
    assert ": done, its parked name is being released" in ticket_comment(record(Status.RUNNING, "release-name"))
    fresh = deployment()
    back = record(Status.ROLLED_BACK, "roll-back")
    back = replace(back, state=replace(back.state, request=fresh, plan=None))
    assert lines_of(ticket_comment(back))[0] == "New gateway in rg-cmg-eastus: rolled back, what it made is removed"


@pytest.mark.parametrize("name", GateName)
@pytest.mark.parametrize("opener", Opener)
def test_at_a_gate_it_tells_what_to_do_who_opens_it_and_how(name: GateName, opener: Opener) -> None:
    told = lines_of(ticket_comment(waiting_at(Gate(name, opener, "Do what is due."))))
    assert f"Waits at the gate {name} since 2026-11-23 12:00 UTC: Do what is due. Nothing was seen yet." in told
    opens, look = f"POST /api/deployments/{DEPLOYMENT}/gates/{name}", f"POST /api/deployments/{DEPLOYMENT}/check"
    assert ("To open it, send by and reason:" in told, opens in told) == (opener is not Opener.APP,) * 2
    assert ("To have the app look now:" in told, look in told) == (opener is not Opener.PERSON,) * 2
    assert f"Gates still closed: {name} ({opener})." in told


def test_a_wait_for_nobody_tells_when_it_looks_again() -> None:
    waiting = Waiting("Azure makes the scale set.", NOW, NOW + timedelta(minutes=1))
    told = lines_of(ticket_comment(record(Status.RUNNING, "provision-scale-set", waiting=waiting)))
    assert "Waits since 2026-11-23 12:00 UTC: Azure makes the scale set." in told
    assert "Looks again at 2026-11-23 12:01 UTC." in told


def test_the_grace_period_is_told_until_something_is_removed() -> None:
    ends = "Grace period until 2026-11-25 12:00 UTC: nothing of the old gateway is removed before."
    grace = record(Status.GRACE, "retire-old-gateway", grace_ends_at=NOW + timedelta(days=2))
    told = lines_of(ticket_comment(grace))
    assert ends in told
    assert "Can be asked, with by and reason: rollback, extend." in told
    assert told[told.index("To be removed:") :][:4] == ["To be removed:", CLASSIC_ID, "Kept:", STORE]
    gone = replace(grace, state=replace(grace.state, deleted=(CLASSIC_ID,)))
    assert ends not in lines_of(ticket_comment(gone))


def test_a_stop_tells_why_where_and_the_cure() -> None:
    told = lines_of(ticket_comment(record(Status.NEEDS_ATTENTION, problem=PROBLEM)))
    assert "Problem at x: The quota is used up. 0 cores are left." in told
    assert "What to do: Raise it." in told
    assert "Can be asked, with by and reason: rollback, resume." in told
    assert not any(line.startswith("Next:") for line in told)


def test_a_refusal_tells_each_finding_against_it_and_no_other() -> None:
    plan = Plan(
        findings=(tells("worth-knowing", "Seen.", "None."), *(blocks(f"no-{n}", "Bad.", "Cure.") for n in "abcdef"))
    )
    told = lines_of(ticket_comment(record(Status.REFUSED, "preflight", plan=plan, problem=PROBLEM)))
    assert [line for line in told if line.startswith("Finding ")] == [
        f"Finding no-{n}: Bad. What to do: Cure." for n in "abcde"
    ]
    assert "Further findings: 1." in told


def test_resources_stand_whole_on_their_own_lines_each_once() -> None:
    done = record(Status.SUCCEEDED, "retire-old-gateway", new=NewGateway(created=(SCALE_SET,)), deleted=(CLASSIC_ID,))
    told = ticket_comment(done).splitlines()
    assert told[told.index("Made:") :][:6] == ["Made:", SCALE_SET, "Removed:", CLASSIC_ID, "Kept:", STORE]
    assert not any("To be removed" in line or "To come" in line for line in told)


def test_a_long_list_is_cut_and_says_so() -> None:
    many = tuple(resource_id("Microsoft.Storage/storageAccounts", f"store{number:02}") for number in range(13))
    told = ticket_comment(record(Status.RUNNING, plan=PLAN.model_copy(update={"keep": many}))).splitlines()
    assert [line for line in told if line in many] == list(many[:10])
    assert "and 3 more." in told


def test_a_comment_that_would_be_too_long_is_cut_and_still_says_where_all_of_it_is() -> None:
    told = ticket_comment(record(Status.NEEDS_ATTENTION, problem=PROBLEM.model_copy(update={"detail": "word " * 399})))
    long = ticket_comment(waiting_at(Gate(GateName.APPROVAL, Opener.PERSON, "word " * 399)))
    both = record(Status.NEEDS_ATTENTION, problem=PROBLEM.model_copy(update={"detail": "x " * 999, "cure": "y " * 999}))
    for comment in (told, long, ticket_comment(both)):
        assert len(comment) <= LONGEST
        assert comment.endswith(f"\nAll of it: GET /api/deployments/{DEPLOYMENT}\n")
    assert "Kept:" not in ticket_comment(both)


@pytest.mark.parametrize("status", [Status.REFUSED, Status.CANCELLED])
def test_where_nothing_was_begun_no_resource_is_told_of(status: Status) -> None:
    assert "/providers/" not in ticket_comment(record(status, "preflight"))


def test_steps_are_told_by_how_far_they_came_with_the_next_one() -> None:
    outcomes = ("done", "done", "running", "to-come")
    names = ("preflight", "register-providers", "fetch-certificate", "provision-network")
    progress = tuple(StepProgress(n, o) for n, o in zip(names, outcomes, strict=True))  # type: ignore[arg-type]
    told = lines_of(ticket_comment(record(Status.RUNNING, "fetch-certificate", progress=progress)))
    assert "Done: preflight, register-providers." in told
    assert "Under way: fetch-certificate." in told
    assert "To come: provision-network." in told
    assert any(line.startswith("Next: provision-network. Make ") for line in told)


# --- Plain text ------------------------------------------------------------------------------------------------------


def is_plain(comment: str) -> bool:
    """No character that a ticket system takes for more than itself, or that moves the cursor; each line is short, or
    one unbroken word."""
    categories = {unicodedata.category(character) for character in comment.replace("\n", "")}
    return (
        not set(comment) & set("[]{}<>|\\!")
        and not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        and all(len(line) <= WIDTH or " " not in line.strip() for line in comment.splitlines())
        and (not comment or comment.endswith("\n"))
    )


ALL = list(product(Status, [step.name for step in STEPS]))


@given(st.sampled_from(ALL), OUTSIDE, st.sampled_from(GateName), st.sampled_from(Opener), st.booleans())
def test_it_is_plain_text_whatever_was_written(
    where: tuple[Status, str], outside: str, name: GateName, opener: Opener, waits: bool
) -> None:
    gate = Gate(name, opener, outside, opened_by=outside, reason=outside)
    problem = PROBLEM.model_copy(update={"title": outside, "detail": outside, "cure": outside, "resource": outside})
    waiting = Waiting(outside, NOW, NOW, gate.name if waits else None)
    found = record(
        *where, gates=(gate,), waiting=waiting, problem=problem, plan=Plan(findings=(blocks("a", outside, "b"),))
    )
    request = REQUEST.model_copy(update={"external_reference": outside})
    assert is_plain(ticket_comment(replace(found, state=replace(found.state, request=request))))


@given(st.lists(OUTSIDE, max_size=5))
def test_a_history_is_plain_text_an_event_a_line(texts: list[str]) -> None:
    shown = history_text([Event(NOW, "cut-over", text, 1) for text in texts])
    assert is_plain(shown)
    assert len([line for line in lines_of(shown) if line.startswith("2026-11-23 12:00 UTC cut-over:")]) == len(texts)


def test_smart_values_codes_and_embeds_stay_what_was_written() -> None:
    evil = "[code]<script>[/code] {{issue.reporter}} !https://evil.example/x.png! [~accountid:1]"
    shown = ticket_comment(waiting_at(Gate(GateName.APPROVAL, Opener.PERSON, evil)))
    assert "(code)«script»(/code) ((issue.reporter)) .https://evil.example/x.png. (~accountid:1)" in shown.replace(
        "\n  ", " "
    )


# --- By HTTP ---------------------------------------------------------------------------------------------------------


def test_a_deployment_is_told_as_its_caller_accepts_it() -> None:
    services = MemoryServices()
    id = started(services)
    saved(services, id, Status.NEEDS_ATTENTION, problem=PROBLEM)
    text = call(services, "show-deployment", path={"id": id}, headers={"Accept": "text/plain"})
    assert (text.status, text.headers["content-type"], text.headers["vary"]) == (200, "text/plain", "Accept")
    stored = services.ledger.peek(id)
    assert stored is not None
    assert text.text == ticket_comment(stored.record)
    for accept in ("", "*/*", "application/json, text/plain"):
        assert call(services, "show-deployment", path={"id": id}, headers={"Accept": accept}).body["id"] == id
    refused = call(services, "show-deployment", path={"id": id}, headers={"Accept": "text/html"})
    assert (refused.status, refused.headers["content-type"]) == (406, "application/problem+json")


def test_a_history_is_told_as_its_caller_accepts_it() -> None:
    services = MemoryServices()
    id = started(services)
    text = call(services, "show-events", path={"id": id}, headers={"Accept": "text/plain"})
    assert (text.headers["content-type"], text.text) == ("text/plain", "2026-11-23 12:00 UTC preflight: accepted\n")
    assert len(call(services, "show-events", path={"id": id}).body["events"]) == 1  # type: ignore[arg-type]


def test_what_is_missing_stays_a_problem_for_those_who_want_text() -> None:
    missing = call(MemoryServices(), "show-deployment", path={"id": DEPLOYMENT}, headers={"Accept": "text/plain"})
    assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json")
