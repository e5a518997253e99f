"""Azure Monitor's metrics of load balancers: how many connections they got.

Source: Metrics - List (api-version 2018-01-01) for parameters and the form of the answer; "Azure Load Balancer
monitoring data reference" for the metric; "Load Balancer SKUs" for Basic having none. The texts of refusals are
inferred, and that a minute in which nothing came has no point.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter, ValidationError

from local.azure.errors import AzureError, json_response
from local.azure.messages import Request, Response
from local.azure.world import Body, Resource, World

TYPE = "Microsoft.Insights/metrics"
VERSIONS = ("2018-01-01", "2021-05-01", "2023-10-01", "2024-02-01")
METRIC = "SYNCount"
_INTERVALS = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D")
_DURATION = TypeAdapter(timedelta)
_MOMENT = TypeAdapter(datetime)


def list_metrics(world: World, request: Request, scope: str) -> Response:
    """GET {resource}/providers/Microsoft.Insights/metrics."""
    balancer = world.resource(scope)
    if balancer is None or balancer.type.lower() != "microsoft.network/loadbalancers" or _is_basic(balancer):
        raise _bad(f"Failed to find metric configuration for the resource {scope}.")
    names = request.query.get("metricnames", METRIC)
    if names.lower() != METRIC.lower():
        raise _bad(f"Failed to find metric configuration for metric: {names}. Valid metrics: {METRIC}.")
    if (aggregation := request.query.get("aggregation", "Total")).lower() != "total":
        raise _bad(f"This simulated Azure answers totals only, not '{aggregation}'.")
    begins, ends = _span(request.query.get("timespan", ""))
    interval = request.query.get("interval", "PT1M")
    if interval not in _INTERVALS:
        raise _bad(f"Detected invalid time grain input {interval}. Supported: {','.join(_INTERVALS)}.")
    grain = _DURATION.validate_python(interval)
    return json_response(
        200,
        {
            "cost": 0,
            "timespan": f"{_written(begins)}/{_written(ends)}",
            "interval": interval,
            "namespace": "Microsoft.Network/loadBalancers",
            "resourceregion": balancer.body.get("location", ""),
            "value": [
                {
                    "id": f"{balancer.id}/providers/{TYPE}/{METRIC}",
                    "type": TYPE,
                    "name": {"value": METRIC, "localizedValue": "SYN Count"},
                    "unit": "Count",
                    "errorCode": "Success",
                    "timeseries": [{"metadatavalues": [], "data": _points(world, balancer, begins, ends, grain)}],
                }
            ],
        },
    )


def _is_basic(balancer: Resource) -> bool:
    return str((balancer.body.get("sku") or {}).get("name", "Basic")).lower() == "basic"


def _points(world: World, balancer: Resource, begins: datetime, ends: datetime, grain: timedelta) -> list[Body]:
    width = int(grain.total_seconds()) // 60
    sums: Counter[int] = Counter()
    for address in _addresses(world, balancer):
        for minute, count in world.connections.get(address, Counter()).items():
            if begins.timestamp() // 60 <= minute < -(-ends.timestamp() // 60):
                sums[minute - minute % width] += count
    return [{"timeStamp": _written(datetime.fromtimestamp(m * 60, UTC)), "total": n} for m, n in sorted(sums.items())]


def _addresses(world: World, balancer: Resource) -> list[str]:
    """The public addresses of the load balancer's front ends."""
    fronts = balancer.properties.get("frontendIPConfigurations") or []
    ids = [((front.get("properties") or {}).get("publicIPAddress") or {}).get("id", "") for front in fronts]
    found = [world.resource(id) for id in ids if id]
    return [each.properties["ipAddress"] for each in found if each is not None and each.properties.get("ipAddress")]


def _span(text: str) -> tuple[datetime, datetime]:
    try:
        begins, ends = (_MOMENT.validate_python(part) for part in text.split("/"))
    except (ValidationError, ValueError) as problem:
        raise _bad(f"Invalid time span '{text}': it must be start and end, separated by '/'.") from problem
    if begins >= ends:
        raise _bad(f"Start time of '{text}' must be before its end time.")
    return begins, ends


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _bad(message: str) -> AzureError:
    return AzureError(400, "BadRequest", message)
