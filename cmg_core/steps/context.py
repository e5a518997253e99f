"""What a step run is given: the state, the world behind its ports, and the way to the right to write."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cmg_core.domain.outcomes import Outcome
from cmg_core.domain.record import Claim, State
from cmg_core.services import ResourceManager, Services, azure_of


@dataclass(frozen=True)
class StepContext:
    """One run of one step."""

    deployment_id: str
    state: State
    services: Services
    claim: Callable[[], Awaitable[Claim]]
    """Take the claim before the first write (engine-protocol, rule 1). Raises Superseded or ClaimRunsOut."""

    @property
    def azure(self) -> ResourceManager:
        """The resource manager of the request's subscription."""
        request = self.state.request
        return self.services.azure(request.tenant, request.subscription_id)

    def azure_of(self, id: str) -> ResourceManager:
        """The resource manager of a resource's own subscription, in the request's tenant."""
        return azure_of(self.services, self.state.request.tenant, id)


type Step = Callable[[StepContext], Awaitable[Outcome]]
