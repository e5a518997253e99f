"""Lists: filters, continuation from the active ones back through the months, and what cannot be asked."""

import asyncio
import base64
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core import listing
from cmg_core.domain.record import Status
from cmg_core.services import ActiveRow, Save
from local.inprocess.memory import MemoryLedger
from tests.fakes import CLASSIC_ID, NOW, SUBSCRIPTION
from tests.records import a_record
from tests.unit.triggers.callers import Answer, MemoryServices, call

numbers = itertools.count(1)


def deployment(services: MemoryServices, updated_at: datetime = NOW, status: Status = Status.RUNNING) -> str:
    """One that changed last at that moment."""
    id = f"00000000-0000-4000-8000-{next(numbers):012}"
    record = a_record(id)
    etag = asyncio.run(services.ledger.create(record, []))
    save = Save(2, "cut-over", status, record.state, None, "a test", updated_at)
    asyncio.run(services.ledger.save(id, etag, save, []))
    return id


def listed(services: MemoryServices, **query: str) -> tuple[list[str], str | None]:
    answer = call(services, "list-deployments", query=query)
    assert answer.status == 200, answer.text
    rows, continuation = answer.body["deployments"], answer.body["continuation"]
    return [row["id"] for row in rows], continuation  # type: ignore[call-overload,index,union-attr,return-value]


def everything(services: MemoryServices, **query: str) -> list[str]:
    """All pages, one after the other."""
    ids, continuation = listed(services, **query)
    calls = 1
    while continuation:
        more, continuation = listed(services, **query, continuation=continuation)
        ids, calls = [*ids, *more], calls + 1
        assert calls <= 14
    return ids


def test_the_active_ones_come_first_then_the_ended_ones_newest_first() -> None:
    services = MemoryServices()
    old = deployment(services, datetime(2026, 2, 3, tzinfo=UTC), Status.SUCCEEDED)
    last_month = deployment(services, datetime(2026, 10, 3, tzinfo=UTC), Status.REFUSED)
    earlier = deployment(services, NOW - timedelta(hours=2))
    later = deployment(services, NOW)

    assert listed(services) == ([later, earlier, last_month, old], None)


def test_a_year_back_and_no_further() -> None:
    services = MemoryServices()
    within = deployment(services, datetime(2025, 11, 30, tzinfo=UTC), Status.SUCCEEDED)
    deployment(services, datetime(2025, 10, 31, tzinfo=UTC), Status.SUCCEEDED)
    assert everything(services) == [within]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 365), st.sampled_from(Status)), max_size=6), st.sampled_from(Status))
def test_every_deployment_of_a_year_is_listed_exactly_once(told: list[tuple[int, Status]], asked: Status) -> None:
    services = MemoryServices()
    ids = [deployment(services, NOW - timedelta(days=days), status) for days, status in told]

    assert sorted(everything(services)) == sorted(ids)
    wanted = [id for id, (_, status) in zip(ids, told, strict=True) if status is asked]
    assert sorted(everything(services, status=asked)) == sorted(wanted)


class CountingLedger(MemoryLedger):
    """Counts the lists that it is asked for, each of which costs the table a look into every partition."""

    lists = 0

    async def active(self) -> Sequence[ActiveRow]:
        self.lists += 1
        return await super().active()

    async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
        self.lists += 1
        return await super().ended(oldest, newest)


PAGE = 3


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 365), st.sampled_from(Status)), max_size=20))
def test_a_page_is_full_unless_it_is_the_last_and_costs_four_lists_at_most(
    told: list[tuple[int, Status]],
) -> None:
    services = MemoryServices()
    services.ledger = ledger = CountingLedger()
    for days, status in told:
        deployment(services, NOW - timedelta(days=days), status)

    pages: list[str] = []
    query: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(listing, "FULL", PAGE)
        while True:
            ledger.lists = 0
            ids, continuation = listed(services, **query)
            pages += ids
            assert ledger.lists <= 4
            if continuation is None:
                break
            assert len(ids) >= PAGE
            query = {"continuation": continuation}
    assert pages == listed(services)[0]
    assert len(pages) == len(set(pages)) == len(told)


@pytest.mark.parametrize("named", [{"external_reference": "CHG0031337"}, {"gateway": "granitefalls.contoso.com"}])
def test_what_one_ticket_or_one_gateway_asked_for_is_found_by_two_lists(named: dict[str, str]) -> None:
    services = MemoryServices()
    services.ledger = ledger = CountingLedger()
    ended = deployment(services, NOW - timedelta(days=360), Status.SUCCEEDED)
    assert listed(services, **named) == ([ended], None)
    assert ledger.lists == 2
    assert listed(services, **named, status="succeeded") == ([ended], None)
    assert ledger.lists == 3


def test_one_that_ends_while_it_is_looked_for_is_shown_once_as_ended() -> None:
    services = MemoryServices()

    class EndingLedger(MemoryLedger):
        async def active(self) -> Sequence[ActiveRow]:
            before = await super().active()
            stored = await self.read(ending)
            assert stored is not None
            save = Save(3, "done", Status.SUCCEEDED, stored.record.state, None, "a test", NOW)
            await self.save(ending, stored.etag, save, [])
            return before

    services.ledger = EndingLedger()
    ending = deployment(services)
    (row,) = call(services, "list-deployments").body["deployments"]  # type: ignore[misc,union-attr]
    assert (row["id"], row["status"]) == (ending, "succeeded")  # type: ignore[call-overload,index]


END_OF_OCTOBER = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)


def test_one_that_ends_with_the_month_while_it_is_looked_for_is_shown_as_ended() -> None:
    services = MemoryServices()

    class EndingLedger(MemoryLedger):
        async def active(self) -> Sequence[ActiveRow]:
            before = [row for row in await super().active() if row.id != ending]
            services.clock.pass_by(timedelta(seconds=2))
            stored = await self.read(ending)
            assert stored is not None
            save = Save(3, "done", Status.SUCCEEDED, stored.record.state, None, "a test", services.clock.now())
            await self.save(ending, stored.etag, save, [])
            return before

    services.ledger = EndingLedger()
    services.clock.at = END_OF_OCTOBER
    ending = deployment(services, END_OF_OCTOBER)
    assert listed(services) == ([ending], None)


def test_the_oldest_month_stays_in_the_list_though_a_month_ends_between_its_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "FULL", 2)
    services = MemoryServices()
    services.clock.at = END_OF_OCTOBER
    on_first = {deployment(services, END_OF_OCTOBER - timedelta(days=days), Status.SUCCEEDED) for days in (1, 2)}
    oldest = deployment(services, datetime(2025, 10, 3, tzinfo=UTC), Status.SUCCEEDED)
    ids, continuation = listed(services)
    assert set(ids) == on_first and continuation is not None
    services.clock.pass_by(timedelta(seconds=2))
    assert listed(services, continuation=continuation) == ([oldest], None)


@pytest.mark.parametrize("plain", ["ended:2025-12", "ended:2025-12:2026-11"])
def test_a_page_far_back_looks_no_further_than_a_year_before_the_first(plain: str) -> None:
    """One read goes on three months at once from the second on, and stops at the oldest all the same."""
    services = MemoryServices()
    within = deployment(services, datetime(2025, 11, 1, tzinfo=UTC), Status.SUCCEEDED)
    deployment(services, datetime(2025, 10, 31, tzinfo=UTC), Status.SUCCEEDED)
    assert listed(services, continuation=token_of(plain)) == ([within], None)


@pytest.mark.parametrize("days", [-400, -31, 31, 400])
def test_one_whose_moment_is_of_another_month_than_its_place_in_the_ledger_is_shown(days: int) -> None:
    services = MemoryServices()

    class ChangedLedger(MemoryLedger):
        async def ended(self, oldest: str, newest: str) -> Sequence[ActiveRow]:
            found = await super().ended(oldest, newest)
            return [replace(row, updated_at=row.updated_at + timedelta(days=days)) for row in found]

    services.ledger = ChangedLedger()
    ended = deployment(services, datetime(2026, 8, 15, tzinfo=UTC), Status.SUCCEEDED)
    assert everything(services) == [ended]


def test_filters() -> None:
    services = MemoryServices()
    own = call(
        services,
        "start-migration",
        {
            "provisioned_by": "automation",
            "subscription_id": SUBSCRIPTION,
            "tenant_id": "11111111-1111-1111-1111-111111111111",
            "resource_group": "rg",
            "region": "eastus",
            "certificate": {"vault": "https://kv-cmg.vault.azure.net", "name": "granitefalls"},
            "old_gateway": {"resource_id": CLASSIC_ID, "service_name": "GraniteFalls.Contoso.Com"},
            "external_reference": "CHG0099999",
        },
    ).body["id"]
    other = deployment(services)

    assert set(everything(services)) == {own, other}
    assert everything(services, external_reference="CHG0099999") == [own]
    assert everything(services, external_reference="chg0099999") == []
    assert everything(services, subscription=SUBSCRIPTION.upper()) == [own]
    assert everything(services, gateway=CLASSIC_ID.upper()) == [own]
    assert set(everything(services, gateway="granitefalls.contoso.com")) == {own, other}
    assert everything(services, gateway="another.contoso.com") == []
    assert everything(services, status="grace") == []


def test_a_row_says_what_lists_promise() -> None:
    services = MemoryServices()
    deployment(services)
    row = call(services, "list-deployments").body["deployments"][0]  # type: ignore[call-overload,index]
    assert set(row) == {
        "id",
        "status",
        "step",
        "gateway",
        "service_name",
        "external_reference",
        "subscription_id",
        "updated_at",
    }


def refused(expected: int, **query: str) -> Answer:
    answer = call(MemoryServices(), "list-deployments", query=query)
    assert answer.status == expected, answer.text
    return answer


def test_unknown_parameters_are_refused_with_the_known_ones() -> None:
    answer = refused(422, ticket="CHG1", status="done", subscription="mine")
    assert len(answer.body["findings"]) == 3  # type: ignore[arg-type]
    assert "external_reference" in answer.text


@pytest.mark.parametrize("name", ["status", "subscription"])
def test_a_filter_that_was_left_empty_by_mistake_does_not_show_everything(name: str) -> None:
    assert "findings" in refused(422, **{name: ""}).body


def test_the_function_key_in_the_address_is_no_unknown_parameter() -> None:
    assert call(MemoryServices(), "list-deployments", query={"code": "key"}).status == 200


def token_of(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode()


@pytest.mark.parametrize(
    "plain",
    [
        "",
        "ended:2026-12",
        "ended:2026-13",
        "ended:9999-01",
        "active",
        "ended:2026-1",
        "ended:2026-10:2026-12",
        "ended:2026-11:2026-10",
        "ended:2026-10:2026-13",
        "ended:2026-10:",
    ],
)
def test_a_forged_token_is_refused(plain: str) -> None:
    assert refused(400, continuation=token_of(plain) or "?").body["type"] == "/api/problems/bad-continuation"


@given(st.text(min_size=1, max_size=40))
def test_any_token_is_answered(token: str) -> None:
    assert call(MemoryServices(), "list-deployments", query={"continuation": token}).status in (200, 400)


@pytest.mark.parametrize("plain", ["ended:2024-01", "ended:2024-01:2026-11", "ended:0000-01:0000-01"])
def test_a_token_that_looks_too_far_back_is_the_end(plain: str) -> None:
    services = MemoryServices()
    deployment(services, datetime(2024, 1, 3, tzinfo=UTC), Status.SUCCEEDED)
    assert listed(services, continuation=token_of(plain)) == ([], None)
