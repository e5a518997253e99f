"""Figures and quotations on the pages of operations are the code's."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from cmg_core.domain.clients_moved import KEPT
from cmg_core.domain.gateway_resources import OWNER_TAG
from cmg_core.domain.record_sets import TTL_BEFORE
from cmg_core.domain.requests import LONGEST_SPAN, ClientsMoved, GatewayRequest
from cmg_core.engine import OVERDUE
from cmg_core.ledger.codec import LARGEST_PROPERTY
from cmg_core.ledger.queues import queue_name
from cmg_core.ledger.rows import TABLE
from cmg_core.ledger.table import SHARDS
from cmg_core.listing import FULL, MONTHS_BACK
from cmg_core.looks.leaving import MOST_KEPT
from cmg_core.looks.notes import MOST_FINDINGS
from cmg_core.notify.addresses import LONGEST_URL
from cmg_core.notify.subscribe import MOST_LISTENERS
from cmg_core.settings import Settings
from cmg_core.steps.retire_old_gateway import PATIENCE
from cmg_core.wake import AT_ONCE, REMIND_EACH, SENDS_WITHOUT_PROGRESS, SOON, WITHIN
from local.dev.processes import ROOT
from local.docs.reference import settings_page
from tests.unit.docs.commands import PAGES, blocks_of

HOST = json.loads((ROOT / "host.json").read_text())


def most_instances() -> int:
    limits = GatewayRequest.model_json_schema()["properties"]["instances"]
    return int(limits["maximum"])


def seconds(span: timedelta) -> int:
    return int(span.total_seconds())


def in_bicep(file: str, pattern: str) -> str:
    (found,) = re.findall(pattern, (ROOT / "infra" / file).read_text())
    return str(found)


FIGURES: tuple[tuple[str, str, Callable[[], object]], ...] = (
    ("docs/operations.md", r"at most (\d+) days in a request", lambda: LONGEST_SPAN.days),
    ("docs/operations.md", r"until (\d+) days from now", lambda: LONGEST_SPAN.days),
    ("docs/operations.md", r"(\d+) KiB in one table row", lambda: LARGEST_PROPERTY // 1024),
    ("docs/operations.md", r"instances of a gateway \| (\d+) ", most_instances),
    ("docs/operations.md", r"woken at a time \| (\d+);", lambda: AT_ONCE),
    ("docs/operations.md", r"not begun within (\d+) seconds", lambda: seconds(WITHIN)),
    ("docs/operations.md", r"time-out is (\d+) minutes", lambda: int(HOST["functionTimeout"].split(":")[1])),
    ("docs/operations.md", r"(\d+) months back", lambda: MONTHS_BACK),
    ("docs/operations.md", r"(\d+) partition reads", lambda: SHARDS),
    ("docs/operations.md", r"listeners of a deployment \| (\d+),", lambda: MOST_LISTENERS),
    ("docs/operations.md", r"up to ([\d,]+) characters", lambda: f"{LONGEST_URL:,}"),
    ("docs/operations.md", r"\| (\d+) findings", lambda: MOST_FINDINGS),
    ("docs/operations.md", r"(\d+) resources that stay", lambda: MOST_KEPT),
    ("docs/operations.md", r"The table `(\w+)` is the truth", lambda: TABLE),
    ("docs/operations.md", r"carries the tags `([\w-]+)`", lambda: OWNER_TAG),
    ("docs/operations.md", r"metadata \(`([\w-]+)`\)", lambda: TTL_BEFORE),
    ("docs/requests.md", r"`P1D` \(default\) to `P(\d+)D`", lambda: LONGEST_SPAN.days),
    ("docs/requests.md", r"longer than (\d+) days,", lambda: LONGEST_SPAN.days),
    ("cmg_core/description/findings.md", r"is longer than (\d+) days", lambda: LONGEST_SPAN.days),
    ("docs/requests.md", r"the (\d+) months before it", lambda: MONTHS_BACK),
    ("docs/requests.md", r"until it holds (\d+) deployments", lambda: FULL),
    ("docs/requests.md", r"at most (\d+) reads of storage", lambda: 4 * SHARDS),
    ("docs/requests.md", r"`external_reference` or `gateway` (\d+) \(", lambda: 2 * SHARDS),
    ("docs/requests.md", r"reads (\d+) partitions", lambda: SHARDS),
    ("docs/operations.md", r"az storage table delete .*? --name (\w+)", lambda: TABLE),
    ("docs/operations.md", r"--prefix (\S+) ", lambda: queue_name("")),
    (
        "docs/operations.md",
        r"az group create --name (\S+-)prod",
        lambda: in_bicep("main.bicep", r"name: '(rg-.*-)\$\{"),
    ),
    (
        "docs/operations.md",
        r"starts_with\(name, '(\S+)'\)",
        lambda: in_bicep("main.bicep", r"name: '(kv-.*-)\$\{token"),
    ),
    ("docs/operations.md", r"stays taken for (\d+) days", lambda: in_bicep("modules/vault.bicep", r"InDays: (\d+)")),
    ("docs/procedures.md", r"within (\d+) days\.", lambda: LONGEST_SPAN.days),
    ("docs/rules/s09.md", r"the last (\d+) reports", lambda: KEPT),
    ("docs/rules/s09.md", r"\| `active_days` \| (\d+) ", lambda: ClientsMoved.model_fields["active_days"].default),
    ("docs/rules/s09.md", r"`minimum_sample` \| (\d+) ", lambda: ClientsMoved.model_fields["minimum_sample"].default),
)


@pytest.mark.parametrize(("page", "figure", "of"), FIGURES, ids=[f"{page}: {figure}" for page, figure, _ in FIGURES])
def test_a_figure_is_the_codes(page: str, figure: str, of: Callable[[], object]) -> None:
    assert re.findall(figure, " ".join((ROOT / page).read_text().split())) == [str(of())]


def test_the_lock_that_is_taken_off_and_put_back_is_the_one_that_is_made() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    name = in_bicep("modules/storage.bicep", r"name: '(holds-.*)'")
    level = in_bicep("modules/storage.bicep", r"level: '(.*)'")
    assert re.findall(r"az lock delete --name (\S+)", page) == [name, name]
    assert re.findall(r"az lock create --name (\S+) --lock-type (\S+)", page) == [(name, level)]


def test_nothing_is_taken_away_by_what_takes_the_gateways_groups_too() -> None:
    """`azd down` stands on the page as what never to type, in a sentence and in no block."""
    assert [page for page in PAGES for code in blocks_of(page) if "azd down" in code] == []
    assert "**Never `azd down`" in (ROOT / "docs" / "operations.md").read_text()


def test_the_roles_that_are_taken_back_are_those_that_are_made() -> None:
    """By the beginning of their names, and by the environment's name in them."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (beginning,) = re.findall(r"starts_with\(roleName, '([^']+)'\)", page)
    names = [json.loads(file.read_text())["Name"] for file in sorted((ROOT / "infra" / "roles").glob("*.json"))]
    assert names and [name for name in names if not name.startswith(beginning)] == []
    assert "contains(roleName, '($ENVIRONMENT, ')" in page
    assert "roleName: '${role.Name} (${environmentName}, ${" in (ROOT / "infra" / "modules" / "roles.bicep").read_text()


def test_spans_that_are_written_in_words_are_the_codes() -> None:
    """«a quarter of an hour», «five times», «once a day», «each hour», «within a day», «an hour at most», «a day»."""
    assert timedelta(minutes=15) == OVERDUE
    assert SENDS_WITHOUT_PROGRESS == 5 == HOST["extensions"]["queues"]["maxDequeueCount"]
    assert timedelta(days=1) == REMIND_EACH == SOON
    assert timedelta(hours=1) == PATIENCE
    assert Settings.model_fields["minimum_grace"].default == timedelta(days=1)
    assert "`CMG_MINIMUM_GRACE`" in settings_page()


def test_what_the_runbooks_quote_is_what_the_app_writes() -> None:
    """Quotation marks hold a line of the log, with «…» for what differs."""
    source = "".join(path.read_text() for path in sorted((ROOT / "cmg_core").rglob("*.py")))
    source += "".join(path.read_text() for path in sorted((ROOT / "infra" / "queries").glob("*.kql")))
    written = re.sub(r'"\s*f?"', "", source)  # a text that goes on in the next line
    page = " ".join((ROOT / "docs" / "runbooks.md").read_text().split())
    quoted = re.findall(r"«([^»]+)»", page)
    assert len(quoted) >= 6
    for text in quoted:
        pattern = r"[^\"]*?".join(re.escape(part.strip()) for part in text.split("…"))
        assert re.search(pattern, written), text
