"""What public servers say of a service name, and what of it keeps clients from being led over by a CNAME (rule S7).

Sources: RFC 1034, 3.6.2 (a CNAME stands alone, and is followed); RFC 1035, 4.1.1 (``AA``: the answer comes from an
authority for the name, not from a cache) and 3.2.1 (a TTL says for how long an answer may be held). Providers of
proxies and content networks answer with addresses of their own instead of an alias; that such an address is a proxy's
is inferred from what it is not: neither an alias nor an address of the gateway.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from cmg_core.domain.findings import blocks, warns
from cmg_core.domain.plans import Names
from cmg_core.domain.problems import Finding


class View(Protocol):
    """What one server says of a name: see ``services.NameView``."""

    @property
    def server(self) -> str: ...

    @property
    def targets(self) -> tuple[str, ...]: ...

    @property
    def addresses(self) -> tuple[str, ...]: ...

    @property
    def ttl(self) -> timedelta: ...

    @property
    def failure(self) -> str: ...

    @property
    def authoritative(self) -> bool: ...


def answered(views: Sequence[View]) -> list[View]:
    """Those that answered, be it that there is no such name."""
    return [view for view in views if not view.failure]


def in_words(view: View) -> str:
    """What a server says, for people."""
    if view.targets:
        return f"{view.server} says {' → '.join(view.targets)}"
    return f"{view.server} says {', '.join(view.addresses) or 'nothing'}"


def said(views: Sequence[View]) -> str:
    """What each server says that answered."""
    return "; ".join(in_words(view) for view in answered(views))


def is_address_only(views: Sequence[View]) -> bool:
    """Whether the name leads somewhere, and no server shows an alias on the way."""
    return any(view.addresses for view in views) and not any(view.targets for view in views)


def judge_agreement(name: str, views: Sequence[View]) -> Iterator[Finding]:
    """Whether all servers say the same. Only the first link counts: an authority may know no further one, and addresses
    take turns.

    A cache may lag behind for a TTL. It cannot hold an answer of the present record for longer than the TTL with which
    the authorities give it; and authorities have no cache.
    """
    seen = answered(views)
    authorities = [view for view in seen if view.authoritative]
    if len({_first(view) for view in authorities}) > 1:
        yield _split(name, authorities, "The zone's own servers disagree, and they hold no older answers.")
        return
    others = [view for view in seen if _first(view) != _first((*authorities, *seen)[0])]
    longest = max((view.ttl for view in authorities), default=timedelta.max)
    # Of a longer chain only the longest TTL is known, which may be another link's.
    if split := [view for view in others if view.ttl > longest and len(view.targets) < 2]:
        held = max(view.ttl for view in split)
        why = (
            f"The zone's own servers give their answer a TTL of {_seconds(longest)}, yet the other one may be held for "
            f"another {_seconds(held)}: it is no older answer of theirs, unless somebody has just lowered the TTL."
        )
        yield _split(name, [*authorities, *split], why)
    elif others:
        held = max(view.ttl for view in others)
        yield warns(
            "public-dns-lags",
            f"Servers say different things of «{name}»: {said(seen)}.",
            f"Older answers run out {f'within {_seconds(held)}' if held else 'soon'}: look again then. What differs "
            "still is another view of the name (split-horizon).",
        )


def _first(view: View) -> str:
    return view.targets[0] if view.targets else "an address" if view.addresses else ""


def _split(name: str, views: Sequence[View], why: str) -> Finding:
    return warns(
        "split-horizon",
        f"Servers show different views of «{name}»: {said(views)}. {why}",
        "Find out who serves the other view (a second provider, an inside zone that is seen outside, answers by "
        "place). Each view has to be changed; the gate `cname` opens only when all of them show the new gateway.",
    )


def judge_addresses(names: Names, views: Sequence[View], old_addresses: Collection[str]) -> tuple[Finding, ...]:
    """What it means that a name which clients dial leads straight to addresses; nothing where an alias is seen.

    ``old_addresses`` are those behind the old gateway's own name.
    """
    if not is_address_only(views):
        return ()
    name, target = names.service_name, names.deployment_name
    if any(address in old_addresses for view in views for address in view.addresses):
        return (
            warns(
                "record-is-address",
                f"«{name}» holds the old gateway's address instead of an alias: {said(views)}.",
                f"Whoever holds the zone replaces the address records (A and AAAA) by a CNAME to «{target}» when the "
                "gate `cname` asks for it: no other record can stand beside a CNAME. Where a provider flattens aliases "
                "into addresses, have it publish the CNAME as it is: otherwise that gate never opens.",
                pointer="/old_gateway/service_name",
            ),
        )
    return (
        blocks(
            "name-behind-proxy",
            f"No alias is seen for «{name}», and its addresses are not the old gateway's: {said(views)}. A proxy or a "
            "content network stands before it, or clients are led to something else.",
            "Have the name published as a plain CNAME (without the provider's proxy), see that clients are served, "
            "wait until the old answers have run out, and ask again. A proxy that ends TLS also keeps clients' "
            "certificates from the gateway.",
            pointer="/old_gateway/service_name",
        ),
    )


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
