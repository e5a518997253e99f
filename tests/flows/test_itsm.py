"""The worked examples for ticket systems hold: each request gets the answer beside it, while a gateway is moved."""

import json
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from local.inprocess.harness import run
from local.sample import SAMPLES, Sample, load
from tests.itsm import Player, pairs_in

FOLDERS = {name: Path(__file__).resolve().parents[2] / "docs" / "itsm" / name for name in ("servicenow", "jira")}
RECEIVERS = {"servicenow": "contoso.service-now.com", "jira": "api-private.atlassian.com"}


def story(name: str) -> Sample:
    """The default migration beside a ticket system, which opens the gate of the change window itself."""
    sample = load(SAMPLES / "s07-own-domain-from-classic.json")
    world = json.loads(json.dumps(sample.world))
    world["receivers"] = [{"host": RECEIVERS[name], "addresses": ["20.150.10.40"]}]
    left = [each for each in sample.then if each.call is None or not each.call.path.endswith("ready-to-cut-over")]
    return sample.model_copy(update={"world": world, "then": tuple(left)})


@pytest.mark.parametrize("name", FOLDERS)
def test_each_request_gets_the_answer_beside_it(name: str) -> None:
    player = Player(pairs_in(FOLDERS[name]))
    report = run(story(name), starting=player.start)
    assert player.going_on.done()
    assert player.going_on.exception() is None
    assert (player.wrong, player.played) == ([], len(player.pairs))
    assert (report.outcome, report.tally.failures, report.undone) == (Status.SUCCEEDED, 0, ())
    assert len([id for id in report.created if "/virtualmachinescalesets/" in id]) == 1


@pytest.mark.parametrize("name", FOLDERS)
def test_a_page_names_each_example_and_no_example_holds_a_key(name: str) -> None:
    page = (FOLDERS[name].parents[1] / "itsm.md").read_text("utf-8")
    for file in sorted(FOLDERS[name].glob("*.json")):
        assert f"itsm/{name}/{file.name}" in page
    for pair in pairs_in(FOLDERS[name]):
        assert pair.request.headers.get("x-functions-key", "{{key}}") == "{{key}}"


def test_an_example_that_does_not_hold_is_noticed() -> None:
    pairs = pairs_in(FOLDERS["jira"])
    pairs[1] = pairs[1].model_copy(update={"answer": pairs[1].answer.model_copy(update={"status": 201})})
    pairs[3] = pairs[3].model_copy(update={"answer": pairs[3].answer.model_copy(update={"holds": ["never told"]})})
    pairs[4] = pairs[4].model_copy(update={"answer": pairs[4].answer.model_copy(update={"body": {"id": "another"}})})
    pairs[2] = pairs[2].model_copy(update={"answer": pairs[2].answer.model_copy(update={"status": 500})})
    player = Player(pairs)
    run(story("jira"), starting=player.start)
    assert len(player.wrong) == 4, player.wrong
