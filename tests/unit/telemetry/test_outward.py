"""The ways out: what is told of a request, and what is not."""

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

from cmg_core.notify.addresses import CallbackUrl
from cmg_core.notify.ports import Posted
from cmg_core.services import Dialed, NameView
from cmg_core.telemetry.outward import TracedDialer, TracedDns, TracedPoster, kind_of, watched
from cmg_core.telemetry.port import UNTOLD
from tests.fakes import FakeDialer, FakeDns, FakePoster
from tests.telling import telling

ONE = "33333333-3333-4333-8333-333333333333"
GROUP = "/subscriptions/s/resourceGroups/g"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{GROUP}/providers/Microsoft.Network/loadBalancers/gw-lb", "Microsoft.Network/loadBalancers"),
        (f"{GROUP}/providers/Microsoft.Network/dnsZones/contoso.com/CNAME/gw", "Microsoft.Network/dnsZones/CNAME"),
        (
            "/subscriptions/s/providers/Microsoft.Compute/locations/eastus/operations/o",
            "Microsoft.Compute/locations/operations",
        ),
        (
            f"{GROUP}/providers/Microsoft.Compute/x/y/providers/Microsoft.Insights/metrics",
            "Microsoft.Insights/metrics",
        ),
        ("/subscriptions/s/providers", "providers"),
        ("/subscriptions/s/providers/Microsoft.Network/register", "Microsoft.Network/register"),
        (GROUP, "resourceGroups"),
        ("/subscriptions/s", "subscriptions"),
        (f"{GROUP}/resources", "resources"),
        ("/certificates/gw/", "certificates"),
        ("/CmgLedger(PartitionKey='07',RowKey='r:x')", "CmgLedger"),
        ("/CmgLedger()", "CmgLedger"),
        ("/$batch", "$batch"),
        ("/cmg-preflight/messages", "messages"),
        ("/devstoreaccount1/cmg-preflight/messages", "messages"),
        ("/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token", "token"),
        ("/", "/"),
    ],
)
def test_spans_of_the_same_kind_have_the_same_name(path: str, kind: str) -> None:
    assert kind_of(path) == kind


class Sent(AsyncHttpTransport[Any, Any]):
    """Notes what is sent."""

    def __init__(self, status: int = 202) -> None:
        self.status, self.calls = status, list[str]()

    async def open(self) -> None:
        self.calls.append("open")

    async def close(self) -> None:
        self.calls.append("close")

    async def sleep(self, duration: float) -> None:
        self.calls.append(f"sleep {duration}")

    async def __aenter__(self) -> "Sent":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.calls.append("exit")

    async def send(self, request: Any, **options: Any) -> Any:
        self.calls.append(request.method)
        if not self.status:
            raise ServiceRequestError("cut off at https://x.example/?sig=abc")
        self.status_code = self.status
        return self


def test_without_telemetry_the_transport_is_itself() -> None:
    transport = Sent()
    assert watched(transport, UNTOLD, lambda host: host) is transport


def test_host_and_path_are_told_and_no_query() -> None:
    inner = Sent()
    request = HttpRequest("PUT", "https://st.table.core.windows.net/CmgLedger(PartitionKey='07')?sig=c2VjcmV0")

    async def send() -> None:
        async with watched(inner, told.telemetry, lambda host: "tables") as transport:
            await transport.open()
            await transport.sleep(1.0)
            assert await transport.send(request) is inner
            await transport.close()

    with telling() as told, told.telemetry.working(ONE, "run preflight", {}):
        asyncio.run(send())
    assert inner.calls == ["open", "sleep 1.0", "PUT", "close", "exit"]
    span = told.spans[0]
    assert (span.name, span.attributes["url.path"]) == ("PUT CmgLedger", "/CmgLedger(PartitionKey='07')")
    assert span.attributes["http.response.status_code"] == 202
    assert "c2Vj" not in told.texts()


def test_a_request_without_an_answer_is_counted_by_its_error() -> None:
    request = HttpRequest("GET", "https://st.queue.core.windows.net/cmg-preflight/messages")
    with telling() as told:
        with pytest.raises(ServiceRequestError):
            asyncio.run(watched(Sent(0), told.telemetry, lambda host: "queues").send(request))
        assert [*told.figures()["cmg.calls"]] == [
            '{"cmg.came": "ServiceRequestError", "cmg.method": "GET", "cmg.service": "queues"}'
        ]


def test_dns_gateways_and_receivers_are_told_of_and_never_where_events_go() -> None:
    url = CallbackUrl.parse("https://hooks.contoso.com/secret/path?sig=c2VjcmV0", ())
    dns = TracedDns(FakeDns({"gw.contoso.com": [NameView("9.9.9.9", failure="silent"), NameView("1.1.1.1")]}), UNTOLD)

    async def ask() -> None:
        dns._telemetry = told.telemetry
        assert len(await dns.views("gw.contoso.com")) == 2
        dialer = TracedDialer(FakeDialer({"gw": Dialed(status=401)}), told.telemetry)
        assert (await dialer.dial("gw", "gw.contoso.com")).status == 401
        assert (await dialer.dial("nowhere", "gw.contoso.com")).failure
        poster = TracedPoster(FakePoster([Posted(202)]), told.telemetry)
        assert (await poster.post(url, "20.1.2.3", {"webhook-signature": "v1,abc"}, b"{}")).status == 202

    with telling() as told, told.telemetry.working(ONE, "run preflight", {}):
        asyncio.run(ask())
    came = [(span.name, span.attributes["cmg.outcome"]) for span in told.spans[:-1]]
    assert came == [
        ("ASK every server", "silent"),
        ("DIAL gateway", "401"),
        ("DIAL gateway", "no answer"),
        ("POST event", "202"),
    ]
    assert all(word not in told.texts() for word in ("hooks", "secret", "c2Vj", "v1,abc", "20.1.2.3"))
