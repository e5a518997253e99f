"""Each check of the judge is shown a story that was doctored, and sees it; the true story passes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from local.chaos.checker import CHECKS, judge
from local.chaos.mischief import Kind, Mischief
from local.chaos.reading import duration
from local.chaos.stage import play
from local.chaos.story import Asked, Disturbance, LedgerState, Look, Story
from local.sample import load

SAMPLE = load(Path(__file__).resolve().parents[3] / "samples" / "s07-own-domain-from-classic.json")
PARKED = load(Path(__file__).resolve().parents[3] / "samples" / "parked-name.json")
NEVER = 10_000
"""A call that does not come: what is to happen there does not happen on the way."""
STORAGE = next(id for id in SAMPLE.expect.kept if "storageAccounts" in id).lower()
NOTHING_TO_SAY = {"type": "/api/problems/x", "title": "It stopped", "detail": "", "cure": " "}


@cache
def true_story() -> Story:
    return play(SAMPLE, (), 1)


def ended(story: Story, **members: object) -> Story:
    """The story with another last record."""
    last = story.ledger[-1]
    changed = LedgerState(last.n, last.at, {**last.record, **members}, last.view)  # type: ignore[arg-type]
    return replace(story, ledger=(*story.ledger[:-1], changed))


def told(story: Story, **members: object) -> Story:
    """The story with another last view."""
    last = story.ledger[-1]
    changed = LedgerState(last.n, last.at, last.record, {**last.view, **members})  # type: ignore[arg-type]
    return replace(story, ledger=(*story.ledger[:-1], changed))


def waiting_for_nothing(story: Story) -> Story:
    return told(ended(story, status="running", wake_at=None), waits_for=None)


def waiting_unwatched(story: Story) -> Story:
    waits = {"reason": "Azure deletes it.", "gate": None}
    return told(ended(replace(story, queued=0), status="running", wake_at=None), waits_for=waits)


def called_for_nothing(story: Story) -> Story:
    return ended(story, status="needs-attention")


def old_one_still_there(story: Story) -> Story:
    [old] = story.to_delete
    return replace(story, after={**story.after, old: story.before[old]})


def rolled_back_unasked(story: Story) -> Story:
    return ended(story, status="rolled-back")


def refused_after_writing(story: Story) -> Story:
    return replace(ended(story, status="refused"), disturbances=(Disturbance(story.began_at, "a lock", stops=True),))


def stranger_gone(story: Story) -> Story:
    return replace(story, after={id: body for id, body in story.after.items() if id != STORAGE})


def stranger_deleted(story: Story) -> Story:
    [delete] = [write for write in story.writes if write.method == "DELETE"]
    return replace(story, writes=(*story.writes, replace(delete, path=STORAGE)))


def looked(story: Story, **seen: object) -> Story:
    """The story with another look at the moment of the DELETE."""

    def changed(look: Look | None) -> Look | None:
        return replace(look, **seen) if look else None  # type: ignore[arg-type]

    return replace(story, writes=tuple(replace(write, look=changed(write.look)) for write in story.writes))


def cut_over_a_moment_ago(story: Story) -> Story:
    [delete] = [write for write in story.writes if write.method == "DELETE"]
    changes = ((story.began_at, story.old_name), (delete.at - timedelta(seconds=1), "new.example"))
    return replace(story, dns_changes=changes)


def gate_closed(story: Story) -> Story:
    states = []
    for each in story.ledger:
        state = each.record["state"]
        assert isinstance(state, dict) and isinstance(state["gates"], list)
        gates = [gate | {"opened_at": None} for gate in state["gates"] if isinstance(gate, dict)]
        states.append(LedgerState(each.n, each.at, {**each.record, "state": {**state, "gates": [*gates]}}, each.view))
    return replace(story, ledger=tuple(states))


def clients_cut(story: Story) -> Story:
    return replace(story, failed_at=(story.began_at + timedelta(seconds=5),))


def another_one_writes(story: Story) -> Story:
    other = next(name for name in story.runs if name != story.writes[0].invocation)
    return replace(story, writes=(replace(story.writes[0], invocation=other), *story.writes[1:]))


def unclaimed(story: Story) -> Story:
    states = (LedgerState(each.n, each.at, {**each.record, "claim": None}, each.view) for each in story.ledger)
    return replace(story, ledger=tuple(states))


def write_after_claim(story: Story) -> Story:
    late = tuple(replace(write, at=write.at + timedelta(minutes=6)) for write in story.writes)
    return replace(story, writes=late)


def saved_on_old_record(story: Story) -> Story:
    return replace(story, ledger=(*story.ledger, story.ledger[0]))


def saved_after_end(story: Story) -> Story:
    last = story.ledger[-1]
    revision = last.record["revision"]
    assert isinstance(revision, int)
    again = LedgerState(last.n + 1, last.at, {**last.record, "revision": revision + 1}, last.view)
    return replace(story, ledger=(*story.ledger, again))


def key_in_log(story: Story) -> Story:
    return replace(story, told={**story.told, "the log": "-----BEGIN PRIVATE KEY-----"})


def password_in_ledger(story: Story) -> Story:
    assert story.secrets
    return replace(story, told={**story.told, "the ledger": f"made it with {next(iter(story.secrets))}"})


def part_missing(story: Story) -> Story:
    kept = {id: body for id, body in story.after.items() if "loadbalancers" not in id}
    return replace(story, after=kept)


def left_behind(story: Story) -> Story:
    return replace(ended(story, status="cancelled"), writes=(), asked=(Asked(story.began_at, "cancel"),))


def scale_set_made_twice(story: Story) -> Story:
    [made] = [write for write in story.writes if write.path.endswith("virtualmachinescalesets/granitefalls")]
    return replace(story, writes=(*story.writes, made))


def stopped_without_cure(story: Story) -> Story:
    return told(ended(story, status="needs-attention"), problem=NOTHING_TO_SAY, can=["resume"])


def stopped_without_way_out(story: Story) -> Story:
    problem = NOTHING_TO_SAY | {"detail": "A lock.", "cure": "Remove it."}
    return told(ended(story, status="needs-attention"), problem=problem, can=[])


def refusal_without_reason(story: Story) -> Story:
    return replace(story, asked=(Asked(story.began_at, "cancel", {"title": "No"}),))


def crashed(story: Story) -> Story:
    return replace(story, errors=("cut-over, try 1: KeyError: 'id'",))


DOCTORED: list[tuple[str, Callable[[Story], Story], str]] = [
    ("every request ends or waits for a named thing", waiting_for_nothing, "waited for nothing"),
    ("every request ends or waits for a named thing", waiting_unwatched, "will ever look again"),
    ("every request ends or waits for a named thing", called_for_nothing, "nothing happened that needs one"),
    ("each end is right", old_one_still_there, "still there"),
    ("each end is right", rolled_back_unasked, "nobody asked"),
    ("each end is right", refused_after_writing, "was sent before"),
    ("nothing deleted outside the plan", stranger_gone, "are gone"),
    ("nothing deleted outside the plan", stranger_deleted, "no plan named it"),
    ("nothing deleted but under the guard", cut_over_a_moment_ago, "after the cut-over"),
    ("nothing deleted but under the guard", gate_closed, "were closed"),
    ("nothing deleted but under the guard", lambda story: looked(story, healthy=1), "1 of 2 new instances"),
    ("nothing deleted but under the guard", lambda story: looked(story, new_relays=False), "did not relay"),
    ("nothing deleted but under the guard", lambda story: looked(story, leading_to_old=("vpn",)), "vpn led to"),
    ("nothing deleted but under the guard", lambda story: looked(story, locked=True), "lock"),
    ("a gateway relayed at every moment", clients_cut, "found no gateway"),
    ("a gateway relayed at every moment", lambda story: replace(story, attempts=3), "too few"),
    ("no write with an old revision", another_one_writes, "its message has revision"),
    ("no write with an old revision", unclaimed, "the claim is nobody's"),
    ("no write with an old revision", write_after_claim, "its claim ended"),
    ("revisions grow by one", saved_on_old_record, "was followed by 1"),
    ("revisions grow by one", saved_after_end, "after it had ended"),
    ("no secret anywhere", key_in_log, "looks like a secret"),
    ("no secret anywhere", password_in_ledger, "went over the wire"),
    ("no orphan resource", part_missing, "of its own there are"),
    ("no orphan resource", left_behind, "behind"),
    ("no orphan resource", scale_set_made_twice, "made 2 times"),
    ("every failure is explained", stopped_without_cure, "lacks detail, cure"),
    ("every failure is explained", stopped_without_way_out, "nothing is offered"),
    ("every failure is explained", refusal_without_reason, "lacks detail, cure"),
    ("every failure is explained", crashed, "nobody foresaw"),
]


def test_the_true_story_passes() -> None:
    assert judge(true_story()) == []


@pytest.mark.parametrize(("rule", "doctor", "seen"), DOCTORED, ids=[f"{doctor.__name__}" for _, doctor, _ in DOCTORED])
def test_a_doctored_story_is_seen_through(rule: str, doctor: Callable[[Story], Story], seen: str) -> None:
    found = [each.what for each in judge(doctor(true_story())) if each.rule == rule]
    assert any(seen in what for what in found), found


@cache
def released_story() -> Story:
    return play(PARKED, (Mischief(Kind.RELEASE_NAME, NEVER, 1),), 1)


@cache
def parked_story() -> Story:
    return play(PARKED, (), 1)


def without_release(story: Story) -> Story:
    """The release's states are taken for those of the step before."""
    before = tuple(
        LedgerState(each.n, each.at, {**each.record, "step": "retire-old-gateway"}, each.view) for each in story.ledger
    )
    return replace(story, ledger=before)


def standing_again(story: Story) -> Story:
    return replace(story, after={**story.after, story.parked: parked_story().after[story.parked]})


def with_address(story: Story, **properties: object) -> Story:
    """The story with another address at the end."""
    body = story.after[story.parked]
    assert isinstance(body["properties"], dict)
    return replace(
        story,
        after={**story.after, story.parked: {**body, "properties": {**body["properties"], **properties}}},  # type: ignore[dict-item]
    )


def released_too_early(story: Story) -> Story:
    """Somebody asked on the way and was not refused; nobody asked after the end."""
    return replace(story, asked=tuple(replace(each, at=story.began_at) for each in story.asked))


DOCTORED_RELEASES: list[tuple[str, Callable[[], Story], str]] = [
    ("nothing deleted outside the plan", lambda: without_release(released_story()), "by retire-old-gateway"),
    ("nothing deleted outside the plan", lambda: replace(released_story(), asked=()), "nobody had asked"),
    ("nothing deleted outside the plan", lambda: released_too_early(released_story()), "nobody had asked"),
    (
        "nothing deleted but under the guard",
        lambda: looked(released_story(), leading_to_old=("vpn",)),
        "-ip was deleted",
    ),
    ("nothing deleted but under the guard", lambda: looked(released_story(), locked=True), "lock"),
    ("nothing deleted but under the guard", lambda: looked(parked_story(), leading_to_old=("GraniteFalls",)), "led to"),
    ("each end is right", lambda: without_release(released_story()), "was to stay parked"),
    ("each end is right", lambda: standing_again(released_story()), "still there"),
    ("each end is right", lambda: with_address(parked_story(), ipConfiguration={"id": "/x"}), "alone with its label"),
    ("each end is right", lambda: with_address(parked_story(), dnsSettings=None), "alone with its label"),
    ("revisions grow by one", lambda: without_release(released_story()), "after it had ended"),
    ("revisions grow by one", lambda: replace(released_story(), parked=""), "after it had ended"),
]


def test_a_parked_name_and_its_release_pass() -> None:
    assert judge(parked_story()) == [] and parked_story().parked in parked_story().after
    assert judge(released_story()) == [] and released_story().parked not in released_story().after
    # While the name stays parked nobody can take it, whatever else leads to it.
    assert judge(looked(parked_story(), leading_to_old=("vpn",))) == []
    # The new gateway's health is no matter of the release.
    sick = tuple(
        replace(write, look=replace(write.look, healthy=0))
        if write.look and write.path == released_story().parked
        else write
        for write in released_story().writes
    )
    assert judge(replace(released_story(), writes=sick)) == []


@pytest.mark.parametrize(("rule", "doctored", "seen"), DOCTORED_RELEASES)
def test_a_doctored_release_is_seen_through(rule: str, doctored: Callable[[], Story], seen: str) -> None:
    found = [each.what for each in judge(doctored()) if each.rule == rule]
    assert any(seen in what for what in found), found


def test_every_check_is_tested() -> None:
    from tests.unit.chaos.test_cases import DOCTORED as CASES

    assert {rule for rule, *_ in (*DOCTORED, *CASES)} == CHECKS.keys()


def test_a_gap_that_others_made_is_no_violation() -> None:
    story = clients_cut(true_story())
    excused = replace(story, disturbances=(Disturbance(story.began_at, "CP1 was switched off", cuts_clients=True),))
    assert judge(excused) == []
    over = replace(story, disturbances=(replace(excused.disturbances[0], until=story.began_at - timedelta(hours=1)),))
    assert judge(over)


def test_durations_are_read() -> None:
    assert duration("P1DT2H3M4.5S") == timedelta(days=1, hours=2, minutes=3, seconds=4.5)
    with pytest.raises(ValueError, match="is no duration"):
        duration("a while")
