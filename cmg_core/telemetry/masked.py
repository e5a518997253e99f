"""What may leave the process: no secret, no query of an address, no endless text."""

from cmg_core.azure.errors import clean as without_queries
from cmg_core.telemetry.port import Fact, Facts
from cmg_core.triggers.masking import masked

LONGEST = 500
"""Characters of one fact."""


def exported(facts: Facts) -> dict[str, Fact]:
    """The facts as they are exported."""
    return {name: clean(value) if isinstance(value, str) else value for name, value in facts.items()}


def clean(text: str) -> str:
    """A text without what looks like a secret, and without the queries of addresses."""
    return without_queries(masked(text))[:LONGEST]
