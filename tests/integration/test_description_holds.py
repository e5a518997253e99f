"""Whatever is sent, the app answers as its description says: schemathesis makes the calls from the document alone.

``CMG_HYPOTHESIS=campaign`` makes many more of them (docs/campaigns.md, "Calls made from the description").
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Part
from cmg_core.domain.problems import Problem
from cmg_core.domain.record import State, Status, Waiting
from cmg_core.domain.values import JsonObject, text_at
from cmg_core.services import Save
from tests.fakes import NOW
from tests.records import a_record
from tests.serving import KEY, description, serving
from tests.stories import before_cut_over
from tests.unit.triggers.callers import MemoryServices

CASES = 150 if os.environ.get("CMG_HYPOTHESIS") == "campaign" else 10
"""For each call, and each way of making cases."""
DOCUMENT = description()
OPERATIONS: Mapping[str, JsonObject] = {
    text_at(operation, "operationId"): operation | {"label": f"{method.upper()} {path}"}
    for path, item in DOCUMENT["paths"].items()  # type: ignore[union-attr]  # JSON
    for method, operation in item.items()
}
CAN_BE_WRONG = [call for call, each in OPERATIONS.items() if "requestBody" in each or len(each["parameters"]) > 1]  # type: ignore[arg-type]
"""Calls with more to them than a trace, which is never wrong."""
WITH_KEY = {"x-functions-key": KEY}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WAITS = Gate(GateName.CONNECTION_POINT_CONNECTED, Opener.APP_OR_PERSON, "Add one.", asked_at=NOW)


def stages(services: MemoryServices) -> Mapping[str, tuple[Status, str, State]]:
    """Deployments in each state that calls can meet, by ID."""
    ready = before_cut_over(services)  # type: ignore[arg-type]  # fakes of the same ports
    assert ready.plan is not None
    at_gate = Waiting("a gate", NOW, NOW + timedelta(hours=1), GateName.READY_TO_CUT_OVER)
    grace = Waiting("grace", NOW, NOW + timedelta(days=1), grace=True)
    parked = replace(ready, plan=ready.plan.model_copy(update={"parked": Part(id="/address"), "keep": ("/address",)}))
    stopped = Problem(code="quota-exhausted", title="No", detail="No cores.", cure="Ask.", step="provision-scale-set")
    found = (
        (Status.RUNNING, "preflight", replace(ready, plan=None, gates=())),
        (Status.WAITING, "cut-over", replace(ready.with_gate(WAITS), waiting=at_gate)),
        (
            Status.GRACE,
            "retire-old-gateway",
            replace(ready, waiting=grace, grace_started_at=NOW, grace_ends_at=NOW + timedelta(days=1)),
        ),
        (Status.NEEDS_ATTENTION, "provision-scale-set", replace(ready, problem=stopped)),
        (Status.SUCCEEDED, "retire-old-gateway", parked),
        (Status.CANCELLED, "preflight", replace(ready, plan=None)),
    )
    return {f"33333333-3333-4333-8333-{number:012}": each for number, each in enumerate(found)}


async def seed(services: MemoryServices) -> tuple[str, ...]:
    for id, (status, step, state) in stages(services).items():
        etag = await services.ledger.create(replace(a_record(id, state), gateway=id), [])
        await services.ledger.save(id, etag, Save(2, step, status, state, NOW, "a test", NOW), [])
    return tuple(stages(services))


def stage() -> tuple[Any, tuple[str, ...]]:
    """The schema of an app of its own, and the deployments that it holds."""
    services = MemoryServices()
    ids = asyncio.run(seed(services))
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.app = serving(services)
    return schema, ids


def operation_of(schema: Any, call: str) -> Any:
    return next(each.ok() for each in schema.get_all_operations() if each.ok().label == OPERATIONS[call]["label"])


def settled(cases: int) -> settings:
    return settings(
        max_examples=cases,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.mark.parametrize("call", OPERATIONS)
def test_each_answer_is_as_described(call: str) -> None:
    schema, ids = stage()
    operation = operation_of(schema, call)

    @settled(CASES)
    @given(case=operation.as_strategy(), known=st.sampled_from([*ids, None]))
    def holds(case: Any, known: str | None) -> None:
        if known and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = known
        case.call_and_validate(headers=WITH_KEY, checks=CHECKS)

    holds()


@pytest.mark.parametrize("call", CAN_BE_WRONG)
def test_what_the_description_does_not_allow_is_refused(call: str) -> None:
    schema, _ = stage()
    operation = operation_of(schema, call)

    @settled(CASES)
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def holds(case: Any) -> None:
        case.call_and_validate(headers=WITH_KEY, checks=[*CHECKS, negative_data_rejection])

    holds()


@pytest.mark.parametrize("call", [call for call, each in OPERATIONS.items() if "requestBody" in each])
def test_nearly_right_bodies_come_further_and_are_answered_as_described(call: str) -> None:
    """An example's body with some of its keys as schemathesis makes them."""
    schema, ids = stage()
    operation = operation_of(schema, call)
    content = operation.definition.raw["requestBody"]["content"]["application/json"]
    right = [each["value"] for each in content["examples"].values()] if "examples" in content else [{}]

    @settled(CASES)
    @given(
        case=operation.as_strategy(),
        body=st.sampled_from(right),
        known=st.sampled_from(ids),
        taken=st.sets(st.integers(0, 30), max_size=3),
    )
    def holds(case: Any, body: Mapping[str, object], known: str, taken: set[int]) -> None:
        made = case.body if isinstance(case.body, dict) else {}
        case.body = {**body, **{key: value for place, (key, value) in enumerate(made.items()) if place in taken}}
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = known
        case.call_and_validate(headers=WITH_KEY, checks=CHECKS)

    holds()
