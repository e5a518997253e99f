"""What Azure's error answers mean: the table of the documented and recorded shapes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from cmg_core.azure.errors import clean, meaning, retry_after, said
from cmg_core.domain.errors import AzureRefused, ChangedMeanwhile, Throttled, TryAgain
from cmg_core.domain.values import Json

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def told(code: str, message: str = "text", **more: Json) -> Json:
    return {"error": {"code": code, "message": message, **more}}


BUSY_INSIDE: Json = [{"code": "AnotherOperationInProgress", "message": "busy"}]
THROTTLED: Json = [{"code": "TooManyRequests", "target": "PutVMScaleSet", "message": "{}"}]

TABLE = [
    # The status decides: the same code is a quota on 409 and throttling on 429.
    (409, told("OperationNotAllowed", "exceeding approved cores quota"), AzureRefused),
    (429, told("OperationNotAllowed", "too many requests", details=THROTTLED), Throttled),
    (408, None, TryAgain),
    (429, told("SubscriptionRequestsThrottled"), Throttled),
    (429, told("RetryableError"), TryAgain),
    (500, told("InternalServerError"), TryAgain),
    (502, None, TryAgain),
    (503, None, TryAgain),
    (504, told("GatewayTimeout"), TryAgain),
    (409, told("AnotherOperationInProgress"), TryAgain),
    (409, told("RetryableError"), TryAgain),
    (409, told("ReferencedResourceNotProvisioned"), TryAgain),
    (409, told("ResourceGroupBeingDeleted"), TryAgain),
    (409, told("Conflict", details=BUSY_INSIDE), TryAgain),
    (409, told("ScopeLocked"), AzureRefused),
    (409, told("MissingSubscriptionRegistration"), AzureRefused),
    (409, told("SkuNotAvailable"), AzureRefused),
    (409, told("PropertyChangeNotAllowed"), AzureRefused),
    (409, told("ReadOnlyDisabledSubscription"), AzureRefused),
    (409, None, AzureRefused),
    (400, told("DnsRecordInUse"), AzureRefused),
    (400, told("InUseSubnetCannotBeDeleted"), AzureRefused),
    (401, told("InvalidAuthenticationTokenTenant"), AzureRefused),
    (403, told("AuthorizationFailed"), AzureRefused),
    (403, told("RequestDisallowedByPolicy"), AzureRefused),
    (404, told("ResourceNotFound"), AzureRefused),
    (412, {"code": "PreconditionFailed", "message": "etag mismatch"}, ChangedMeanwhile),
]


@pytest.mark.parametrize(("status", "body", "kind"), TABLE)
def test_what_an_answer_means(status: int, body: Json, kind: type[Exception]) -> None:
    assert type(meaning(status=status, headers={}, body=body, where="/x", now=NOW)) is kind


SHAPES: list[tuple[Json, str, str]] = [
    (told("Code", "text"), "Code", "text"),
    ({"code": "Code", "message": "text"}, "Code", "text"),
    ({"Error": {"Code": "Code", "Target": None, "Message": "text", "Details": []}}, "Code", "text"),
    (
        {"error": {"code": "Forbidden", "message": "text", "innererror": {"code": "ByRbac"}}},
        "Forbidden",
        "ByRbac: text",
    ),
    (
        told("RetryableError", "A retryable error occurred.", details=[{"code": "Busy", "message": "in 14 seconds"}]),
        "RetryableError",
        "A retryable error occurred. in 14 seconds",
    ),
    (told("Code", "text", details=[{"code": "Code", "message": "text"}]), "Code", "text"),
    ({"error": "invalid_request"}, "invalid_request", ""),
    ({"error": "invalid_scope", "error_description": "AADSTS70011: no"}, "invalid_scope", "AADSTS70011: no"),
    ({}, "", ""),
    (None, "", ""),
    ([], "", ""),
    ("text", "", ""),
]


@pytest.mark.parametrize(("body", "code", "message"), SHAPES)
def test_every_shape_of_an_error_body_is_read(body: Json, code: str, message: str) -> None:
    assert (said(body).code, said(body).message) == (code, message)


def test_a_refusal_says_what_azure_said_and_where() -> None:
    refusal = meaning(status=403, headers={}, body=told("AuthorizationFailed", "no right"), where="/s/x", now=NOW)
    assert isinstance(refusal, AzureRefused)
    assert (refusal.status, refusal.code, refusal.message, refusal.target) == (
        403,
        "AuthorizationFailed",
        "no right",
        "/s/x",
    )


def test_signed_addresses_and_tokens_do_not_leave_with_a_message() -> None:
    addresses = "use uri: https://management.azure.com/op/1?t=1&s=SIGNED 'https://x/y?sig=SIGNED'"
    shown = clean(f"{addresses} Bearer abc.SIGNED eyJhb.SIGNED")
    assert "SIGNED" not in shown
    help_page = "For help see https://go.microsoft.com/fwlink/?linkid=2125182"
    assert clean(help_page) == help_page
    assert "https://management.azure.com/op/1?…" in shown


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("17", 17), (" 5 ", 5), ("0", 0), ("", 0), ("soon", 0), ("-4", 0), ("1.5", 0), ("9" * 400, 86_400)],
)
def test_retry_after_in_seconds(value: str, seconds: int) -> None:
    assert retry_after({"retry-after": value}, NOW) == timedelta(seconds=seconds)


@given(some.integers(-100_000, 100_000))
def test_retry_after_as_a_date(ahead: int) -> None:
    value = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert retry_after({"Retry-After": value}, NOW) == timedelta(seconds=min(max(ahead, 0), 86_400))


@given(some.text())
@example("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT")
@example("Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
def test_no_retry_after_stops_a_call(value: str) -> None:
    assert timedelta() <= retry_after({"Retry-After": value}, NOW) <= timedelta(days=1)


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["error", "Error", "code", "message", "details", "innererror"]), inner)
    ),
    max_leaves=10,
)


@given(some.integers(400, 599), json_values)
def test_every_answer_has_a_meaning(status: int, body: Json) -> None:
    assert isinstance(
        meaning(status=status, headers={}, body=body, where="/x", now=NOW), TryAgain | AzureRefused | ChangedMeanwhile
    )
