"""What stopped something, as a caller reads it, and the errors between a step and the world."""

from datetime import timedelta

from cmg_core.domain.errors import AzureRefused, NotSignedIn, Throttled
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.problems import Problem
from tests.fakes import CLASSIC_ID


def test_a_problem_is_told_as_rfc_9457_has_it_without_what_is_empty() -> None:
    bare = Problem(code="plan-refused", title="Refused.", detail="It was seen.", cure="Cure it.")
    assert bare.as_problem_details("/api/migrations") == {
        "type": "/api/problems/plan-refused",
        "title": "Refused.",
        "status": 409,
        "detail": "It was seen.",
        "instance": "/api/migrations",
        "cure": "Cure it.",
        "retried": False,
    }


def test_a_problem_tells_all_that_is_known() -> None:
    held = blocks("names-held-by-old-gateway", "Held.", "Take another.", resource=CLASSIC_ID, pointer="/old_gateway")
    facts = {"status": 403, "step": "cut-over", "resource": CLASSIC_ID, "retried": True, "correlation_id": "c1"}
    problem = Problem(
        code="plan-refused",
        title="Refused.",
        detail="It was seen.",
        cure="Cure it.",
        findings=(held, tells("sizes-retire", "In 2028.", "Nothing now.")),
        **facts,  # type: ignore[arg-type]  # the facts that the body tells as they are
    )
    body = problem.as_problem_details("/api/deployments/1")
    assert {key: body[key] for key in facts} == facts
    assert body["findings"] == [
        {
            "code": "names-held-by-old-gateway",
            "severity": "blocks",
            "seen": "Held.",
            "cure": "Take another.",
            "resource": CLASSIC_ID,
            "pointer": "/old_gateway",
            "link": "/api/findings/names-held-by-old-gateway",
            "applies_to": ["site"],
        },
        {
            "code": "sizes-retire",
            "severity": "tells",
            "seen": "In 2028.",
            "cure": "Nothing now.",
            "link": "/api/findings/sizes-retire",
        },
    ]


def test_an_error_says_what_was_answered_and_for_how_long_to_wait() -> None:
    refused = AzureRefused(status=403, code="AuthorizationFailed", message="No.", target=CLASSIC_ID)
    assert all(told in str(refused) for told in ("403", "AuthorizationFailed", "No.", CLASSIC_ID))
    throttled = Throttled("too many calls", timedelta(seconds=7))
    assert (str(throttled), throttled.after, throttled.asked) == ("too many calls", timedelta(seconds=7), True)
    assert throttled.reason == "too many calls"
    unknown = NotSignedIn("the token has expired")
    assert str(unknown) == unknown.reason == "the token has expired"
