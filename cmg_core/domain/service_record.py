"""The service name in public DNS before anything is touched: its record in the zone, and what the internet sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmg_core.domain.findings import blocks, unknown, warns
from cmg_core.domain.names import is_below
from cmg_core.domain.plans import Names, OldGateway, ServiceRecord
from cmg_core.domain.problems import Finding
from cmg_core.domain.record_sets import RecordSet
from cmg_core.domain.values import JsonObject, ResourceId, text_at

type Chains = Mapping[str, tuple[str, ...]]
"""DNS server to the CNAME chain that it says, in lower case; servers that did not answer are left out."""


@dataclass(frozen=True)
class FoundRecord:
    """The record of the service name where there is one, and what was found."""

    record: ServiceRecord | None = None
    findings: tuple[Finding, ...] = ()


def find_record(
    zone_id: str,
    records: Sequence[JsonObject],
    names: Names,
    chains: Chains,
    old_name: str | None,
    *,
    may_be_missing: bool,
) -> FoundRecord:
    """Judge the zone's record of the service name.

    ``old_name`` is the deployment name of the old gateway to which the record leads, empty where it is not known any
    more, None where nobody dials the service name yet. ``records`` are all sets of the zone, none where there is no
    such zone: a zone always holds its SOA and NS sets. ``may_be_missing`` lets the record be made.
    """
    zone, name = ResourceId.parse(zone_id).name, names.service_name
    if not records:
        return _refused(
            "zone-missing",
            "There is no such DNS zone, or the app may not see it.",
            "Give the zone's full ID, or leave `dns` out where another team changes the record.",
            zone_id,
        )
    if not is_below(name, zone):
        return _refused(
            "service-name-outside-zone",
            f"«{name}» does not lie below the zone «{zone}».",
            "Give the zone that holds the service name's record, or leave `dns` out where the app does not change it.",
            zone_id,
        )
    label = name[: -len(zone) - 1].lower()
    if delegated := _delegation(records, label):
        return _refused(
            "service-name-delegated",
            f"The zone hands «{delegated}.{zone}» over to other servers: a record for «{name}» here would not be seen.",
            f"Give the zone «{delegated}.{zone}», or leave `dns` out.",
            zone_id,
        )
    sets = [body for body in records if text_at(body, "name").lower() == label]
    alias = next((body for body in sets if _kind(body) == "CNAME"), None)
    if alias is None:
        return _without_alias(zone_id, name, sets, may_be_missing=may_be_missing or old_name is None)
    record = RecordSet.of(alias)
    found = ServiceRecord(id=record.id, target=record.target, ttl=record.ttl, etag=record.etag)
    if not record.target:
        return _refused(
            "record-is-azure-alias",
            f"The record of «{name}» is bound to an Azure resource instead of a name.",
            "Replace it by a CNAME to the gateway's deployment name first.",
            record.id,
        )
    return FoundRecord(found, (*_judge_target(record, names, chains, old_name), *_judge_public(record, name, chains)))


def _refused(code: str, seen: str, cure: str, resource: str) -> FoundRecord:
    return FoundRecord(findings=(blocks(code, seen, cure, resource=resource, pointer="/dns/zone_id"),))


def _kind(body: JsonObject) -> str:
    return text_at(body, "type").rpartition("/")[2].upper()


def _delegation(records: Sequence[JsonObject], label: str) -> str:
    """The name, relative to the zone, that is handed over on the way to the service name."""
    handed_over = [text_at(body, "name").lower() for body in records if _kind(body) == "NS"]
    return next((name for name in handed_over if label == name or is_below(label, name)), "")


def _without_alias(zone_id: str, name: str, sets: Sequence[JsonObject], *, may_be_missing: bool) -> FoundRecord:
    if sets:
        kinds = ", ".join(sorted(_kind(body) for body in sets))
        return _refused(
            "record-not-cname",
            f"«{name}» has {kinds} records; a CNAME cannot stand beside them.",
            "Replace them by a CNAME to the gateway's deployment name first.",
            text_at(sets[0], "id"),
        )
    if may_be_missing:
        return FoundRecord()
    return _refused(
        "record-missing",
        f"The zone holds no record for «{name}», which clients are said to dial.",
        "Give the zone that clients' servers really ask, or set the CNAME to the old gateway's deployment name first.",
        zone_id,
    )


def _judge_target(record: RecordSet, names: Names, chains: Chains, old_name: str | None) -> tuple[Finding, ...]:
    name, target = names.service_name, record.target
    if old_name is None:
        if record.points_at(names.deployment_name):
            return ()
        return (
            blocks(
                "service-name-in-use",
                f"«{name}» already leads to «{target}».",
                "Where a gateway serves there, ask for a migration (POST /api/migrations). Otherwise remove "
                "the record.",
                resource=record.id,
            ),
        )
    if record.points_at(old_name) or record.points_at(names.deployment_name):
        return ()
    if not old_name:
        return (
            warns(
                "record-of-gone-gateway",
                f"«{name}» leads to «{target}», which is taken for the name of the gateway that is gone. Somebody else "
                "can claim that name.",
                "Check that no gateway serves there: the record will lead to the new one.",
                resource=record.id,
            ),
        )
    if any(old_name.lower() in chain for chain in chains.values()):
        return (
            warns(
                "record-indirect",
                f"«{name}» leads to the old gateway by way of «{target}».",
                "The app will point the record straight at the new gateway. See that nothing else needs what "
                "stands between.",
                resource=record.id,
            ),
        )
    return (
        blocks(
            "record-points-elsewhere",
            f"«{name}» leads to «{target}», not to the old gateway's «{old_name}».",
            "Check `old_gateway.resource_id`: clients may be served by another gateway than this one.",
            resource=record.id,
            pointer="/old_gateway/resource_id",
        ),
    )


def _judge_public(record: RecordSet, name: str, chains: Chains) -> tuple[Finding, ...]:
    differing = [
        f"{server} says {' → '.join(chain) or 'no alias'}"
        for server, chain in chains.items()
        if not chain or not record.points_at(chain[0])
    ]
    if not differing:
        return ()
    return (
        warns(
            "public-dns-differs",
            f"The zone points «{name}» at «{record.target}», but {'; '.join(differing)}.",
            "See that the zone is the one that the domain is delegated to, and wait for older answers to run out.",
            resource=record.id,
        ),
    )


def judge_further_records(records: Sequence[JsonObject], names: Names, old: OldGateway) -> tuple[Finding, ...]:
    """Records of the zone, besides those of the two service names, that lead to a name which becomes free: the guard
    lets nothing go while there are any. Nothing where no name becomes free."""
    if not old.parts or old.parked is not None or not old.deployment_name:
        return ()
    known = {names.service_name.lower(), old.service_name.lower()}
    leading = (each for each in map(RecordSet.of, records) if each.points_at(old.deployment_name))
    further = [each for each in leading if _full_name(each.id).lower() not in known]
    if not further:
        return ()
    return (
        warns(
            "further-records-lead-to-old-gateway",
            f"{', '.join(_full_name(each.id) for each in further)} in the zone lead to the old gateway's "
            f"«{old.deployment_name}», too.",
            "Point them elsewhere or remove them before the grace period is over: nothing of the old gateway is "
            "removed while a record leads to its name, which anybody could claim then.",
            resource=further[0].id,
        ),
    )


def _full_name(record_id: str) -> str:
    parts = record_id.split("/")
    return f"{parts[-1]}.{parts[-3]}"


def judge_serving_name(names: Names, chains: Chains) -> tuple[Finding, ...]:
    """Whether the service name of a gateway that is said to serve leads to it."""
    target = names.deployment_name.lower()
    if all(target in chain for chain in chains.values()):
        return ()
    return (
        blocks(
            "new-gateway-not-led-to",
            f"«{names.service_name}» does not lead to the new gateway's «{names.deployment_name}»: {_said(chains)}.",
            "Point its CNAME there and wait until older answers have run out; or give the gateway that it leads to as "
            "`new_gateway`.",
            pointer="/new_gateway/resource_id",
        ),
    )


def _said(chains: Chains) -> str:
    return "; ".join(f"{server} says {' → '.join(chain) or 'no alias'}" for server, chain in chains.items())


def silence(name: str) -> Finding:
    """That no server answered at all."""
    return unknown(
        "public-dns-silent",
        f"None of the DNS servers that the app asks answered for «{name}».",
        "See that the app reaches the public resolvers in CMG_DNS_SERVERS and the zone's own servers.",
    )
