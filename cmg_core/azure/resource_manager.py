"""The ResourceManager port over Microsoft's management clients: JSON in, JSON out, errors in the domain's words."""

import asyncio
import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from cmg_core.azure.clients import FOREIGN_ADDRESS, RESOURCES_API, Clients
from cmg_core.azure.cloud import Cloud
from cmg_core.azure.errors import clean, document_of, json_of, meaning, moment_of, told_plainly
from cmg_core.azure.operations import look, started
from cmg_core.azure.routes import COMPUTE_API, DNS_API, GENERIC_APIS, NETWORK_API, Call, Route, route_to
from cmg_core.backpressure import Backpressure
from cmg_core.domain.errors import AzureRefused, Throttled, TryAgain
from cmg_core.domain.record import Claim
from cmg_core.domain.values import JsonObject, ResourceId, at, iso_duration, objects_at, text_at
from cmg_core.services import Clock, OperationLook, Started

if TYPE_CHECKING:
    from azure.core.rest import AsyncHttpResponse

log = logging.getLogger("cmg.azure")

SIZES_API = "2021-07-01"
LOCKS_API = "2020-05-01"
SUBSCRIPTIONS_API = "2022-12-01"
AUTHORIZATION_API = "2022-04-01"
"""The first version that shows conditions ("List Azure role assignments using the REST API")."""
POLICIES_API = "2022-06-01"
POLICY_CHECK_API = "2023-03-01"
METRICS_API = "2018-01-01"
CONTENT_APIS = {
    "microsoft.resources": RESOURCES_API,
    "microsoft.network": NETWORK_API,
    "microsoft.compute": COMPUTE_API,
}
"""In which version the content is written that policies are asked about: the one in which it will be sent."""
VAULTS_API = GENERIC_APIS["microsoft.keyvault"]
STORAGE_API = GENERIC_APIS["microsoft.storage"]

COARSENESS = timedelta(seconds=2)
"""``Date`` is cut to whole seconds and has travelled: of moments this close the latest is nearest to the truth."""

NOT_ABSENCE = frozenset({"subscriptionnotfound", "invalidresourcetype", "invalidresourcenamespace"})
"""Codes of a 404 that do not say that the resource is missing: it could pass for deleted."""


class AzureResourceManager:
    """Resource Manager for one subscription. Each answer is read as Azure sent it, past the clients' models.

    ``call`` is one call's time-out. While ``backpressure`` knows that a subscription is throttled, it is not called.
    """

    def __init__(
        self, clients: Clients, cloud: Cloud, clock: Clock, call: timedelta, backpressure: Backpressure | None
    ) -> None:
        self._clients, self._cloud, self._clock, self._call = clients, cloud, clock, call
        self._backpressure = backpressure
        self._root = f"/subscriptions/{clients.subscription_id}"
        self._heard: tuple[datetime, float] | None = None

    def time(self) -> datetime | None:
        if self._heard is None:
            return None
        said, at_loop_time = self._heard
        return said + timedelta(seconds=asyncio.get_running_loop().time() - at_loop_time)

    async def subscription(self) -> JsonObject:
        return await self._by_id(self._root, SUBSCRIPTIONS_API)

    async def providers(self) -> Mapping[str, str]:
        listed = await self._list(f"{self._root}/providers", self._clients.resources.providers.list)
        return {text_at(provider, "namespace"): text_at(provider, "registrationState") for provider in listed}

    async def register_provider(self, claim: Claim, namespace: str) -> None:
        self._ensure(claim)
        register = self._clients.resources.providers.register
        await self._ask(f"{self._root}/providers/{namespace}", partial(register, namespace))

    async def group(self, name: str) -> JsonObject | None:
        get = self._clients.resources.resource_groups.get
        return await self._read(self._group_id(name), partial(get, name))

    async def put_group(self, claim: Claim, name: str, body: JsonObject) -> None:
        self._ensure(claim)
        put: Call = self._clients.resources.resource_groups.create_or_update
        await self._ask(self._group_id(name), partial(put, name, _bytes(body)))

    async def resources_in_group(self, name: str) -> Sequence[JsonObject]:
        resources = self._clients.resources.resources
        where = f"{self._group_id(name)}/resources"
        return await self._list_if_there(where, partial(resources.list_by_resource_group, name))

    async def find(self, type: str, name: str) -> JsonObject | None:
        asked = f"resourceType eq '{type}' and name eq '{name}'"
        resources = self._clients.resources.resources
        found = await self._list(f"{self._root}/resources", partial(resources.list, filter=asked))
        return found[0] if found else None

    async def get(self, id: str) -> JsonObject | None:
        return await self._read(id, self._route(id).get)

    async def put(self, claim: Claim, id: str, body: JsonObject, etag: str = "") -> Started:
        """As the port says; a record set that is put without an ETag must be new (ChangedMeanwhile where it is not)."""
        self._ensure(claim)
        route = self._route(id)
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"} if route.put_creates_only else {}
        return self._started(await self._ask(id, partial(route.put, _bytes(body), headers=condition)))

    async def delete(self, claim: Claim, id: str, etag: str = "") -> Started:
        self._ensure(claim)
        delete = self._route(id).delete
        try:
            answer = await self._ask(id, partial(delete, headers={"If-Match": etag}) if etag else delete)
        except AzureRefused as refusal:
            if _is_absence(refusal):
                return Started({})
            raise
        return self._started(answer)

    async def operation(self, address: str) -> OperationLook:
        where = self._path_of(address)
        async with self._calling(where):
            answer = await self._send(address)
            text = answer.text()
            if 300 <= answer.status_code < 400 or (text.strip() and json_of(text) is None and answer.status_code < 400):
                raise TryAgain(f"what answered at {where} was not Azure: a redirect or a page (a proxy's?)")
            return look(answer.status_code, answer.headers, json_of(text), where, self._clock.now())

    async def instances(self, scale_set_id: str) -> Sequence[JsonObject]:
        scale_set = ResourceId.parse(scale_set_id)
        machines = self._clients.of(scale_set).compute.virtual_machine_scale_set_vms
        place = (scale_set.resource_group, scale_set.name)
        return await self._list_if_there(
            f"{scale_set_id}/virtualMachines",
            partial(machines.list, *place, expand="instanceView", api_version=COMPUTE_API),
        )

    async def sizes(self, region: str) -> Sequence[JsonObject]:
        skus = self._clients.compute.resource_skus
        offered = await self._list(
            f"{self._root}/providers/Microsoft.Compute/skus",
            partial(skus.list, filter=f"location eq '{region}'", api_version=SIZES_API),
        )
        return [sku for sku in offered if text_at(sku, "resourceType") == "virtualMachines"]

    async def usages(self, region: str) -> Sequence[JsonObject]:
        usage = self._clients.compute.usage
        return await self._list(
            f"{self._root}/providers/Microsoft.Compute/locations/{region}/usages",
            partial(usage.list, region, api_version=COMPUTE_API),
        )

    async def label_is_free(self, region: str, label: str) -> bool:
        network = self._clients.network
        answer = await self._ask(
            f"{self._root}/providers/Microsoft.Network/locations/{region}/checkDnsNameAvailability",
            partial(network.check_dns_name_availability, region, domain_name_label=label, api_version=NETWORK_API),
        )
        return at(json_of(answer.text()), "available") is True

    async def records(self, zone_id: str) -> Sequence[JsonObject]:
        zone = ResourceId.parse(zone_id)
        record_sets = self._clients.of(zone).dns.record_sets
        return await self._list(
            f"{zone_id}/recordsets",
            partial(record_sets.list_by_dns_zone, zone.resource_group, zone.name, api_version=DNS_API),
        )

    async def metric(self, id: str, name: str, begins: datetime, ends: datetime, interval: timedelta) -> JsonObject:
        asked = {
            "timespan": "/".join(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (begins, ends)),
            "interval": iso_duration(interval),
            "metricnames": name,
            "aggregation": "Total",
        }
        where = f"{id}/providers/Microsoft.Insights/metrics"
        return await self._document("GET", self._address(where, METRICS_API, **asked))

    async def locks(self) -> Sequence[JsonObject]:
        return await self._values(f"{self._root}/providers/Microsoft.Authorization/locks", LOCKS_API)

    async def network_usages(self, region: str) -> Sequence[JsonObject]:
        return await self._values(f"{self._root}/providers/Microsoft.Network/locations/{region}/usages", NETWORK_API)

    async def permissions(self, scope: str) -> Sequence[JsonObject]:
        return await self._values(f"{scope}/providers/Microsoft.Authorization/permissions", AUTHORIZATION_API)

    async def role_assignments(self) -> Sequence[JsonObject]:
        where = f"{self._root}/providers/Microsoft.Authorization/roleAssignments"
        async with self._calling(where):  # signing in may fail as a call may
            principal = await self._clients.principal()
        if not principal:
            message = "The identity's token does not say whose it is."
            raise AzureRefused(status=400, code="PrincipalUnknown", message=message, target=where)
        # Group memberships count, transitively ("List Azure role assignments using the REST API").
        return await self._values(where, AUTHORIZATION_API, **{"$filter": f"assignedTo('{principal}')"})

    async def policy_assignments(self) -> Sequence[JsonObject]:
        return await self._values(f"{self._root}/providers/Microsoft.Authorization/policyAssignments", POLICIES_API)

    async def policy_restrictions(self, scope: str, content: JsonObject) -> JsonObject:
        where = f"{scope}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
        version = CONTENT_APIS[text_at(content, "type").split("/", 1)[0].lower()]
        details: JsonObject = {"resourceDetails": {"resourceContent": content, "apiVersion": version}}
        return await self._document("POST", self._address(where, POLICY_CHECK_API), details)

    async def vault_name(self, name: str) -> JsonObject:
        where = f"{self._root}/providers/Microsoft.KeyVault/checkNameAvailability"
        asked: JsonObject = {"name": name, "type": "Microsoft.KeyVault/vaults"}
        return await self._document("POST", self._address(where, VAULTS_API), asked)

    async def storage_name(self, name: str) -> JsonObject:
        where = f"{self._root}/providers/Microsoft.Storage/checkNameAvailability"
        asked: JsonObject = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        return await self._document("POST", self._address(where, STORAGE_API), asked)

    async def deleted_vault(self, name: str) -> JsonObject | None:
        # One of them by name would have to be asked for region by region.
        deleted = await self._values(f"{self._root}/providers/Microsoft.KeyVault/deletedVaults", VAULTS_API)
        return next((body for body in deleted if text_at(body, "name").lower() == name.lower()), None)

    def _route(self, id: str) -> Route:
        return route_to(self._clients, ResourceId.parse(id))

    def _group_id(self, name: str) -> str:
        return f"{self._root}/resourceGroups/{name}"

    def _ensure(self, claim: Claim) -> None:
        claim.ensure_covers_a_call(self._clock.now(), self._call)

    def _started(self, answer: "AsyncHttpResponse") -> Started:
        """A write's answer. An operation at another host counts as none: what stands tells how it ended."""
        begun = started(answer.status_code, answer.headers, json_of(answer.text()), self._clock.now())
        if begun.operation and not self._cloud.manages(begun.operation):
            log.warning("an answer names an operation at «%s»: it is not looked at", clean(begun.operation))
            return replace(begun, operation="")
        return begun

    def _path_of(self, address: str) -> str:
        """The path of an address. Raises ValueError when its host is not the one that tokens are meant for."""
        if not self._cloud.manages(address):
            raise ValueError(
                f"«{clean(address)}» is not an address of {self._cloud.resource_manager}: nothing was sent"
            )
        return urlsplit(address).path

    async def _ask(self, where: str, call: Call) -> "AsyncHttpResponse":
        """The raw answer to one call of a client."""
        answers: list[AsyncHttpResponse] = []
        async with self._calling(where):
            await call(raw_response_hook=lambda answer: answers.append(answer.http_response))
        self._hear(answers[-1])
        return answers[-1]

    def _address(self, where: str, api_version: str, **query: str) -> str:
        """The full address of a call that no client of ours has."""
        return f"{self._cloud.resource_manager}{where}?{urlencode({'api-version': api_version, **query})}"

    async def _values(self, where: str, api_version: str, **query: str) -> list[JsonObject]:
        """The items of all pages of a list that no client of ours has."""
        page = await self._document("GET", self._address(where, api_version, **query))
        found = objects_at(page, "value")
        while address := text_at(page, "nextLink"):
            if not self._cloud.manages(address):
                message = f"The list goes on at «{clean(address)}», which is another host: nothing was sent."
                raise AzureRefused(status=400, code=FOREIGN_ADDRESS, message=message, target=where)
            page = await self._document("GET", address)
            found += objects_at(page, "value")
        return found

    async def _document(self, method: str, address: str, body: JsonObject | None = None) -> JsonObject:
        """What answers at a full address. Raises what a refusal means: a shortened list could pass for a whole one."""
        where = self._path_of(address)
        async with self._calling(where):
            answer = await self._send(address, method, body)
            text = answer.text()
            if answer.status_code >= 400:
                raise meaning(
                    status=answer.status_code,
                    headers=answer.headers,
                    body=json_of(text),
                    where=where,
                    now=self._clock.now(),
                )
            return document_of(text)

    @asynccontextmanager
    async def _calling(self, where: str) -> AsyncIterator[None]:
        """Around each call: its time-out, the domain's errors, and what throttling means for others."""
        parts = where.split("/")
        subscription_id = parts[2] if parts[1:2] == ["subscriptions"] else self._clients.subscription_id
        if self._backpressure:
            await self._backpressure.ensure_open(subscription_id)
        try:
            async with told_plainly(where, self._clock, self._call):
                yield
        except Throttled as throttled:
            if self._backpressure:
                await self._backpressure.note(subscription_id, throttled.after)
            raise

    async def _send(self, address: str, method: str = "GET", body: JsonObject | None = None) -> "AsyncHttpResponse":
        """The raw answer at a full address, whatever its status."""
        from azure.core.rest import HttpRequest

        answer = await self._clients.resources.send_request(HttpRequest(method, address, json=body))
        self._hear(answer)
        return answer

    def _hear(self, answer: "AsyncHttpResponse") -> None:
        """Set the clock by an answer (RFC 9110, 6.6.1: ``Date`` is when the message was made)."""
        said, known = moment_of(answer.headers.get("Date", "")), self.time()
        if said and not (known and timedelta() <= known - said < COARSENESS):
            self._heard = said, asyncio.get_running_loop().time()

    async def _read(self, where: str, call: Call) -> JsonObject | None:
        """A document, or None where there is none."""
        try:
            return document_of((await self._ask(where, call)).text())
        except AzureRefused as refusal:
            if _is_absence(refusal):
                return None
            raise

    async def _by_id(self, where: str, api_version: str) -> JsonObject:
        """What answers at a path that is no resource's."""
        get = self._clients.resources.resources.get_by_id
        answer = await self._ask(where, partial(get, where.lstrip("/"), api_version=api_version))
        return document_of(answer.text())

    async def _list(self, where: str, call: Callable[..., AsyncIterable[object]]) -> list[JsonObject]:
        """The raw items of all pages."""
        pages: list[AsyncHttpResponse] = []
        async with self._calling(where):
            async for _ in call(raw_response_hook=lambda answer: pages.append(answer.http_response)):
                pass
        self._hear(pages[-1])
        return [item for page in pages for item in objects_at(json_of(page.text()), "value")]

    async def _list_if_there(self, where: str, call: Callable[..., AsyncIterable[object]]) -> list[JsonObject]:
        """The same; no items where there is nothing to list."""
        try:
            return await self._list(where, call)
        except AzureRefused as refusal:
            if _is_absence(refusal):
                return []
            raise


def _is_absence(refusal: AzureRefused) -> bool:
    """Whether Azure itself says that nothing is there: a 404 without a code is some proxy's."""
    return refusal.status == 404 and refusal.code != "" and refusal.code.lower() not in NOT_ABSENCE


def _bytes(body: JsonObject) -> bytes:
    return json.dumps(body).encode()
