"""The two names of a gateway: the service name that clients dial, and the deployment name of its address."""

import re
from collections.abc import Sequence
from enum import Enum, auto

from cmg_core.domain.clouds import DOMAINS, cloud_of, domains_of
from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.international import judge_international
from cmg_core.domain.problems import Finding

DNS_LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
"""What Azure takes as the DNS label of a public address (terraform-provider-azurerm issue 2122)."""
GATEWAY_LABEL = re.compile(r"[a-z][a-z0-9]{2,23}")
"""The safe intersection of Microsoft's two rules for a gateway's first label (`broken_label_rules`)."""
LONGEST_LABEL = 24
LABEL_TRIES = 9
"""The first label and eight with a digit behind it."""
HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
"""A host name in lower case (RFC 1123, section 2.1; the longest name and label: RFC 1035, section 2.3.4)."""

LABEL_RULES = (
    (
        "«Supported configurations» (3 to 24 letters, digits and single hyphens, a letter first, no hyphen last)",
        re.compile(r"(?!.*--)[a-z][a-z0-9-]{1,22}[a-z0-9]"),
    ),
    (
        "«CMG server authentication certificate» (3 to 24 lower-case letters and digits, no hyphen)",
        re.compile(r"[a-z0-9]{3,24}"),
    ),
)
"""Both pages with their rule for the first label of a gateway; they contradict each other."""


class NameKind(Enum):
    """What a service name's domain means for a gateway on a scale set."""

    OWN_DOMAIN = auto()
    REGION = auto()
    """The region's own suffix: the deployment name is the service name."""
    OTHER_REGION = auto()
    CLASSIC = auto()
    OTHER_CLOUD = auto()
    UNFIT = auto()
    """Neither an own domain below which a CNAME can stand, nor the region's suffix."""


def is_below(name: str, domain: str) -> bool:
    """Whether a host name lies below a domain, without regard to case."""
    return name.lower().endswith(f".{domain.lower()}")


def first_label_of(name: str) -> str:
    """The first label of a host name, in lower case."""
    return name.split(".", 1)[0].lower()


def kind_of(service_name: str, region: str) -> NameKind:
    """Which kind a service name is, for a gateway in ``region``.

    A name of two labels is a domain itself: no CNAME may stand there (RFC 1034, section 3.6.2).
    """
    name, cloud = service_name.lower(), cloud_of(region)
    labels, here = name.split("."), DOMAINS[cloud]
    if is_below(name, here.addresses):
        shape = len(labels) == len(here.addresses.split(".")) + 2
        if not shape:
            return NameKind.UNFIT
        return NameKind.REGION if labels[1] == region.lower() else NameKind.OTHER_REGION
    for other, domains in DOMAINS.items():
        for suffix in (domains.addresses, domains.classic):
            if other is not cloud and (is_below(name, suffix) or name == suffix):
                return NameKind.OTHER_CLOUD
    if is_below(name, here.classic):
        return NameKind.CLASSIC
    fits = len(labels) >= 3 and HOST_NAME.fullmatch(name) and name not in (here.addresses, here.classic)
    return NameKind.OWN_DOMAIN if fits else NameKind.UNFIT


def judge_service_name(service_name: str, region: str, *, made_by_site: bool) -> tuple[Finding, ...]:
    """Whether a gateway in ``region`` can be dialed by this name, and what to know about it.

    ``made_by_site``: the site derives all names from the first label, so it must keep the documented rules.
    """
    here = domains_of(region)
    suffix = f"{region}.{here.addresses}"
    match kind_of(service_name, region):
        case NameKind.CLASSIC:
            return (
                blocks(
                    "service-name-classic-domain",
                    f"The certificate names «{service_name}». Names under {here.classic} belong to classic cloud "
                    "services and cannot move to a scale set.",
                    "Get a server authentication certificate for a name in a domain of your own (a public CA can issue "
                    f"it). A private CA can also issue one for a name under {suffix}.",
                    pointer="/certificate/name",
                ),
            )
        case NameKind.OTHER_REGION:
            return (
                blocks(
                    "service-name-other-region",
                    f"The certificate names «{service_name}», which is a name of another region than {region}.",
                    f"Deploy in the region that the name holds, or use a certificate for a name under {suffix}.",
                    pointer="/region",
                ),
            )
        case NameKind.OTHER_CLOUD:
            return (
                blocks(
                    "service-name-other-cloud",
                    f"The certificate names «{service_name}», a name of another cloud than {cloud_of(region).spoken}, "
                    f"where {region} lies.",
                    f"Use a certificate for a name in a domain of your own, or for a name under {suffix}.",
                    pointer="/certificate/name",
                ),
            )
        case NameKind.UNFIT:
            return (
                blocks(
                    "service-name-fits-nothing",
                    f"«{service_name}» is neither a name below a domain of your own nor one of the form "
                    f"«label.{suffix}».",
                    "Use a certificate whose name can be a CNAME in a domain of your own, such as "
                    f"«cmg.contoso.com», or one of the form «label.{suffix}».",
                    pointer="/certificate/name",
                ),
            )
        case NameKind.REGION:
            return (*judge_international(service_name), *_judge_bound_label(service_name, made_by_site=made_by_site))
        case NameKind.OWN_DOMAIN:
            return (*judge_international(service_name), *_judge_free_label(service_name, made_by_site=made_by_site))


def broken_label_rules(label: str) -> Sequence[str]:
    """Which of the two documented rules a gateway's first label (in lower case) breaks."""
    return [rule for rule, form in LABEL_RULES if not form.fullmatch(label)]


def _judge_bound_label(service_name: str, *, made_by_site: bool) -> tuple[Finding, ...]:
    label = first_label_of(service_name)
    if DNS_LABEL.fullmatch(label) and len(label) <= LONGEST_LABEL:
        return _judge_free_label(service_name, made_by_site=made_by_site)
    return (
        blocks(
            "service-name-bad-label",
            f"«{label}» cannot be the DNS label of a gateway's public address.",
            f"Use a certificate whose first label has 3 to {LONGEST_LABEL} lower-case letters and digits and begins "
            "with a letter.",
            pointer="/certificate/name",
        ),
    )


def _judge_free_label(service_name: str, *, made_by_site: bool) -> tuple[Finding, ...]:
    label = first_label_of(service_name)
    if GATEWAY_LABEL.fullmatch(label):
        return ()
    seen = (
        f"«{label}», the first label of «{service_name}», breaks a rule that Microsoft documents for the names of "
        f"gateways: {' and '.join(broken_label_rules(label))}."
    )
    if made_by_site:
        cure = (
            "Use a certificate whose first label has 3 to 24 lower-case letters and digits, a letter first: the site "
            "names the address, the vault and the storage account after it."
        )
        return (blocks("first-label-unusual", seen, cure, pointer="/certificate/name"),)
    cure = "Nothing for this deployment. A gateway that the site makes later needs another name."
    return (tells("first-label-unusual", seen, cure),)


def label_candidates(service_name: str, region: str) -> tuple[str, ...]:
    """The labels to try for the deployment name, best first.

    The region's own name binds the label. With an own domain the CNAME binds the names, so any free label does: the
    service name's first label, made fit for a gateway, then the same with a digit.
    """
    label = first_label_of(service_name)
    if kind_of(service_name, region) is NameKind.REGION:
        return (label,)
    base = re.sub(r"[^a-z0-9]", "", label)[:LONGEST_LABEL]
    if not GATEWAY_LABEL.fullmatch(base):
        base = f"cmg{base}"[:LONGEST_LABEL]
    numbered = (f"{base[: LONGEST_LABEL - 1]}{number}" for number in range(2, LABEL_TRIES + 1))
    return tuple(dict.fromkeys((base, *numbered)))


def deployment_name(label: str, region: str) -> str:
    """Azure's name of a public address with that label."""
    return f"{label}.{region}.{domains_of(region).addresses}"


def is_covered(name: str, pattern: str) -> bool:
    """Whether a certificate's DNS name covers a host name: equal, or a wildcard for exactly its first label (RFC 6125,
    section 6.4.3)."""
    name, pattern = name.lower(), pattern.lower()
    if pattern.startswith("*."):
        return name.split(".", 1)[1:] == [pattern[2:]] and name.split(".", 1)[0] not in ("", "*")
    return name == pattern
