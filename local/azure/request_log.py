"""What the log keeps of requests and answers: everything but secrets, of which it keeps length and fingerprint."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local.azure.messages import Request, Response

MASK = "***"
SECRET_HEADERS = frozenset({"authorization", "x-identity-header"})
SECRET_MEMBERS = frozenset(
    {"adminpassword", "protectedsettings", "access_token", "client_secret", "customdata", "secret"}
)

_FORM_SECRET = re.compile(rb"(client_secret|client_assertion|refresh_token)=[^&]*")


def masked_request(request: Request) -> Request:
    """A copy without bearer tokens, identity headers, passwords and protected settings.

    Of a bearer token its tenant and its object ID stay: whose token was sent where is worth knowing, and opens nothing.
    """
    headers: Mapping[str, str] = {
        k: f"{MASK}{_owner(v)}" if k.lower() in SECRET_HEADERS else v for k, v in request.headers.items()
    }
    return replace(request, headers=headers, body=_masked_body(request.body))


def _owner(header: str) -> str:
    payload = header.split(".")[1] if header.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return ""
    return f" tid={claims.get('tid')};oid={claims.get('oid')}" if isinstance(claims, dict) else ""


def masked_response(response: Response) -> Response:
    """A copy without tokens."""
    return replace(response, body=_masked_body(response.body))


def _masked_body(body: bytes) -> bytes:
    lower = body.lower()
    if not any(member.encode() in lower for member in SECRET_MEMBERS) and b"client_" not in lower:
        return body
    try:
        document = json.loads(body)
    except ValueError:
        return _FORM_SECRET.sub(rb"\1=" + MASK.encode(), body)
    return json.dumps(_masked(document)).encode()


def fingerprint(secret: str) -> str:
    """What stands in the log for a secret text, so that a search for it elsewhere can be made without it."""
    return f"{MASK}{len(secret)}:{hashlib.sha256(secret.encode()).hexdigest()}"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _mask(v) if k.lower() in SECRET_MEMBERS and v else _masked(v) for k, v in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _mask(value: Any) -> str:
    return fingerprint(value) if isinstance(value, str) else MASK
