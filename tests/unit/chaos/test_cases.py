"""The judge knows each case of the procedures: the true story of each passes, and a doctored one is seen through."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from cmg_core.domain import values
from local.chaos.campaign import EACH_CASE
from local.chaos.cases import Case
from local.chaos.checker import judge
from local.chaos.mischief import Kind, Mischief
from local.chaos.stage import play
from local.chaos.story import Asked, Disturbance, LedgerState, Look, Story, Write
from local.sample import load

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
NEW_NAME, RETIREMENT = "s08-own-domain-from-cloudapp-net.json", "s08-retire-only.json"
GAP, CLOSED = "s07-consented-gap.json", "s07-own-domain-from-classic.json"
GONE, EXISTING, SITE = "s02-classic-gone.json", "existing-gateway.json", "site-makes-the-gateway.json"
MOVED = "s09-offline-clients.json"
RECORDS = "records change only as the case allows"
OTHERS = "nothing of others changed"
SITE_ASKED = "nothing asked of the site but under the guard"
GATES, OPEN = "the gates are the case's", "gates open when it is so"
RELAYED, AGREED = "a gateway relayed at every moment", "a gap only as foretold and accepted"
BACK, GUARD, ENDED = "the way back is safe", "nothing deleted but under the guard", "each end is right"
ORPHANS = "no orphan resource"
type Doctor = Callable[[Story], Story]


@cache
def told(name: str, *mischief: Mischief, grace: str = "PT4S") -> Story:
    sample = load(SAMPLES / name)
    longer = {"grace_period": grace} if "grace_period" in sample.request else {}
    return play(sample.model_copy(update={"request": sample.request | longer}), mischief, 1)


@cache
def taken_back(name: str) -> Story:
    """A story that is rolled back while the grace period runs, or before the removal."""
    for at in (100, 90, 80, 70, 60, 50):
        story = told(name, Mischief(Kind.ROLLBACK, at, 1), grace="PT1H")
        if story.outcome == "rolled-back":
            return story
    raise AssertionError("it never went back")


def of(name: str) -> Callable[[], Story]:
    return lambda: told(name)


def back(name: str) -> Callable[[], Story]:
    return lambda: taken_back(name)


def looking(is_meant: Callable[[Write], bool], **seen: object) -> Doctor:
    """Another truth at the moments of some writes."""

    def changed(look: Look | None) -> Look | None:
        return replace(look, **seen) if look else None  # type: ignore[arg-type]

    def doctor(story: Story) -> Story:
        writes = (replace(each, look=changed(each.look)) if is_meant(each) else each for each in story.writes)
        return replace(story, writes=tuple(writes))

    return doctor


def asking(**seen: object) -> Doctor:
    """Another truth when the site was asked for something."""

    def doctor(story: Story) -> Story:
        asked = [replace(each, look=replace(each.look, **seen)) for each in story.asked_of_site if each.look]  # type: ignore[arg-type]
        return replace(story, asked_of_site=tuple(asked))

    return doctor


def changes(write: Write) -> bool:
    return bool(write.target) and write.look is not None and write.target != write.look.public_target


def old_record_changed(story: Story) -> Story:
    """The original name's record is pointed at the new gateway, as if the case were another one."""
    [made] = [write for write in story.writes if changes(write)]
    zone = made.path.rsplit("/", 1)[0]
    return replace(story, writes=(*story.writes, replace(made, path=f"{zone}/gateway")))


def led_back_unasked(story: Story) -> Story:
    """As the TTL is set back in the end, the record is led to the old gateway's name."""
    *others, last = story.writes
    assert "/dnszones/" in last.path
    return replace(story, writes=(*others, replace(last, target=story.old_name)))


def never_ready(story: Story) -> Story:
    kept = tuple(each for each in story.asked if each.what != "open ready-to-cut-over")
    return replace(story, asked=kept)


def ready_only_now(story: Story) -> Story:
    """Somebody says that clients may move right before the removal: both gateways served for a moment."""
    last = [write for write in story.writes if write.method == "DELETE"][-1]
    asked = (replace(each, at=last.at) if each.what == "open ready-to-cut-over" else each for each in story.asked)
    return replace(story, asked=tuple(asked))


def relayed_only_now(story: Story) -> Story:
    return replace(story, relayed_at=[write for write in story.writes if write.method == "DELETE"][-1].at)


def asked_before_grace_was_over(story: Story) -> Story:
    first = story.asked_of_site[0]
    return replace(story, asked_of_site=(replace(first, at=story.relayed_at or story.began_at),))


def with_gates(story: Story, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> Story:
    """The story with other gates in each record that has any."""
    states = []
    for each in story.ledger:
        state = each.record["state"]
        assert isinstance(state, dict) and isinstance(state["gates"], list)
        gates = change([dict(gate) for gate in state["gates"] if isinstance(gate, dict)])
        record = {**each.record, "state": {**state, "gates": gates}}
        states.append(LedgerState(each.n, each.at, record, each.view))  # type: ignore[arg-type]
    return replace(story, ledger=tuple(states))


def without(name: str) -> Doctor:
    return lambda story: with_gates(story, lambda gates: [gate for gate in gates if gate["name"] != name])


def with_one_more(name: str) -> Doctor:
    return lambda story: with_gates(story, lambda gates: [*gates, {"name": name}] if gates else [])


def kept_figures(moved: int) -> Doctor:
    """Other figures at the last report."""

    def doctor(story: Story) -> Story:
        calls = [each for each in story.asked if each.what == "open clients-moved"]
        asked = (
            replace(each, payload={"active": 9000, "moved": moved}) if each in calls else each for each in story.asked
        )
        return replace(story, asked=tuple(asked))

    return doctor


def nought_of_nought(story: Story) -> Story:
    calls = [each for each in story.asked if each.what == "open clients-moved"]
    asked = (replace(each, payload={"active": 0, "moved": 0}) if each in calls else each for each in story.asked)
    return replace(story, asked=tuple(asked))


def foretells(seconds: float) -> Doctor:
    def doctor(story: Story) -> Story:
        last = story.ledger[-1]
        changed = LedgerState(last.n, last.at, last.record, {**last.view, "foretold_gap_s": seconds})
        return replace(story, ledger=(*story.ledger[:-1], changed))

    return doctor


def usually(seconds: int) -> Doctor:
    def doctor(story: Story) -> Story:
        last = story.ledger[-1]
        record = deepcopy(last.record)
        plan = values.at(record, "state", "plan")
        assert isinstance(plan, dict)
        plan["usual_gap"] = f"PT{seconds}S"
        return replace(story, ledger=(*story.ledger[:-1], LedgerState(last.n, last.at, record, last.view)))

    return doctor


def cut_long_after(story: Story) -> Story:
    """Clients find nobody when the foretold time has been over for a minute."""
    followed = story.inside_changes[-1][0]
    return replace(story, failed_at=(*story.failed_at, followed + timedelta(minutes=3)))


def cut_before(story: Story) -> Story:
    return replace(story, failed_at=(story.began_at, *story.failed_at))


def nobody_consented(story: Story) -> Story:
    """The same attempts failed, but the request accepts no gap."""
    request = {key: value for key, value in story.request.items() if key != "accept_gap"}
    return replace(story, request=request, case=Case.GAP_CLOSED)


def inside_asked_late(story: Story) -> Story:
    """The record changed five minutes before anybody was asked to let the inside view follow."""
    first, *others = story.dns_changes
    return replace(story, dns_changes=(first, *((then - timedelta(minutes=5), target) for then, target in others)))


def site_made_is_tagged(story: Story) -> Story:
    ours = {"tags": {"cmg-deployment": story.deployment_id}}
    id = next(id for id in story.after if "virtualmachinescalesets" in id)
    return replace(story, after={**story.after, id: {**story.after[id], **ours}})


def written(path: Callable[[Story], str], method: str = "PUT") -> Doctor:
    """One more write, of that resource."""

    def doctor(story: Story) -> Story:
        run = next(iter(story.runs))
        return replace(story, writes=(*story.writes, Write(10**6, story.ended_at, method, path(story), 200, run)))

    return doctor


def scale_set_of(story: Story) -> str:
    return next(id for id in (*story.made_by_others, *story.after) if "virtualmachinescalesets" in id)


def record_of_the_zone(story: Story) -> str:
    return story.record_id or "/dnszones/contoso.com/cname/granitefalls"


def something_new(story: Story) -> str:
    return f"{scale_set_of(story)}-2"


def removal(write: Write) -> bool:
    return write.method == "DELETE"


def back_to_nothing(story: Story) -> Story:
    """As if the old gateway had been gone before: there was nothing to go back to."""
    old = story.request["old_gateway"]
    assert isinstance(old, dict)
    return replace(story, request={**story.request, "old_gateway": {**old, "gone": True}})


def rolled_back(story: Story) -> Story:
    last = story.ledger[-1]
    ended = LedgerState(last.n, last.at, {**last.record, "status": "rolled-back"}, last.view)
    asked = (*story.asked, Asked(story.began_at, "rollback"))
    return replace(story, ledger=(*story.ledger[:-1], ended), asked=asked)


def elsewhere_at_the_end(story: Story) -> Story:
    return replace(story, public_target="granitefalls.eastus.cloudapp.azure.com")


DOCTORED: list[tuple[str, Callable[[], Story], Doctor, str]] = [
    # Case 1: the old name's record and its connection point stay as they are.
    (RECORDS, of(NEW_NAME), old_record_changed, "no plan changes that record"),
    (RECORDS, of(CLOSED), led_back_unasked, "nobody rolled back"),
    (GUARD, of(NEW_NAME), ready_only_now, "after the cut-over"),
    (GUARD, of(NEW_NAME), never_ready, "after the cut-over"),
    (GUARD, of(NEW_NAME), relayed_only_now, "after the cut-over"),
    (OPEN, of(NEW_NAME), never_ready, "ready-to-cut-over was opened"),
    (OPEN, of(NEW_NAME), lambda story: replace(story, connected_at=None), "connection-point-connected was"),
    (OPEN, of(NEW_NAME), lambda story: replace(story, dns_changes=story.dns_changes[:1]), "cname was opened"),
    (SITE_ASKED, of(NEW_NAME), asked_before_grace_was_over, "the grace period is"),
    (SITE_ASKED, of(NEW_NAME), asking(new_relays=False), "did not relay"),
    (SITE_ASKED, of(NEW_NAME), asking(healthy=1), "1 of 2 new instances"),
    (GATES, of(NEW_NAME), without("connection-point-removed"), "has the gates"),
    (GATES, of(NEW_NAME), with_one_more("inside-dns"), "has the gates"),
    # Case 2: the record leads over while the new gateway relays; a gap only with consent.
    (RECORDS, of(CLOSED), looking(changes, connected=False), "does not relay"),
    (RECORDS, of(CLOSED), never_ready, "before anybody was ready"),
    (SITE_ASKED, of(CLOSED), asking(leading_to_old=("granitefalls",)), "granitefalls led to"),
    (RELAYED, of(GAP), nobody_consented, "found no gateway"),
    (RELAYED, of(GAP), cut_long_after, "found no gateway"),
    (RELAYED, of(GAP), cut_before, "found no gateway"),
    (AGREED, of(GAP), foretells(1000), "and 0:15:00 were accepted"),
    (AGREED, of(GAP), usually(30), "until a connection point follows it takes 0:01:01"),
    (AGREED, of(GAP), foretells(600), "nobody is asked to follow for 0:10:00 more"),
    (AGREED, of(GAP), inside_asked_late, "was asked to follow at"),
    (AGREED, of(CLOSED), foretells(5), "where there is none"),
    (GATES, of(GAP), with_one_more("connection-point-removed"), "has the gates"),
    # The old gateway was gone: the grace period holds, and there is no way back.
    (SITE_ASKED, of(GONE), asked_before_grace_was_over, "the grace period is"),
    (GATES, of(GONE), with_one_more("connection-point-removed"), "has the gates"),
    (BACK, back(CLOSED), back_to_nothing, "no old gateway to go back to"),
    # A gateway that the site made.
    (OTHERS, of(EXISTING), written(scale_set_of), "that stood before"),
    (OTHERS, of(SITE), written(scale_set_of), "the site had made that"),
    (OTHERS, back(SITE), written(scale_set_of, "DELETE"), "the site had made that"),
    (OTHERS, of(SITE), written(something_new), "makes nothing"),
    (ORPHANS, of(EXISTING), site_made_is_tagged, "of its own there are"),
    (ORPHANS, of(SITE), site_made_is_tagged, "of its own there are"),
    (GATES, of(SITE), without("gateway-created"), "has the gates"),
    (GUARD, of(EXISTING), looking(removal, healthy=1), "1 of 2"),
    # Case 5: a retirement only removes, and leads nobody.
    (RECORDS, of(RETIREMENT), written(record_of_the_zone), "no plan changes that record"),
    (GUARD, of(RETIREMENT), ready_only_now, "after the cut-over"),
    (SITE_ASKED, of(RETIREMENT), asking(new_relays=False), "did not relay"),
    (BACK, of(RETIREMENT), rolled_back, "had led nobody over"),
    # Clients that have moved: figures, and enough of them.
    (OPEN, of(MOVED), kept_figures(8700), "clients-moved was opened"),
    (OPEN, of(MOVED), nought_of_nought, "clients-moved was opened"),
    # The way back.
    (BACK, back(NEW_NAME), looking(removal, old_relays=False), "did not relay"),
    (BACK, back(GAP), looking(removal, public_target="new.example"), "led to new"),
    (RECORDS, back(CLOSED), looking(changes, old_relays=False), "old gateway does not relay"),
    (ENDED, back(NEW_NAME), elsewhere_at_the_end, "leads to granitefalls.eastus"),
    (ENDED, of(CLOSED), lambda story: replace(story, to_be_refused=True), "was to be refused"),
]


@pytest.mark.parametrize("name", EACH_CASE)
def test_the_true_story_of_each_case_passes(name: str) -> None:
    assert judge(told(name)) == [] and told(name).outcome == "succeeded"


@pytest.mark.parametrize("name", [NEW_NAME, GAP, CLOSED, EXISTING, SITE])
def test_the_true_way_back_of_each_case_passes(name: str) -> None:
    assert judge(taken_back(name)) == []


def test_all_cases_and_all_who_make_a_gateway_are_told() -> None:
    stories = [told(name) for name in EACH_CASE]
    assert {story.case for story in stories} == set(Case)
    assert {story.request["provisioned_by"] for story in stories} == {"automation", "existing", "site"}


@pytest.mark.parametrize(("rule", "story", "doctor", "seen"), DOCTORED)
def test_a_doctored_story_of_a_case_is_seen_through(
    rule: str, story: Callable[[], Story], doctor: Doctor, seen: str
) -> None:
    found = [each.what for each in judge(doctor(story())) if each.rule == rule]
    assert any(seen in what for what in found), found


def test_what_people_do_late_makes_no_gap_longer_than_was_consented_to() -> None:
    late = told(GAP, Mischief(Kind.LATE, 5, 1))
    assert judge(late) == [] and late.failed_at[-1] - late.failed_at[0] > timedelta(minutes=5)


def test_a_change_between_a_runs_look_and_its_request_to_the_site_is_excused() -> None:
    story = asking(new_relays=False)(told(NEW_NAME))
    asked = [each.at for each in story.asked_of_site]
    lost = tuple(Disturbance(each, "the connection point CP2 lost its way") for each in asked)
    assert judge(story) != [] and judge(replace(story, disturbances=lost)) == []


def test_a_connection_point_lost_between_a_runs_look_and_its_change_of_the_record_is_excused() -> None:
    story = told(CLOSED)
    changed = next(write for write in story.writes if changes(write) and write.target not in ("", story.old_name))
    lost = Disturbance(changed.at, "the connection point CP2 lost its way")
    cut = replace(story, failed_at=(changed.at + timedelta(seconds=1),), disturbances=(lost,))
    excused = [
        RELAYED not in [each.rule for each in judge(looking(changes, connected_when_dialed=seen)(cut))]
        for seen in (True, False)
    ]
    assert excused == [True, False]


def test_a_record_set_back_before_the_inside_view_follows_lengthens_an_accepted_gap() -> None:
    """All of it within one moment: the record leads over and back, then the inside view follows."""
    story = told(GAP)
    over = story.inside_changes[-1][0]
    back_again = (story.dns_changes[0], (over, "new"), (over, story.old_name), (over + timedelta(hours=1), "new"))
    inside = (story.inside_changes[0], (over, "new"))
    cut = replace(story, dns_changes=back_again, inside_changes=inside, failed_at=(over + timedelta(minutes=30),))
    assert RELAYED not in [each.rule for each in judge(cut)]
    later = replace(cut, failed_at=(over + timedelta(hours=2),))
    assert RELAYED in [each.rule for each in judge(later)]


def test_clients_that_knew_only_an_old_gateway_removed_by_others_are_stranded() -> None:
    """Until they know the new one by its own name: nobody can tell them by the old one."""
    removed = [told(NEW_NAME, Mischief(Kind.OLD_REMOVED, at, 1)) for at in (60, 70)]
    until = [each.disturbances[0].until for each in removed]
    assert [judge(each) for each in removed] == [[], []]
    assert until[0] is None and until[1] is not None


def test_the_deadline_for_stragglers_lets_a_person_go_on() -> None:
    story = kept_figures(8700)(told(MOVED))
    late = (story.relayed_at or story.began_at) + timedelta(days=15)
    without_figures = [replace(each, payload=None) for each in story.asked if each.what == "open clients-moved"]
    decided = replace(story, asked=(*story.asked, replace(without_figures[-1], at=late)))
    assert any("clients-moved" in each.what for each in judge(decided))  # it was opened before that
    on_time = replace(story, relayed_at=story.began_at - timedelta(days=15))
    kept = tuple(each for each in story.asked if each.what != "open clients-moved")
    assert judge(replace(on_time, asked=(*kept, without_figures[-1]))) == []
