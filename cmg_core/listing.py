"""Lists of deployments: those under way first, then those that have ended, month by month, newest first."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cmg_core.domain.problems import Problem
from cmg_core.domain.record import Status
from cmg_core.refusals import CallRefused
from cmg_core.services import ActiveRow, Services

MONTHS_BACK = 12
MONTHS_A_CALL = 3
"""How many months without entries one call passes over: each costs a look into every partition of the ledger."""

_TOKEN = re.compile(r"ended:(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Filters:
    """Which deployments a list shows; what is empty does not filter. Case matters only in ``external_reference``."""

    status: Status | None = None
    gateway: str = ""
    """The old gateway's resource ID, or a service name."""
    subscription: str = ""
    external_reference: str = ""

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
    """One page, the deployment that changed last first; ``continuation`` asks for the next, empty on the last one."""

    rows: tuple[ActiveRow, ...]
    continuation: str = ""


async def page(services: Services, filters: Filters, continuation: str = "") -> Page:
    """The page that a continuation token asks for, the first one without. A page may be empty and not the last.

    Raises CallRefused (400) for a token that this product did not make.
    """
    newest = _month_of(services.clock.now())
    month = _read(continuation, newest) if continuation else newest
    wants_ended = filters.status is None or filters.status.is_end
    if not continuation and not (filters.status and filters.status.is_end):
        rows = _shown(await services.ledger.active(), filters)
        return Page(rows, _token(newest) if wants_ended else "")
    oldest = newest - MONTHS_BACK
    rows = ()
    for looked_at in range(month, max(month - MONTHS_A_CALL, oldest - 1), -1):
        rows = _shown(await services.ledger.ended(_text(looked_at)), filters) if wants_ended else ()
        month = looked_at - 1
        if rows:
            break
    return Page(rows, _token(month) if wants_ended and month >= oldest else "")


def _shown(rows: Sequence[ActiveRow], filters: Filters) -> tuple[ActiveRow, ...]:
    return tuple(sorted(filter(filters.take, rows), key=lambda row: (row.updated_at, row.id), reverse=True))


def _month_of(moment: datetime) -> int:
    """Months since the year nought."""
    return moment.year * 12 + moment.month - 1


def _text(month: int) -> str:
    return f"{month // 12:04}-{month % 12 + 1:02}"


def _token(month: int) -> str:
    return base64.urlsafe_b64encode(f"ended:{_text(month)}".encode()).decode().rstrip("=")


def _read(token: str, newest: int) -> int:
    try:
        plain = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        plain = ""
    found = _TOKEN.fullmatch(plain)
    month = int(found[1]) * 12 + int(found[2]) - 1 if found else newest + 1
    if month > newest:
        raise CallRefused(
            Problem(
                code="bad-continuation",
                title="The continuation token is none of this app",
                detail="`continuation` takes the token of an earlier page, unchanged.",
                cure="Ask for the first page, without `continuation`.",
                status=400,
            )
        )
    return month
