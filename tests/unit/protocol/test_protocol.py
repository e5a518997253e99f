"""The protocol holds in every interleaving; each simpler one breaks, so the checker can see."""

import pytest

from tests.unit.protocol.model import Broken, Budget, Rules, check

BUDGETS = {
    "two steps, a crash": Budget(crashes=1),
    "two steps, a lost answer": Budget(lost_answers=1),
    "two steps, a message delivered twice": Budget(redeliveries=1),
    "one step, an HTTP change and a crash": Budget(steps=1, changes=1, crashes=1),
    "two steps, a listener noted": Budget(subscriptions=1),
    "one step, a listener noted and a crash": Budget(steps=1, subscriptions=1, crashes=1),
    "one step that first waits": Budget(steps=1, waits=1),
    "one step that first waits, a listener noted": Budget(steps=1, waits=1, subscriptions=1, wakes=False),
    "two steps that adopt what they find, a crash": Budget(
        crashes=1, adopts=True, wakes=False, hold_outlasts_claim=True
    ),
    "one step that adopts what it finds": Budget(steps=1, crashes=1, adopts=True),
    "two steps, a forged copy": Budget(forgeries=1),
    "two steps, forged copies and an HTTP change": Budget(forgeries=2, changes=1, wakes=False),
    "one step that adopts what it finds, a forged copy and a crash": Budget(
        steps=1, forgeries=1, crashes=1, adopts=True
    ),
    "three steps": Budget(steps=3),
    "three steps, a message sent twice": Budget(steps=3, repeated_sends=1, wakes=False),
}

BROKEN = {
    "the ETag is checked only when saving": (Rules(before_writing="nothing"), Budget(), "overlap|stale effect"),
    "read first, then act": (Rules(before_writing="read"), Budget(), "overlap|stale effect"),
    "the port does not look at the claim": (Rules(port_checks_claim=False), Budget(), "overlap|stale effect"),
    "any stale message re-sends": (
        Rules(resends_only_own_save=False),
        Budget(steps=3, repeated_sends=1, wakes=False),
        "lives on",
    ),
    "a message with the ETag of a live claim": (Rules(resends_only_unclaimed=False), Budget(crashes=1), "overlap"),
    "wake-due sends under a live claim": (Rules(wakes_only_unclaimed=False), Budget(), "overlap"),
    "an HTTP change under a live claim": (
        Rules(notes_while_claimed=False),
        Budget(steps=1, changes=1),
        "overlap|stale effect",
    ),
    "the holder's save forgets what was noted": (
        Rules(merges_requests=False),
        Budget(steps=1, changes=1),
        "lost request",
    ),
    "what was noted under a lapsed claim is forgotten": (
        Rules(takes_up_requests_when_claiming=False),
        Budget(steps=1, changes=1),
        "lost request",
    ),
    "a run that only looked gives up at a dead holder's claim": (
        Rules(looks_save_over_lapsed=False),
        Budget(crashes=1, adopts=True, wakes=False, hold_outlasts_claim=True),
        "lost work",
    ),
    "nobody looks at seals": (Rules(looks_at_seals=False), Budget(forgeries=1), "forged effect"),
    "nobody looks at the seals of runs that only look": (
        Rules(looks_at_seals=False),
        Budget(steps=1, waits=1, forgeries=1),
        "forged",
    ),
    "no wake-due": (Rules(), Budget(crashes=1, wakes=False), "lost work"),
}


@pytest.mark.parametrize("budget", BUDGETS.values(), ids=BUDGETS.keys())
def test_the_protocol_holds(budget: Budget) -> None:
    assert check(Rules(), budget) > 100


@pytest.mark.parametrize(("rules", "budget", "property"), BROKEN.values(), ids=BROKEN.keys())
def test_a_simpler_protocol_breaks(rules: Rules, budget: Budget, property: str) -> None:
    with pytest.raises(Broken, match=property):
        check(rules, budget)
