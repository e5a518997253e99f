"""READ FIRST: what the product does, in order. One step, one queue (``cmg-<step>``), one function, one file.

The sequences and their reasons stand in docs/procedures.md; a request's plan lays out which of these steps it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from cmg_core.domain.record import Status
from cmg_core.domain.requests import ReplacementRequest, Request
from cmg_core.domain.transitions import RELEASE_NAME, ROLL_BACK
from cmg_core.steps.context import Step
from cmg_core.steps.cut_over import cut_over
from cmg_core.steps.fetch_certificate import fetch_certificate
from cmg_core.steps.preflight import preflight
from cmg_core.steps.provision_network import provision_network
from cmg_core.steps.provision_scale_set import provision_scale_set
from cmg_core.steps.register_providers import register_providers
from cmg_core.steps.release_name import release_name
from cmg_core.steps.retire_old_gateway import retire_old_gateway
from cmg_core.steps.roll_back import roll_back
from cmg_core.steps.verify_gateway import verify_gateway


def _always(_: Request) -> bool:
    return True


def _never(_: Request) -> bool:
    return False


def _replaces_a_gateway(request: Request) -> bool:
    return isinstance(request, ReplacementRequest)


def _has_one_made(request: Request) -> bool:
    return request.provisioned_by != "existing"


def _makes_it_itself(request: Request) -> bool:
    return request.provisioned_by == "automation"


@dataclass(frozen=True)
class PlannedStep:
    """A step with its name, the function that runs it, and the requests that take it."""

    name: str
    run: Step
    is_taken_by: Callable[[Request], bool] = _always
    reads_ledger: bool = False
    """Whether its state comes from the ledger only, never from the message: what it does cannot be undone."""
    ends_as: Status = Status.SUCCEEDED
    """What a deployment is when this was its last step."""


STEPS = (
    PlannedStep("preflight", preflight),
    PlannedStep("register-providers", register_providers, is_taken_by=_has_one_made),
    PlannedStep("fetch-certificate", fetch_certificate),
    PlannedStep("provision-network", provision_network, is_taken_by=_makes_it_itself),
    PlannedStep("provision-scale-set", provision_scale_set),
    PlannedStep("verify-gateway", verify_gateway),
    PlannedStep("cut-over", cut_over),
    PlannedStep("retire-old-gateway", retire_old_gateway, is_taken_by=_replaces_a_gateway, reads_ledger=True),
    # Only on request, instead of going on (domain/transitions.py says when).
    PlannedStep(ROLL_BACK, roll_back, is_taken_by=_never, reads_ledger=True, ends_as=Status.ROLLED_BACK),
    # Only on request, after the end.
    PlannedStep(RELEASE_NAME, release_name, is_taken_by=_never, reads_ledger=True),
)

FIRST_STEP = STEPS[0].name


def steps_of(request: Request, steps: tuple[PlannedStep, ...] = STEPS) -> tuple[str, ...]:
    """The names of the steps that a request takes, in order."""
    return tuple(step.name for step in steps if step.is_taken_by(request))


def step_after(name: str, request: Request, steps: tuple[PlannedStep, ...] = STEPS) -> str | None:
    """The step that follows, or None after the last one."""
    taken = steps_of(request, steps)
    return dict(pairwise(taken)).get(name)
