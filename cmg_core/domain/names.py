"""The two names of a gateway: the service name that clients dial, and the deployment name of its address."""

import re
from enum import Enum, auto

from cmg_core.domain.findings import blocks, tells
from cmg_core.domain.problems import Finding

REGION_SUFFIX = "cloudapp.azure.com"
"""Azure's domain for public addresses: ``label.region.cloudapp.azure.com`` (Microsoft Learn, "Public IP addresses")."""
CLASSIC_SUFFIX = "cloudapp.net"
"""The domain of classic cloud services, which cannot move to a scale set (modify-cloud-management-gateway; rule S8)."""
GOVERNMENT_SUFFIXES = ("usgovcloudapp.net", "cloudapp.usgovcloudapi.net")
"""Azure US Government's twins (internet-endpoints-cloud-services; Azure's own scheme for address labels)."""
GOVERNMENT_REGIONS = ("usgov", "usdod")

DNS_LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
"""What Azure takes as the DNS label of a public address (terraform-provider-azurerm issue 2122)."""
GATEWAY_LABEL = re.compile(r"[a-z][a-z0-9]{2,23}")
"""The safe intersection of Microsoft's two rules for a gateway's first label (supported-configurations: 3 to 24
characters, begins with a letter; server-auth-cert: lower-case letters and digits only)."""
LONGEST_LABEL = 24
LABEL_TRIES = 9
"""The first label and eight with a digit behind it."""


class NameKind(Enum):
    """What a service name's domain means for a gateway on a scale set."""

    OWN_DOMAIN = auto()
    REGION = auto()
    """The region's own suffix: the deployment name is the service name."""
    OTHER_REGION = auto()
    CLASSIC = auto()
    GOVERNMENT = auto()
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
    name = service_name.lower()
    labels = name.split(".")
    if is_below(name, REGION_SUFFIX):
        shape = len(labels) == len(REGION_SUFFIX.split(".")) + 2
        if not shape:
            return NameKind.UNFIT
        return NameKind.REGION if labels[1] == region.lower() else NameKind.OTHER_REGION
    if any(is_below(name, suffix) or name == suffix for suffix in GOVERNMENT_SUFFIXES):
        return NameKind.GOVERNMENT
    if is_below(name, CLASSIC_SUFFIX):
        return NameKind.CLASSIC
    fits = len(labels) >= 3 and all(labels) and "*" not in name and not labels[-1].isdigit()
    return NameKind.OWN_DOMAIN if fits and name not in (REGION_SUFFIX, CLASSIC_SUFFIX) else NameKind.UNFIT


def judge_service_name(service_name: str, region: str) -> tuple[Finding, ...]:
    """Whether a gateway in ``region`` can be dialed by this name, and what to know about it."""
    suffix = f"{region}.{REGION_SUFFIX}"
    match kind_of(service_name, region):
        case NameKind.CLASSIC:
            return (
                blocks(
                    "service-name-classic-domain",
                    f"The certificate names «{service_name}». Names under {CLASSIC_SUFFIX} belong to classic "
                    "cloud services "
                    "and cannot move to a scale set.",
                    "Get a server authentication certificate for a name in a domain of your own (a public CA "
                    "can issue it). "
                    f"A private CA can also issue one for a name under {suffix}.",
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
        case NameKind.GOVERNMENT:
            return (
                blocks(
                    "service-name-government",
                    f"The certificate names «{service_name}», a name of Azure US Government.",
                    "This release deploys in Azure's public cloud only. Use a name in a domain of your own.",
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
            return _judge_bound_label(service_name)
        case NameKind.OWN_DOMAIN:
            return _judge_free_label(service_name)


def _judge_bound_label(service_name: str) -> tuple[Finding, ...]:
    label = first_label_of(service_name)
    if DNS_LABEL.fullmatch(label) and len(label) <= LONGEST_LABEL:
        return _judge_free_label(service_name)
    return (
        blocks(
            "service-name-bad-label",
            f"«{label}» cannot be the DNS label of a gateway's public address.",
            f"Use a certificate whose first label has 3 to {LONGEST_LABEL} lower-case letters and digits and "
            "begins with "
            "a letter.",
            pointer="/certificate/name",
        ),
    )


def _judge_free_label(service_name: str) -> tuple[Finding, ...]:
    label = first_label_of(service_name)
    if GATEWAY_LABEL.fullmatch(label):
        return ()
    return (
        tells(
            "first-label-unusual",
            f"«{label}», the first label of «{service_name}», is outside what Configuration Manager takes for "
            "a gateway "
            "that the site makes (3 to 24 lower-case letters and digits, a letter first).",
            "Nothing for this deployment. A gateway that the site makes later needs another name.",
        ),
    )


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
    return f"{label}.{region}.{REGION_SUFFIX}"


def is_covered(name: str, pattern: str) -> bool:
    """Whether a certificate's DNS name covers a host name: equal, or a wildcard for exactly its first label (RFC 6125,
    section 6.4.3)."""
    name, pattern = name.lower(), pattern.lower()
    if pattern.startswith("*."):
        return name.split(".", 1)[1:] == [pattern[2:]] and name.split(".", 1)[0] not in ("", "*")
    return name == pattern
