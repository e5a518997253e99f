"""Which case of docs/procedures.md a request is: it decides the order of the cut-over, the gates and the way back."""

from enum import StrEnum

from cmg_core.domain.names import NameKind, kind_of
from cmg_core.domain.requests import MigrationRequest, ReplacementRequest, Request, RetirementRequest


class Case(StrEnum):
    """The cases that are carried out."""

    NEW_NAME = "new-service-name"
    """Case 1: clients learn the new gateway's name from the site; both gateways serve side by side."""
    GAP_CLOSED = "same-name-gap-closed-beforehand"
    """Case 2: the record of the service name changes while both gateways relay."""
    GAP_ACCEPTED = "same-name-with-a-gap"
    """Case 2: the connection point follows after the record has changed."""
    SAME_NAME_ALONE = "same-name-old-gateway-gone"
    """Case 2, when nothing serves under the name any more: there is no gap that anybody could feel."""
    NEW_DEPLOYMENT = "new-deployment"
    """Case 4."""
    RETIREMENT = "retirement"
    """Case 5: another gateway serves already."""

    @property
    def moves_the_name(self) -> bool:
        """Whether clients are led over by the record of a name that they dial already."""
        return self in (Case.GAP_CLOSED, Case.GAP_ACCEPTED, Case.SAME_NAME_ALONE)


def case_of(request: Request, service_name: str) -> Case | None:
    """The case of a request whose new gateway has this service name; None for case 3, which nobody can carry out: two
    gateways cannot hold one name of Azure's own."""
    if not isinstance(request, ReplacementRequest):
        return Case.NEW_DEPLOYMENT
    if isinstance(request, RetirementRequest):
        return Case.RETIREMENT
    return _case_of_migration(request, service_name)


def _case_of_migration(request: MigrationRequest, service_name: str) -> Case | None:
    old = request.old_gateway
    if service_name.lower() != old.service_name.lower():
        return Case.NEW_NAME
    if old.gone:
        return Case.SAME_NAME_ALONE
    if kind_of(service_name, request.region) is NameKind.REGION:
        return None
    return Case.GAP_CLOSED if request.accept_gap is None else Case.GAP_ACCEPTED
