"""Which IP addresses are the internet's: whoever holds a zone may send the app anywhere. Pure."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

_NEVER_V4 = tuple(
    IPv4Network(block)
    for block in (
        "168.63.129.16/32",  # Azure's own door to each machine ("What is IP address 168.63.129.16?")
        "169.254.0.0/16",  # link-local, metadata services among it
        "100.64.0.0/10",  # carriers' shared space (RFC 6598)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "224.0.0.0/4",  # multicast, of which Python calls parts global
        "240.0.0.0/4",
    )
)
_ONLY_V6 = IPv6Network("2000::/3")
"""Global unicast as far as it is given out (RFC 4291; IANA). Mapped, NAT64, unique-local, link-local and multicast
addresses lie outside of it."""
_NEVER_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2002::/16",  # 6to4 holds an IPv4 address (RFC 3056)
        "2001::/23",  # IETF's own, Teredo among it (RFC 2928, RFC 4380)
        "2001:db8::/32",  # examples
        "3fff::/20",  # examples (RFC 9637)
    )
)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: neither private, local, shared, multicast nor reserved, no other
    address in disguise, and none of the cloud's own."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        special = any(found in block for block in _NEVER_V6)
        return found in _ONLY_V6 and found.is_global and not special and found.scope_id is None
    return found.is_global and not any(found in block for block in _NEVER_V4)
