"""Whatever is asked for and can be carried out, told to its end: it ends as planned, and no client is left alone."""

from datetime import timedelta

from hypothesis import assume, given, reject, settings

from cmg_core.domain.plans import Plan
from cmg_core.domain.record import Status
from local.azure.site import SiteError
from local.inprocess.harness import RunReport, run
from local.inprocess.stage import Settings
from tests.properties.people import people
from tests.properties.planning import planned, sample_of
from tests.properties.scenes import Scene, scenes
from tests.properties.twists import TWISTS
from tests.unit.inputs.odd import examples

STOPS = (
    "cut over later",  # it waits for years
    "a condition not met",  # the plan has warned of it, and Azure holds it against the app
    "others lead there, too",  # the guard leaves the old gateway while any record leads to it
    *("no records", "an address record", "record elsewhere", "a chain", "record there already"),
    # the last ones take the old gateway's own record away: no client finds it to begin with
)
"""Twists after which a story that may begin rightly ends otherwise."""
MANY = 1000
"""Inputs of a campaign: below that the same stories are told each time."""
TOLD = {name: twist for name, twist in TWISTS.items() if name not in STOPS}


def faults_of(scene: Scene, plan: Plan, report: RunReport) -> list[str]:
    """What went otherwise than the plan says: nothing, where all is well."""
    found = []
    if report.outcome is not Status.SUCCEEDED:
        found.append(f"it is {report.outcome} at {report.record.step}: {report.record.state.problem}")
    if report.deleted != {part.id.lower() for part in plan.delete}:
        found.append(f"deleted was {sorted(report.deleted)}")
    if report.undone or report.errors or report.poison:
        found.append(f"left undone: {report.undone}, raised: {report.errors}, in poison: {report.poison}")
    deletes = [entry.at for entry in report.requests if entry.request.method == "DELETE"]
    state = report.record.state
    if deletes and (state.grace_started_at is None or min(deletes) - state.grace_started_at < scene.minimum_grace):
        found.append(f"the first removal came at {min(deletes)}, grace began at {state.grace_started_at}")
    failed, gone = report.tally.failed_at, scene.request.get("old_gateway", {}).get("gone", False)
    if failed and not gone and timedelta(seconds=max(failed) - min(failed)) > plan.foretold_gap:
        found.append(f"clients found no gateway for {max(failed) - min(failed)} s; foretold were {plan.foretold_gap}")
    if failed and not gone and not plan.foretold_gap:
        found.append(f"{len(failed)} attempts of clients failed, and no gap was foretold")
    return found


@settings(examples(10), derandomize=settings.default.max_examples < MANY)
@given(scenes(TOLD, 2))
def test_what_can_be_carried_out_ends_as_it_was_planned(scene: Scene) -> None:
    made = planned(scene)
    assume(made.can_start and made.plan is not None)
    assert made.plan is not None
    told = sample_of(scene).model_copy(update={"then": people(scene, made.plan)})
    try:
        report = run(told, settings=Settings(minimum_grace=scene.minimum_grace, longest=timedelta(days=200)))
    except SiteError:
        reject()  # the site itself cannot make that gateway in this world
    assert faults_of(scene, made.plan, report) == []
