"""Azure Monitor's counts of a load balancer's connections, as the simulated Azure answers them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from local.azure.gateways import reach, relay
from local.azure.messages import Request
from tests.unit.azure.worlds import GROUP, NETWORK, SUBSCRIPTION, Azure

GATEWAY = {"scale_set_gateways": [{"group": GROUP, "label": "old", "certificate": "kv-cmg/granitefalls"}]}
BALANCER = f"{NETWORK}/loadBalancers/old-lb"
METRICS = f"{BALANCER}/providers/Microsoft.Insights/metrics"
VERSION = "2018-01-01"
DAY = "2026-11-22T09:00:00Z/2026-11-23T09:00:00Z"


def asked(azure: Azure, path: str = METRICS, **query: str) -> Any:
    told = {"timespan": DAY, "interval": "PT1H", "metricnames": "SYNCount", "aggregation": "Total", **query}
    return azure.call("GET", path, VERSION, query=told)


def test_each_connection_that_meets_the_gateway_is_counted_in_its_minute() -> None:
    azure = Azure(GATEWAY)
    [address] = [each.properties["ipAddress"] for each in azure.world.of_type("Microsoft.Network/publicIPAddresses")]
    for minute in (-61, -61, -59, -1):
        at = azure.now + timedelta(minutes=minute)
        gateway = reach(azure.world, address, azure.now)
        assert gateway is not None
        relay(azure.world, gateway, Request("GET", "granitefalls.contoso.com", "/"), at)
    [metric] = asked(azure).json()["value"]
    assert (metric["name"]["value"], metric["unit"]) == ("SYNCount", "Count")
    assert [(point["timeStamp"][11:16], point["total"]) for point in metric["timeseries"][0]["data"]] == [
        ("07:00", 2),
        ("08:00", 2),
    ]
    fine = asked(azure, interval="PT1M", timespan="2026-11-23T08:00:00Z/2026-11-23T09:00:00Z").json()
    assert [point["total"] for point in fine["value"][0]["timeseries"][0]["data"]] == [1, 1]


def test_where_nothing_came_there_are_no_points() -> None:
    assert asked(Azure(GATEWAY)).json()["value"][0]["timeseries"][0]["data"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"metricnames": "ByteCount"}, 400),
        ({"aggregation": "Average"}, 400),
        ({"interval": "PT2M"}, 400),
        ({"timespan": "yesterday"}, 400),
        ({"timespan": "2026-11-23T09:00:00Z/2026-11-22T09:00:00Z"}, 400),
        ({}, 200),
    ],
)
def test_what_the_description_does_not_allow_is_refused(query: dict[str, str], status: int) -> None:
    assert asked(Azure(GATEWAY), **query).status == status


def test_a_basic_load_balancer_has_no_metrics() -> None:
    azure = Azure(GATEWAY)
    found = azure.world.resource(BALANCER)
    assert found is not None
    found.body["sku"] = {"name": "Basic"}
    azure.world.connections["20.0.0.1"] = Counter({1: 1})
    assert asked(azure).json()["error"]["code"] == "BadRequest"


def test_metrics_need_a_right_of_their_own() -> None:
    reader = {"scope": f"/subscriptions/{SUBSCRIPTION}", "actions": ["Microsoft.Network/*"]}
    refused = asked(Azure({**GATEWAY, "role_assignments": [reader]}))
    assert refused.status == 403
    assert "Microsoft.Insights/metrics/read" in refused.json()["error"]["message"]


def test_what_is_not_there_has_no_metrics() -> None:
    missing = f"{NETWORK}/loadBalancers/none/providers/Microsoft.Insights/metrics"
    assert asked(Azure(GATEWAY), missing).status == 404
