"""What looks have found so far, for one plan."""

from collections.abc import Callable, Iterable

from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.requests import Request
from cmg_core.domain.tenants import Identities, judge_sign_in
from cmg_core.looks.asking import Busy, Missed

AGAINST = (Severity.BLOCKS, Severity.UNKNOWN)
MOST_FINDINGS = 55
"""How many a plan holds: it must fit into one row of the ledger (65,536 bytes)."""


class Notes:
    """What was found so far."""

    def __init__(self, request: Request, who: Identities) -> None:
        self._request, self._who = request, who
        self.findings: list[Finding] = []
        self.busy: list[Busy] = []

    def add(self, findings: Iterable[Finding]) -> None:
        self.findings += findings

    def told(self) -> tuple[Finding, ...]:
        """Each finding once, those that stand against the plan first, within the limit."""
        once = dict.fromkeys(self.findings)
        return tuple(sorted(once, key=lambda finding: finding.severity not in AGAINST)[:MOST_FINDINGS])

    def judge[T](self, seen: T | Missed, judge: Callable[[T], Iterable[Finding]]) -> None:
        """Note what a rule finds in what was seen, or that it could not be seen."""
        if isinstance(seen, Missed):
            self.miss(seen)
        else:
            self.add(judge(seen))

    def miss(self, missed: Missed) -> None:
        meant = missed.refused and judge_sign_in(missed.refused, self._request.tenant, self._who)
        self.findings += meant or (missed.finding,)
        if isinstance(missed, Busy):
            self.busy.append(missed)
