"""Which case of the procedures a sample is, by its request and its names alone, and which gates that case has."""

from enum import StrEnum

from cmg_core.domain.values import JsonObject, at
from local.azure.dns import normal
from local.sample import Sample

AZURES_DOMAINS = (".cloudapp.azure.com", ".cloudapp.net", ".cloudapp.usgovcloudapi.net")
"""Names below these are Azure's own; every other one is led to its gateway by a CNAME."""


class Case(StrEnum):
    """The cases of the procedures that can be carried out."""

    NEW_NAME = "case 1: another service name"
    GAP_CLOSED = "case 2: the gap closed beforehand"
    GAP_ACCEPTED = "case 2: a gap accepted"
    OLD_GONE = "case 2: the old gateway gone"
    NEW = "case 4: a new deployment"
    RETIREMENT = "case 5: retire only"

    @property
    def moves_the_name(self) -> bool:
        """Whether clients are led over by the record of a name that they dial already."""
        return self in (Case.GAP_CLOSED, Case.GAP_ACCEPTED, Case.OLD_GONE)

    @property
    def has_second_point(self) -> bool:
        """Whether a second connection point serves the new gateway, so that the original one goes in the end."""
        return self in (Case.NEW_NAME, Case.GAP_CLOSED, Case.RETIREMENT)


def case_of(request: JsonObject, service_name: str) -> Case:
    """The case of a request whose new gateway has this service name."""
    old = request.get("old_gateway")
    if not isinstance(old, dict):
        return Case.NEW
    if request.get("kind") == "retirement":
        return Case.RETIREMENT
    if normal(str(old["service_name"])) != service_name:
        return Case.NEW_NAME
    if old.get("gone"):
        return Case.OLD_GONE
    return Case.GAP_CLOSED if request.get("accept_gap") is None else Case.GAP_ACCEPTED


def new_service_name(sample: Sample) -> str:
    """What clients will dial: what the request says, else the certificate's name (the first label, where that is a
    wildcard)."""
    named = sample.request.get("service_name")
    if named is not None:
        return normal(str(named).encode("idna").decode())
    name = str(at(sample.world, "certificates", str(at(sample.request, "certificate", "name")), "subject"))
    own = normal(name.removeprefix("CN="))
    return own.replace("*", str(sample.request.get("first_label")).lower(), 1)


def gates_of(request: JsonObject, case: Case, service_name: str) -> frozenset[str]:
    """The names of the gates that a plan holds, by request and case."""
    chosen, old = request.get("gates"), request.get("old_gateway")
    gates = chosen if isinstance(chosen, dict) else {}
    own_domain = not service_name.endswith(AZURES_DOMAINS)
    replaces = isinstance(old, dict)
    wanted = {
        "approval": bool(gates.get("approval", False)),
        "gateway-created": request.get("provisioned_by") == "site",
        "connection-point-connected": replaces or bool(gates.get("connection-point-connected", True)),
        "content-ready": isinstance(old, dict) and bool(old.get("serves_content")),
        "ready-to-cut-over": replaces and bool(gates.get("ready-to-cut-over", True)),
        "cname": own_domain and case is not Case.RETIREMENT,
        "inside-dns": own_domain and case.moves_the_name,
        "clients-moved": replaces and bool(gates.get("clients-moved")),
        "site-record-removed": replaces,
        "connection-point-removed": case.has_second_point,
    }
    return frozenset(name for name, is_so in wanted.items() if is_so)
