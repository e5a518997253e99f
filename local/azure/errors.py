"""Azure's error answers in the envelopes that each part of Azure uses.

Source: recorded answers and issue texts of Resource Manager and the resource providers; "own knowledge" is said where
neither exists.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

from local.azure.messages import Response

type Style = Literal["arm", "network", "compute", "dns"]


class AzureError(Exception):
    """A refusal. `style` chooses the envelope: Resource Manager itself (`arm`) marks its own with x-ms-failure-cause,
    the network provider always adds `details`, the DNS provider leaves the wrapper out."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        style: Style = "arm",
        target: str | None = None,
        details: Sequence[dict[str, Any]] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.style = style
        self.target = target
        self.details = details
        self.headers = headers
        self.extra = extra or {}

    def to_response(self) -> Response:
        """The HTTP answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None or self.style == "network":
            error["details"] = list(self.details or ())
        error |= self.extra
        headers = self.headers
        if self.style == "arm":
            headers += (("x-ms-failure-cause", "gateway"),)
        document = error if self.style == "dns" else {"error": error}
        return json_response(self.status, document, *headers)


def json_response(status: int, body: Any, *headers: tuple[str, str]) -> Response:
    """An answer with a JSON body."""
    return Response(
        status,
        (("Content-Type", "application/json; charset=utf-8"), *headers),
        json.dumps(body, separators=(",", ":")).encode(),
    )


def network_error(code: str, message: str, status: int = 400, **more: Any) -> AzureError:
    """A refusal of Microsoft.Network (not its DNS part)."""
    return AzureError(status, code, message, style="network", **more)


def compute_error(status: int, code: str, message: str, target: str | None = None, **more: Any) -> AzureError:
    """A refusal of Microsoft.Compute."""
    return AzureError(status, code, message, style="compute", target=target, **more)


def dns_error(status: int, code: str, message: str) -> AzureError:
    """A refusal of the DNS part of Microsoft.Network."""
    return AzureError(status, code, message, style="dns")


def group_not_found(name: str) -> AzureError:
    """Resource Manager's answer for a missing resource group."""
    return AzureError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def resource_not_found(resource_type: str, names: Sequence[str], group: str | None) -> AzureError:
    """Resource Manager's answer for a missing resource; `resource_type` is `Microsoft.Network/loadBalancers`."""
    namespace, *types = resource_type.split("/")
    place = "/".join([namespace, *(part for pair in zip(types, names, strict=True) for part in pair)])
    where = f" under resource group '{group}'" if group else ""
    return AzureError(
        404,
        "ResourceNotFound",
        f"The Resource '{place}'{where} was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
    )
