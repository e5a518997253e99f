"""The ordered list of steps, as the procedures name them."""

from cmg_core.plan import step_after, steps_of
from tests.fakes import deployment, migration

UNTIL_CUT_OVER = (
    "preflight",
    "register-providers",
    "fetch-certificate",
    "provision-network",
    "provision-scale-set",
    "verify-gateway",
    "cut-over",
)


def test_a_migration_ends_with_the_old_gateway_and_a_deployment_removes_nothing() -> None:
    assert steps_of(migration()) == (*UNTIL_CUT_OVER, "retire-old-gateway")
    assert steps_of(deployment()) == UNTIL_CUT_OVER
    assert step_after("cut-over", migration()) == "retire-old-gateway"
    assert step_after("cut-over", deployment()) is None
