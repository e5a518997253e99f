"""The ledger is saved, lost and put back, as docs/operations.md says: what was under way goes on."""

import asyncio
import json
import stat
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from azure.data.tables.aio import TableServiceClient

from cmg_core.domain.clouds import CloudName
from cmg_core.domain.record import MESSAGE, Status
from cmg_core.ledger.connection import StorageConnection
from cmg_core.ledger.rows import TABLE
from cmg_core.ledger.table import TableLedger, partition
from cmg_core.wake import Came, wake_due
from local.dev.ledger import CannotCopy, main, table_endpoint
from tests.records import a_record, a_save, an_event
from tests.unit.triggers.callers import MemoryServices


@pytest.fixture
def storage(azurite: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A storage account without a ledger."""
    monkeypatch.setenv("CmgStorage", azurite)
    asyncio.run(lost(azurite))
    return azurite


async def lost(connection: str) -> None:
    async with TableServiceClient.from_connection_string(connection) as service:
        await service.delete_table(TABLE)


def with_ledger[T](connection: str, story: Callable[[TableLedger], Awaitable[T]]) -> T:
    async def play() -> T:
        ledger = TableLedger(StorageConnection(connection))
        try:
            return await story(ledger)
        finally:
            await ledger.close()

    return asyncio.run(play())


async def begun(ledger: TableLedger) -> tuple[str, str]:
    """Two deployments, one under way and one that has ended; the first one's gateway is reserved."""
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    made = a_record(one)
    await ledger.create(made, [an_event(1)])
    await ledger.reserve(made.gateway, one)
    etag = await ledger.create(a_record(other), [an_event(1)])
    await ledger.save(other, etag, replace(a_save(2, Status.SUCCEEDED), wake_at=None), [an_event(2, "done")])
    return one, other


def test_what_was_under_way_goes_on_after_the_ledger_was_lost_and_put_back(storage: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    one, other = with_ledger(storage, begun)
    assert main(["save", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asyncio.run(lost(storage))
    assert main(["restore", str(file)]) == 0

    async def goes_on(ledger: TableLedger) -> None:
        stored, ended = await ledger.read(one), await ledger.read(other)
        assert stored is not None and ended is not None
        assert (stored.record, ended.record.status) == (a_record(one), Status.SUCCEEDED)
        assert [event.text for event in await ledger.events(other)] == ["accepted", "done"]
        assert [row.id for row in await ledger.active()] == [one]
        month = f"{ended.record.updated_at:%Y-%m}"
        assert [row.id for row in await ledger.ended(month, month)] == [other]
        assert (await ledger.holder(stored.record.gateway) or ("",))[0] == one
        services = MemoryServices()
        services.ledger = ledger  # type: ignore[assignment]  # the real one in the place of the one in memory
        services.clock.pass_by(stored.record.updated_at + timedelta(days=1) - services.clock.now())
        assert (await wake_due(services)).came == {Came.SENT: 1}  # type: ignore[arg-type]  # the fakes fit the ports
        (sent,) = services.queues.waiting
        message = MESSAGE.validate_json(sent.body)
        assert (message.deployment_id, message.step, message.revision) == (one, "preflight", 1)
        # The fence takes the message for the record's own: its ETag is that of the row that was put back.
        woken = await ledger.read(one)
        assert woken is not None and woken.record.sends == 1
        assert await ledger.save(one, woken.etag, a_save(2), [an_event(2)])

    with_ledger(storage, goes_on)


def test_a_copy_is_never_put_over_a_ledger_that_has_rows(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.jsonl"
    with_ledger(storage, begun)
    assert main(["save", str(file)]) == 0
    assert main(["restore", str(file)]) == 1
    assert "nothing was changed" in capsys.readouterr().err


def test_a_copy_is_never_written_over(storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ledger.jsonl"
    with_ledger(storage, begun)
    assert main(["save", str(file)]) == 0
    kept = file.read_text()
    asyncio.run(lost(storage))
    assert main(["save", str(file)]) == 1
    assert f"{file} is there already" in capsys.readouterr().err
    assert file.read_text() == kept != ""


def test_the_missing_row_of_one_deployment_is_put_back_and_what_stands_stays(storage: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    one, _ = with_ledger(storage, begun)
    assert main(["save", str(file)]) == 0

    async def row_is_lost(ledger: TableLedger) -> None:
        await ledger.ask("somebody's slip", lambda table: table.delete_entity(partition(one), f"a:{one}"))
        assert await ledger.unlisted() == [one]

    with_ledger(storage, row_is_lost)
    assert main(["restore", str(file), "--only", one]) == 0

    async def is_listed(ledger: TableLedger) -> None:
        assert await ledger.unlisted() == []
        assert [row.id for row in await ledger.active()] == [one]

    with_ledger(storage, is_listed)


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"PartitionKey": "d:00"}', '{"RowKey": "r:1", "state": {"base64": "?"}}']
)
def test_a_file_that_holds_no_copy_changes_nothing(storage: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "ledger.jsonl"
    file.write_text(text)
    assert main(["restore", str(file)]) == 1
    assert main(["restore", str(tmp_path / "missing")]) == 1


def test_it_asks_for_the_account_where_nothing_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CmgStorage", raising=False)
    assert main(["save", str(tmp_path / "ledger.jsonl")]) == 1
    assert "--account NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        (CloudName.PUBLIC, "https://stcmg.table.core.windows.net"),
        (CloudName.US_GOVERNMENT, "https://stcmg.table.core.usgovcloudapi.net"),
    ],
)
def test_each_cloud_has_its_tables_elsewhere(cloud: CloudName, endpoint: str) -> None:
    assert table_endpoint("stcmg", cloud) == endpoint


def test_the_named_clouds_tables_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(endpoint: str, **_: object) -> None:
        asked.append(endpoint)
        raise CannotCopy("asked")

    monkeypatch.delenv("CmgStorage", raising=False)
    monkeypatch.setattr("azure.data.tables.aio.TableServiceClient", ask)
    assert main(["save", str(tmp_path / "ledger.jsonl"), "--account", "stcmg", "--cloud", "usgovernment"]) == 1
    assert main(["save", str(tmp_path / "ledger.jsonl"), "--account", "stcmg"]) == 1
    assert asked == [table_endpoint("stcmg", cloud) for cloud in (CloudName.US_GOVERNMENT, CloudName.PUBLIC)]


@contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """A storage account that refuses everything in that way. Its connection string."""

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = json.dumps(
                {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "No.\nRequestId:1"}}}
            )
            self.send_response(status)
            self.send_header("x-ms-error-code", code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test tells what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        place = f"http://127.0.0.1:{server.server_port}/refusing"
        yield f"DefaultEndpointsProtocol=http;AccountName=refusing;AccountKey=a2V5;TableEndpoint={place};"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "code", "cure"),
    [
        (409, "TableBeingDeleted", "in a minute"),
        (403, "AuthorizationPermissionMismatch", "Storage Table Data Contributor"),
        (403, "Else", "No. [Else]"),
    ],
)
def test_what_storage_refuses_is_told_in_one_line_with_what_helps(
    status: int,
    code: str,
    cure: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with refusing(status, code) as connection:
        monkeypatch.setenv("CmgStorage", connection)
        assert main(["save", str(tmp_path / "ledger.jsonl")]) == 1
    told = capsys.readouterr().err
    assert cure in told and code in told
    assert told.count("\n") == 1


def test_an_empty_ledger_is_not_saved_and_no_table_is_made_for_it(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever types «save» for «restore», or the wrong account, gets no file that looks like a copy."""
    file = tmp_path / "ledger.jsonl"
    assert main(["save", str(file)]) == 1
    assert "TableNotFound" in capsys.readouterr().err
    with_ledger(storage, begun)
    assert main(["save", str(file), "--only", str(uuid.uuid4())]) == 1
    assert "nothing was saved" in capsys.readouterr().err and not file.exists()


def test_a_sign_in_or_setting_that_is_no_good_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CmgStorage", "no connection string")
    assert main(["save", str(tmp_path / "ledger.jsonl")]) == 1
    monkeypatch.delenv("CmgStorage")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["save", str(tmp_path / "ledger.jsonl"), "--account", "stcmg"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and "CmgStorage is no connection string" in told[0]
