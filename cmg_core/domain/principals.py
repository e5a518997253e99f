"""Who called, as far as it was verified."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """A caller as the record keeps it: never what a caller says of itself."""

    id: str = ""
    """``principal:<object ID>`` of Microsoft Entra ID at home, with the tenant before it elsewhere, or
    ``key:<part of the function key's hash>``. Stable, and empty where an earlier release did not note it."""
    name: str = ""
    """The user principal name or the application, for people to read; only where a verified token says it. It can
    change, so nothing is decided by it (Microsoft Learn, "Secure applications and APIs by validating claims")."""


NOBODY = Principal()
"""Not known."""
