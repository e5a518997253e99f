"""A gateway moved by the workflows of infra/logic-apps, run as Logic Apps documents it, with clients all the while."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from cmg_core.domain.record import Status
from cmg_core.services import Services
from local.azure.receivers import heard
from local.inprocess.harness import RunReport, run
from local.inprocess.hosting import Host
from local.inprocess.loop import run as run_virtually
from local.inprocess.stage import InProcess, Settings
from local.inprocess.tape import Tape
from local.sample import SAMPLES, Sample, load
from tests.logic_apps.definition import load as load_definition
from tests.logic_apps.doors import AUDIENCE, PARAMETERS, SECRET
from tests.logic_apps.executor import Executor, Ran
from tests.logic_apps.messages import Sent
from tests.logic_apps.playing import MAIN, POLLING, TICKET, Workflow, play

MOVED = load(SAMPLES / "s07-own-domain-from-classic.json")
BOTH = pytest.mark.parametrize("file", [MAIN, POLLING], ids=["webhook", "polling"])


def with_request(sample: Sample, **changes: object) -> Sample:
    return sample.model_copy(update={"request": {**sample.request, **changes}})


def broken(report: RunReport) -> list[str]:
    """What is not as it must be after a migration."""
    wrong = {
        f"it ended {report.outcome}": report.outcome is not Status.SUCCEEDED,
        f"{report.tally.failures} attempts of clients failed": report.tally.failures > 0,
        "messages in poison": bool(report.poison),
        f"invocations raised {report.errors}": bool(report.errors),
        "people had no occasion": bool(report.undone),
    }
    return [what for what, is_so in wrong.items() if is_so]


def alone(sample: Sample, workflow: Workflow) -> Ran:
    """Run a workflow that begins nothing, so that there is no story to tell."""

    async def tell() -> Ran:
        stage = InProcess(sample, Tape(), Settings())
        executor = workflow.build(stage, stage.wire(stage.clock))
        try:
            return await executor.run({"ticket": TICKET, "request": sample.request})
        finally:
            await stage.close()

    return run_virtually(tell())


@BOTH
def test_it_moves_a_gateway_and_closes_the_ticket_with_what_was_done(file: Path) -> None:
    workflow = Workflow(file)
    report, ran = play(MOVED, workflow)
    assert (broken(report), ran.status, workflow.tickets.closed) == ([], "Succeeded", ["done"])
    assert workflow.tickets.comments[-1].startswith(f"Migration of GraniteFalls.Contoso.Com ({TICKET}): done\n")
    assert "Removed:\n/subscriptions/" in workflow.tickets.comments[-1]


def test_polls_follow_the_location_until_the_end_and_wait_as_told() -> None:
    workflow = Workflow(POLLING)
    report, _ = play(with_request(MOVED, grace_period="P3D"), workflow)
    operation = workflow.app.calls("GET", f"operations/{report.record.id}")
    assert operation[-1] == 200
    assert set(operation[:-1]) == {202}
    assert broken(report) == []
    longest, days = max(workflow.app.retry_after), timedelta(days=3)
    assert longest == 300
    assert len(operation) < 40 + days / timedelta(seconds=longest), "polls as often while the grace period waits"


def test_the_webhook_hears_the_end_once_though_it_was_down_and_then_listens_no_more() -> None:
    workflow = Workflow(MAIN, down_for=timedelta(minutes=15))
    report, ran = play(MOVED, workflow)
    assert (broken(report), ran.status, workflow.tickets.closed) == ([], "Succeeded", ["done"])
    assert report.lasted < timedelta(minutes=15), "it was up before the end: nothing is shown"
    received = workflow.front.received
    assert [json.loads(each.body)["type"] for each in received] == ["cmg.deployment.ended"]
    assert heard([each.body for each in received]) == []
    place = f"deployments/{report.record.id}/subscriptions"
    assert (workflow.app.calls("POST", place), workflow.app.calls("DELETE", place)) == ([201], [204])
    assert workflow.app.calls("GET", "operations") == []
    assert run_virtually(workflow.app.services.callbacks.subscriptions.of(report.record.id)) == []


@BOTH
def test_a_start_whose_answer_was_lost_is_sent_again_and_makes_no_second_gateway(file: Path) -> None:
    workflow = Workflow(file, lose=lambda sent, number: sent.url.endswith("/migrations") and number < 4)
    report, ran = play(MOVED, workflow)
    starts = workflow.app.calls("POST", "migrations")
    assert len(starts) > 1
    assert set(starts) == {202}
    assert (broken(report), ran.status) == ([], "Succeeded")
    sets = [id for id in report.created if "/virtualmachinescalesets/" in id]
    assert len(sets) == 1


def test_a_ticket_that_asks_twice_makes_no_second_gateway() -> None:
    workflow, again = Workflow(POLLING), list[asyncio.Task[Ran]]()

    async def twice(stage: InProcess, services: Services, host: Host) -> str:
        deployment_id = await workflow.start(stage, services, host)
        second = Executor(load_definition(POLLING), PARAMETERS, workflow.executor.sender, run_id="another")
        again.append(asyncio.create_task(second.run({"ticket": TICKET, "request": stage.sample.request})))
        return deployment_id

    report = run(MOVED, starting=twice)
    assert (broken(report), workflow.app.calls("POST", "migrations")) == ([], [202, 202])
    assert {each.result().status for each in (workflow.going_on, *again)} == {"Succeeded"}
    assert len([id for id in report.created if "/virtualmachinescalesets/" in id]) == 1


def test_a_plan_that_cannot_start_is_told_with_its_findings_and_ends_the_run() -> None:
    workflow = Workflow(MAIN)
    ran = alone(load(SAMPLES / "s06-no-reason.json"), workflow)
    assert (ran.status, workflow.tickets.closed) == ("Cancelled", [])
    (comment,) = workflow.tickets.comments
    assert "**This plan cannot be carried out as it is.**" in comment
    assert "no-reason-to-move" in comment
    assert workflow.app.calls("POST", "migrations") == []
    assert ran.actions.keys() >= {"Make_the_plan", "Make_its_page", "Tell_the_findings"}
    assert "Wait_for_approval" not in ran.actions


def test_nothing_begins_without_approval() -> None:
    workflow = Workflow(MAIN, decision={"approved": False, "by": "change.manager@contoso.com"})
    ran = alone(MOVED, workflow)
    assert (ran.status, workflow.tickets.waiting) == ("Cancelled", set())
    assert workflow.tickets.comments == ["Not approved by change.manager@contoso.com: nothing was begun."]
    assert workflow.app.calls("POST", "migrations") == []


@pytest.mark.parametrize("timed_out", ["TimedOut", "Cancelled"])
def test_an_approval_that_nobody_gives_is_told_after_its_time(timed_out: str) -> None:
    workflow = Workflow(MAIN, decision=None, executor_options={"timed_out": timed_out})
    ran = alone(MOVED, workflow)
    assert (ran.status, ran.actions["Wait_for_approval"].code) == ("Failed", "ActionTimedOut")
    assert workflow.tickets.waiting == set(), "it still waits at the ticket system"
    (comment,) = workflow.tickets.comments
    assert comment.startswith("The workflow stopped at Wait_for_approval: ActionTimedOut.")


@BOTH
@pytest.mark.parametrize("reads_suffix", [True, False], ids=["problems-read", "problems-not-read"])
def test_what_the_app_refuses_is_told_with_its_cure(file: Path, reads_suffix: bool) -> None:
    """Whether or not Logic Apps reads ``application/problem+json`` as JSON: then without the cure."""
    sample = with_request(MOVED, grace_period="PT0S")
    workflow = Workflow(file, executor_options={"reads_suffix": reads_suffix})
    ran = alone(sample, workflow)
    assert (ran.status, workflow.tickets.closed) == ("Failed", [])
    (comment,) = workflow.tickets.comments
    failed = "Make_the_plan" if file is MAIN else "Start"
    assert comment.startswith(f"The workflow stopped at {failed}: ")
    assert ("Cure what the findings name" in comment) is reads_suffix


def test_a_ticket_system_that_is_down_for_a_moment_is_asked_again() -> None:
    workflow = Workflow(MAIN, tickets_down=2)
    report, ran = play(MOVED, workflow)
    assert (broken(report), ran.status, workflow.tickets.closed) == ([], "Succeeded", ["done"])


@BOTH
def test_a_migration_that_is_rolled_back_is_told_and_closed_as_not_done(file: Path) -> None:
    workflow = Workflow(file)
    report, ran = play(load(SAMPLES / "rollback-in-grace.json"), workflow)
    assert (report.outcome, ran.status, workflow.tickets.closed) == (Status.ROLLED_BACK, "Succeeded", ["not done"])
    assert ": rolled back, the old gateway serves\n" in workflow.tickets.comments[-1]


def test_no_secret_of_the_workflow_is_kept_by_the_app() -> None:
    workflow = Workflow(MAIN)
    report, _ = play(MOVED, workflow)
    kept = repr((report.record, report.events, report.requests, workflow.tickets.comments))
    assert "s3cr3t" not in kept
    assert SECRET not in kept


@BOTH
def test_the_tickets_number_is_the_key_of_its_request_and_each_call_has_a_token_for_the_app(file: Path) -> None:
    sent: list[Sent] = []
    play(MOVED, Workflow(file, lose=lambda each, number: sent.append(each) or False))
    (start,) = [each for each in sent if each.url.endswith("/migrations")]
    assert (start.headers["idempotency-key"], json.loads(start.body)) == (TICKET, MOVED.request)
    assert {each.headers["authorization"] for each in sent} == {f"Bearer for {AUDIENCE}"}
