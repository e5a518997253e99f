"""Lists of deployments: those under way first, then those that have ended, month by month, newest first."""

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Status
from cmg_core.refusals import CallRefused
from cmg_core.services import ActiveRow, Services

MONTHS_BACK = 12
FULL = 100
"""How many deployments fill a page. It ends with a month, and those under way stay together: it may hold more."""
WIDER = 3
"""Each read of the ended ones costs a look into every partition of the ledger, however many months it covers. The first
covers one month; where that does not fill the page, the next covers so many times as much. So a page over the whole
year takes three, and a busy ledger is not read a year back to fill one."""

_MONTH = r"(\d{4})-(0[1-9]|1[0-2])"
_TOKEN = re.compile(rf"ended:{_MONTH}(?::{_MONTH})?")
"""The month to go on with, and the first page's newest one, from which the year is counted: earlier releases left that
out."""


@dataclass(frozen=True)
class Filters:
    """Which deployments a list shows; what is empty does not filter. Case matters only in ``external_reference``."""

    status: Status | None = None
    gateway: str = ""
    """The old gateway's resource ID, or a service name."""
    subscription: str = ""
    external_reference: str = ""

    @property
    def find_few(self) -> bool:
        """Whether so few deployments pass that they hardly fill a page, as those of one ticket or one gateway."""
        return bool(self.gateway or self.external_reference)

    def take(self, row: ActiveRow) -> bool:
        """Whether a list with these filters shows the deployment."""
        summary, gateway = row.summary, self.gateway.lower()
        names = (row.gateway.lower(), str(summary.get("service_name") or "").lower())
        return (
            (self.status is None or row.status is self.status)
            and (not gateway or gateway in names)
            and (not self.subscription or summary.get("subscription_id") == self.subscription.lower())
            and (not self.external_reference or summary.get("external_reference") == self.external_reference)
        )


@dataclass(frozen=True)
class Page:
    """One page: those under way, then those that have ended, each kind with the one that changed last first;
    ``continuation`` asks for the next page, empty on the last one."""

    rows: tuple[ActiveRow, ...]
    continuation: str = ""


async def page(services: Services, filters: Filters, continuation: str = "") -> Page:
    """The page that a continuation token asks for, the first one without. Only the last one has fewer than ``FULL``.

    Raises CallRefused (400) for a token that this product did not make.
    """
    is_of_ended = bool(filters.status and filters.status.is_end)
    # Those under way are read first, and the clock after them: one that ends meanwhile is found twice, though a month
    # ends with it, and not at all the other way round. One that is resumed between two reads may be in neither, or be
    # found twice: nothing holds the ledger still, and whoever needs it reads the list anew.
    active = [] if continuation or is_of_ended else _shown(await services.ledger.active(), filters)
    now = _month_of(services.clock.now())
    month, newest = _read(continuation, now) if continuation else (now, now)
    oldest = newest - MONTHS_BACK
    if filters.status and not is_of_ended:
        return Page(tuple(active))
    rows = {row.id: row for row in active}
    span = month - oldest + 1 if filters.find_few else 1
    while month >= oldest and len(rows) < FULL:
        last = max(month - span + 1, oldest)
        ended: dict[int, list[ActiveRow]] = defaultdict(list)
        for row in _shown(await services.ledger.ended(_text(last), _text(month)), filters):
            # The ledger's key is what found it: a moment that says another month does not let it vanish.
            ended[min(max(_month_of(row.updated_at), last), month)].append(row)
        while month >= last and len(rows) < FULL:
            rows |= {row.id: row for row in ended[month]}
            month -= 1
        span *= WIDER
    return Page(tuple(rows.values()), _token(month, newest) if month >= oldest else "")


def _shown(rows: Iterable[ActiveRow], filters: Filters) -> list[ActiveRow]:
    return sorted(filter(filters.take, rows), key=lambda row: (row.updated_at, row.id), reverse=True)


def _month_of(moment: datetime) -> int:
    """Months since the year nought."""
    return moment.year * 12 + moment.month - 1


def _counted(year: str, month: str) -> int:
    return int(year) * 12 + int(month) - 1


def _text(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


def _token(month: int, newest: int) -> str:
    return base64.urlsafe_b64encode(f"ended:{_text(month)}:{_text(newest)}".encode()).decode().rstrip("=")


def _read(token: str, now: int) -> tuple[int, int]:
    """The month to go on with, and the list's newest one."""
    try:
        plain = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        plain = ""
    found = _TOKEN.fullmatch(plain)
    month = _counted(found[1], found[2]) if found else now + 1
    newest = _counted(found[3], found[4]) if found and found[3] else now
    if not month <= newest <= now:
        raise CallRefused(
            Problem(
                code="bad-continuation",
                title="The continuation token is none of this app",
                detail="`continuation` takes the token of an earlier page, unchanged.",
                cure="Ask for the first page, without `continuation`.",
                status=400,
            )
        )
    return month, newest
