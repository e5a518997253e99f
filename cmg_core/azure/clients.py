"""The management clients of one subscription, each made when it is first needed: importing them takes a second."""

import base64
import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cmg_core import __version__
from cmg_core.azure.cloud import Cloud
from cmg_core.correlation import correlation_guid
from cmg_core.domain.errors import AzureRefused
from cmg_core.domain.values import ResourceId
from cmg_core.outbound.sessions import Transport

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineRequest
    from azure.core.pipeline.policies import SansIOHTTPPolicy
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.dns.aio import DnsManagementClient
    from azure.mgmt.network.aio import NetworkManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

USER_AGENT = f"cmg-migrator/{__version__}"

FOREIGN_ADDRESS = "ForeignAddress"
"""The product's own code of a refusal: what Azure answered leads to another host."""

RESOURCES_API = "2022-09-01"
"""The pinned version of Resource Manager's own types; the others stand beside their calls."""


# The libraries' own type of a request on its way.
def _correlate(request: Any) -> None:
    """Let Azure's logs name what the request belongs to (Resource Manager: `x-ms-correlation-request-id`, a GUID; one
    that Resource Manager makes itself where none is sent)."""
    if guid := correlation_guid():
        request.http_request.headers["x-ms-correlation-request-id"] = guid


def only_of(cloud: Cloud) -> "SansIOHTTPPolicy[Any, Any]":
    """A policy that lets no request leave for another host: Azure's clients follow ``nextLink`` wherever it leads, and
    the token goes with it. Raises AzureRefused."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class OnlyOfThisCloud(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: "PipelineRequest[Any]") -> None:
            if not cloud.manages(request.http_request.url):
                host = urlsplit(request.http_request.url).netloc
                message = f"Azure's answer leads to «{host}», which is not {cloud.resource_manager}: nothing was sent."
                raise AzureRefused(status=400, code=FOREIGN_ADDRESS, message=message, target="")

    return OnlyOfThisCloud()


class Clients:
    """Microsoft's management clients with the product's own pipeline.

    The pipeline has no retries (waiting is the engine's business, as data), no redirects and no other host (a token
    goes where it was meant to go), no logging of requests, and nothing that registers resource providers behind the
    plan's back.
    """

    def __init__(
        self,
        cloud: Cloud,
        subscription_id: str,
        credential: "Callable[[], AsyncTokenCredential]",
        transport: Callable[[], Transport],
    ) -> None:
        self._cloud, self.subscription_id = cloud, subscription_id
        self._credential, self._transport = credential, transport
        self._neighbours: dict[str, Clients] = {}

    def of(self, resource: ResourceId) -> "Clients":
        """The clients of a resource's own subscription: a DNS zone often lies in another one of the same tenant."""
        subscription = resource.subscription_id.lower()
        if subscription == self.subscription_id.lower():
            return self
        if subscription not in self._neighbours:
            self._neighbours[subscription] = Clients(self._cloud, subscription, self._credential, self._transport)
        return self._neighbours[subscription]

    @cached_property
    def resources(self) -> "ResourceManagementClient":
        """Resource groups, providers, and any resource by its ID."""
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return ResourceManagementClient(api_version=RESOURCES_API, **self._options())

    @cached_property
    def network(self) -> "NetworkManagementClient":
        """Networks, addresses, load balancers."""
        from azure.mgmt.network.aio import NetworkManagementClient

        return NetworkManagementClient(**self._options())

    @cached_property
    def compute(self) -> "ComputeManagementClient":
        """Scale sets, sizes, quotas."""
        from azure.mgmt.compute.aio import ComputeManagementClient

        return ComputeManagementClient(**self._options())

    @cached_property
    def dns(self) -> "DnsManagementClient":
        """Public zones and their record sets."""
        from azure.mgmt.dns.aio import DnsManagementClient

        return DnsManagementClient(**self._options())

    async def principal(self) -> str:
        """The object ID of the app's identity in the subscription's tenant, empty where its token does not say.

        It is the claim ``oid`` of the identity's own access token ("Access token claims reference"); nothing else tells
        an app who it is without a right in the directory. Nothing is decided by it: it only narrows a list.
        """
        token = (await self._credential().get_token(self._cloud.scope)).token
        try:
            payload = token.split(".")[1]
            claims: object = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return ""
        found = claims.get("oid") if isinstance(claims, dict) else None
        return found if isinstance(found, str) else ""

    # The clients take their options as untyped keywords.
    def _options(self) -> dict[str, Any]:
        from azure.core.pipeline import policies
        from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

        credential = self._credential()
        return {
            "credential": credential,
            "subscription_id": self.subscription_id,
            "base_url": self._cloud.resource_manager,
            "credential_scopes": [self._cloud.scope],
            "transport": self._transport(),
            "policies": [
                policies.RequestIdPolicy(),
                policies.HeadersPolicy(),
                policies.UserAgentPolicy(USER_AGENT, user_agent_use_env=False),
                policies.ContentDecodePolicy(),
                only_of(self._cloud),
                AsyncARMChallengeAuthenticationPolicy(credential, self._cloud.scope),
                policies.CustomHookPolicy(raw_request_hook=_correlate),
            ],
        }
