"""How long a plan takes: what Azure needs as it was measured, the waits that the plan knows, and what nobody knows.

Each step of the plan has its lines. A step or a resource that is not in the tables is told as not measured, never
guessed and never left out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import StrEnum

from cmg_core.domain.cases import Case
from cmg_core.domain.gates import Gate, Opener
from cmg_core.domain.kinds import kind_of_resource
from cmg_core.domain.plans import Part, Plan
from cmg_core.domain.record_sets import low_ttl
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.values import ResourceId

SOURCE = (
    "recorded sessions of the test suites of Microsoft's SDKs for Java (2017 to 2021) and Python (2020) and of the "
    "Azure CLI (2024); the pauses between their looks, up to 30 s, are in them"
)


@dataclass(frozen=True)
class Measured:
    """What the recordings show of one operation: the median, and the longest seen."""

    usual: timedelta
    highest: timedelta


def _measured(usual: int, highest: int) -> Measured:
    return Measured(timedelta(seconds=usual), timedelta(seconds=highest))


SECURITY_GROUP, ADDRESS = "microsoft.network/networksecuritygroups", "microsoft.network/publicipaddresses"
NETWORK, BALANCER = "microsoft.network/virtualnetworks", "microsoft.network/loadbalancers"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"

REGISTERING = _measured(77, 80)
"""Of a resource provider: seen once (77 s) and told elsewhere as about 80 s."""
MAKING: Mapping[str, Measured] = {
    SECURITY_GROUP: _measured(1, 20),
    ADDRESS: _measured(1, 12),
    NETWORK: _measured(1, 20),
    BALANCER: _measured(31, 92),
    SCALE_SET: _measured(92, 353),
}
"""PUT of a new resource, by type: 21, 247, 292, 11 and 45 recordings. A load balancer's longest is that of an update
with members; a scale set's is without any software to install."""
REMOVING: Mapping[str, Measured] = {
    SECURITY_GROUP: _measured(0, 11),
    ADDRESS: _measured(0, 105),
    NETWORK: _measured(21, 22),
    BALANCER: _measured(10, 52),
    SCALE_SET: _measured(52, 111),
}
"""DELETE, by type: few recordings of each. None of a classic cloud service, a storage account or a vault."""


class Kind(StrEnum):
    """Where a line's time goes."""

    AZURE = "azure"
    """Azure works: measured."""
    WAIT = "wait"
    """A wait that the plan knows exactly."""
    CALLS = "calls"
    """Some calls that begin no operation: seconds."""
    PEOPLE = "people"
    """As long as people take."""
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True)
class Line:
    """A part of the time. ``usual`` and ``highest`` are None where nobody knows them."""

    step: str
    what: str
    kind: Kind
    usual: timedelta | None = None
    highest: timedelta | None = None


@dataclass(frozen=True)
class Timetable:
    """All lines in order, one after the other, and the sums of those that are known."""

    lines: tuple[Line, ...]
    usual: timedelta
    highest: timedelta
    source: str = SOURCE

    @property
    def on_top(self) -> tuple[Line, ...]:
        """What comes on top of the sums."""
        return tuple(line for line in self.lines if line.kind in (Kind.PEOPLE, Kind.NOT_MEASURED))

    def of(self, kind: Kind) -> Measured:
        """The sum of one kind."""
        return _sum(line for line in self.lines if line.kind is kind)


def timetable(request: Request, plan: Plan) -> Timetable:
    """How long the steps of a plan take."""
    lines = tuple(line for step in plan.steps for line in _LINES.get(step, _unmeasured)(step, request, plan))
    gates = people_gates(plan.gates)
    if gates:
        lines = (*lines, Line("", f"Gates that people open ({len(gates)})", Kind.PEOPLE))
    known = _sum(lines)
    return Timetable(lines, known.usual, known.highest)


def _sum(lines: Iterable[Line]) -> Measured:
    known = [line for line in lines if line.usual is not None and line.highest is not None]
    usual = sum((line.usual or timedelta() for line in known), timedelta())
    return Measured(usual, sum((line.highest or timedelta() for line in known), timedelta()))


def people_gates(gates: tuple[Gate, ...]) -> tuple[str, ...]:
    """The names of the gates that wait for a person's doing."""
    return tuple(gate.name for gate in gates if gate.opener is not Opener.APP)


def in_words(span: timedelta) -> str:
    """A span for people, such as «1 d 6 h» or «1 min 32 s»; fractions of a second are left out."""
    left, told = int(span.total_seconds()), list[str]()
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count:
            told.append(f"{count} {unit}")
    return " ".join(told) or "0 s"


def _unmeasured(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    yield Line(step, "Not measured", Kind.NOT_MEASURED)


def _calls(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    yield Line(step, "Calls to Azure", Kind.CALLS)


def _azure(step: str, what: str, measured: Measured) -> Line:
    return Line(step, what, Kind.AZURE, measured.usual, measured.highest)


def _one_after_the_other(first: Measured, second: Measured) -> Measured:
    return Measured(first.usual + second.usual, first.highest + second.highest)


def _register(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    if any(finding.code == "providers-to-register" for finding in plan.findings):
        yield _azure(step, "Azure registers the providers, all at once", REGISTERING)
    else:
        yield Line(step, "All are registered", Kind.CALLS)


def _network(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    """Two chains side by side: the longer one counts."""
    chains = (
        _one_after_the_other(MAKING[SECURITY_GROUP], MAKING[NETWORK]),
        _one_after_the_other(MAKING[ADDRESS], MAKING[BALANCER]),
    )
    longer = Measured(max(chain.usual for chain in chains), max(chain.highest for chain in chains))
    yield _azure(step, "Azure makes address and load balancer, network beside them", longer)


def _scale_set(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    match request.provisioned_by:
        case "automation":
            yield _azure(step, "Azure makes the scale set", MAKING[SCALE_SET])
            yield Line(step, "The gateway software is installed", Kind.NOT_MEASURED)
        case "site":
            yield Line(step, "The site makes the gateway", Kind.NOT_MEASURED)
        case "existing":
            yield from _calls(step, request, plan)


def _verify(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    yield Line(step, "Instances become healthy", Kind.NOT_MEASURED)


def _cut_over(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    if request.cut_over_not_before is not None:
        moment = request.cut_over_not_before.astimezone(UTC)
        yield Line(step, f"Not before {moment:%Y-%m-%d %H:%M} UTC", Kind.PEOPLE)
    if not plan.record_ttl or plan.case is Case.RETIREMENT:
        yield Line(step, "Calls to DNS and to the gateway", Kind.CALLS)
    elif plan.record is not None:
        yield _wait(step, "The old TTL runs out before the record changes", plan.record_ttl)
        yield _wait(step, "The lowered TTL runs out after it", low_ttl(plan.record.ttl))
    else:
        yield _wait(step, "The TTL runs out after the zone's holder has changed the record", plan.record_ttl)


def _retire(step: str, request: Request, plan: Plan) -> Iterator[Line]:
    if isinstance(request, ReplacementRequest):
        yield _wait(step, "Grace period", request.grace_period)
    for part in plan.delete:
        yield _removal(step, part)


def _removal(step: str, part: Part) -> Line:
    resource = ResourceId.parse(part.id)
    what = f"Azure deletes the {kind_of_resource(resource)} {resource.name}"
    measured = REMOVING.get(resource.type.lower())
    return _azure(step, what, measured) if measured else Line(step, what, Kind.NOT_MEASURED)


def _wait(step: str, what: str, span: timedelta) -> Line:
    return Line(step, what, Kind.WAIT, span, span)


_LINES: Mapping[str, Callable[[str, Request, Plan], Iterator[Line]]] = {
    "preflight": _calls,
    "register-providers": _register,
    "fetch-certificate": _calls,
    "provision-network": _network,
    "provision-scale-set": _scale_set,
    "verify-gateway": _verify,
    "cut-over": _cut_over,
    "retire-old-gateway": _retire,
}
"""One function a step; a step without one is told as not measured."""
