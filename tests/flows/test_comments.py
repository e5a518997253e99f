"""A ticket's comment at every save of whole stories: always one, always plain, and true to the moment."""

import pytest

from cmg_core.domain.record import Record, Status
from cmg_core.services import Services
from cmg_core.ticket_comment import LONGEST, ticket_comment
from local.inprocess.calling import ask
from local.inprocess.harness import run
from local.inprocess.hosting import Host
from local.inprocess.stage import InProcess
from local.sample import SAMPLES, load
from tests.unit.test_ticket_comment import is_plain, lines_of

STORIES = {
    "s07-own-domain-from-classic": "done",
    "rollback-in-grace": "rolled back, the old gateway serves",
    "resume-after-quota": "done",
    "resume-after-no-capacity": "done",
    "site-makes-the-gateway": "done",
    "s08-retire-only": "done",
    "cancel-at-approval": "cancelled, nothing was made",
    "s06-no-reason": "refused, nothing was begun",
    "parked-name": "done",
}


def told(name: str) -> list[tuple[Record, str]]:
    """Each record that the ledger held during a story, with its comment."""
    seen: dict[int, tuple[Record, str]] = {}

    async def start(stage: InProcess, services: Services, host: Host) -> str:
        note = stage.ledger.note

        def note_and_tell(id: str) -> None:
            note(id)
            stored = stage.ledger.peek(id)
            assert stored is not None
            seen[stored.record.revision] = stored.record, ticket_comment(stored.record)

        stage.ledger.note = note_and_tell  # type: ignore[method-assign]
        return await ask(stage.sample, services, host)

    run(load(SAMPLES / f"{name}.json"), starting=start)
    return list(seen.values())


@pytest.mark.parametrize("name", STORIES)
def test_there_is_a_true_comment_at_every_moment_of_a_story(name: str) -> None:
    moments = told(name)
    assert {record.revision for record, _ in moments} == {*range(1, len(moments) + 1)}
    for record, comment in moments:
        lines, waiting = lines_of(comment), record.state.waiting
        assert is_plain(comment), comment
        assert len(comment) <= LONGEST
        if record.status is Status.WAITING and waiting is not None and waiting.gate is not None:
            assert f"POST /api/deployments/{record.id}/gates/{waiting.gate}" in lines or "by what it sees." in comment
        if record.status is Status.NEEDS_ATTENTION:
            assert any(line.startswith("What to do: ") for line in lines)
        for id in record.state.deleted:
            assert id in lines[lines.index("Removed:") :]
    assert lines_of(moments[-1][1])[0].endswith(f": {STORIES[name]}")
