"""Who may call what. One table says which role each call needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cmg_core.domain.gates import GateName
from cmg_core.domain.principals import Principal

GUIDE = "docs/roles.md"


class Role(StrEnum):
    """What a caller may be."""

    READER = "reader"
    REQUESTER = "requester"
    APPROVER = "approver"
    OPERATOR = "operator"

    @property
    def app_role(self) -> str:
        """Its value as an app role in Microsoft Entra ID."""
        return f"Cmg.{self.capitalize()}"


APP_ROLES: Mapping[str, Role] = {role.app_role: role for role in Role}
KEYS_MAY = frozenset({Role.READER, Role.REQUESTER})
"""What a function key's holder may, where no setting says otherwise."""


@dataclass(frozen=True)
class Needs:
    """What a call needs: any one of these roles."""

    roles: frozenset[Role]
    own: frozenset[Role] = frozenset()
    """Roles that suffice for a deployment that the caller has asked for itself."""


_ANY = Needs(frozenset(Role))
_ASKS = Needs(frozenset({Role.REQUESTER, Role.OPERATOR}))
_OPERATES = Needs(frozenset({Role.OPERATOR}))

TABLE: Mapping[str, Needs] = {
    "make-plan": _ANY,
    "show-operation": _ANY,
    "list-deployments": _ANY,
    "show-deployment": _ANY,
    "show-events": _ANY,
    "start-migration": _ASKS,
    "start-deployment": _ASKS,
    "start-retirement": _ASKS,
    "extend-grace": _ASKS,
    "check-deployment": _ASKS,
    "list-subscriptions": _ANY,
    "subscribe": _ASKS,
    "unsubscribe": _ASKS,
    "unsubscribe-address": _ASKS,
    "redeliver": _ASKS,
    "cancel-deployment": Needs(frozenset({Role.OPERATOR}), own=frozenset({Role.REQUESTER})),
    f"open-gate {GateName.APPROVAL}": Needs(frozenset({Role.APPROVER})),
    "open-gate": _OPERATES,
    "roll-back-deployment": _OPERATES,
    "resume-deployment": _OPERATES,
    "release-parked-name": _OPERATES,
}
"""The calls by the names of their functions; «open-gate» with a gate's name goes before the one without."""


def needs(route: str, gate: str = "") -> Needs:
    """What a call needs. One that the table does not hold needs an operator."""
    return TABLE.get(f"{route} {gate}") or TABLE.get(route, _OPERATES)


@dataclass(frozen=True)
class Caller:
    """Who calls, with what it may, from where."""

    principal: Principal
    roles: frozenset[Role]
    customer: str
    """The customer's tenant that the caller belongs to; empty at home, where every deployment is seen."""

    def sees(self, tenant_id: object) -> bool:
        """Whether it may know of a deployment in that tenant."""
        return self.customer in ("", tenant_id)

    def may(self, wanted: Needs, asked_by: Principal | None = None) -> bool:
        """Whether one of its roles suffices; ``asked_by`` is who asked for the deployment, None where that does not
        matter yet: then what suffices for its own is enough to come to that question."""
        if self.roles & wanted.roles:
            return True
        return bool(self.roles & wanted.own) and (asked_by is None or is_same(self.principal, asked_by))


def is_same(one: Principal, other: Principal) -> bool:
    """Whether both are known, and one."""
    return bool(one.id) and one.id == other.id


@dataclass(frozen=True)
class CallerRules:
    """How callers are told apart (the settings)."""

    key_roles: frozenset[Role] = KEYS_MAY
    """What function keys' holders may; empty where keys count for nothing, and every call needs a signed-in caller."""
    separate_duties: bool = False
    """Whether the one who asked for a deployment is refused at its gate ``approval``."""
    home: str = ""
    tenants: frozenset[str] = frozenset()
    """Whose principals are taken: the home tenant and customers'."""
    app_service_signs_in: bool = False
    """Whether App Service's authentication is on: only then nobody else can set its headers."""


BY_KEYS = CallerRules()
"""Nobody signs in; function keys may what they may by default."""


@dataclass(frozen=True)
class Claims:
    """What a verified token, or App Service, says of a signed-in caller."""

    tenant: str
    object_id: str
    app_roles: tuple[str, ...] = ()
    name: str = ""


def caller_of(claims: Claims, rules: CallerRules) -> Caller:
    """The caller that claims are of. An object ID is unique in its tenant only, so a customer's principal is told with
    its tenant (Microsoft Learn, "Access token claims reference", `oid`); what is no app role of this product counts for
    nothing."""
    at_home = claims.tenant == rules.home
    id = f"principal:{claims.object_id}" if at_home else f"principal:{claims.tenant}:{claims.object_id}"
    roles = frozenset(APP_ROLES[value] for value in claims.app_roles if value in APP_ROLES)
    return Caller(Principal(id, claims.name), roles, "" if at_home else claims.tenant)


def in_words(roles: Iterable[Role], joint: str = " or ") -> str:
    """Roles as people read them, in the order of the table."""
    given = frozenset(roles)
    return joint.join(role for role in Role if role in given) or "none"
