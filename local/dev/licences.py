"""What licence each package that ships is under, by its own metadata, and whether an app under MIT may be passed on
with it. Reads what is installed here, which requirements-dev.lock pins to the same versions; no network.

Source: PyPA "Core metadata specifications" (License-Expression, License, Classifier) and PEP 639; SPDX "License List"
for the identifiers and "License Expressions" for AND and OR.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from local.dev.pins import Pin

ACCEPTED: Final = {
    "Apache-2.0": "permissive: keep licence and NOTICE, say what was changed; gives patents, too",
    "BSD-3-Clause": "permissive: keep the notice, do not advertise with the authors' names",
    "ISC": "permissive: keep the notice",
    "MIT": "permissive: keep the notice; the app's own",
    "MIT-0": "permissive: asks for nothing",
    "MPL-2.0": "binds its own files only, which are passed on as they are, source and all",
    "PSF-2.0": "permissive: keep the notice, say what was changed",
}
"""SPDX identifiers, each with why a package under it may ship. Another one is for a person to read, and then a line."""

NAMED: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "MIT License": "MIT",
}
"""What packages write into ``License`` that is no SPDX identifier and yet says which licence is meant."""

READ: Final = {"isodate": "BSD-3-Clause"}
"""By name: packages whose metadata name a family of licences only («BSD License»), and what their licence file says."""


class UnknownLicence(Exception):
    """A package's metadata do not say which licence it is under; the text says what they say."""


@dataclass(frozen=True)
class Licence:
    """An SPDX expression. ``declared``: the package gives it itself; else it was concluded by the tables above."""

    expression: str
    declared: bool

    @property
    def accepted(self) -> bool:
        """Whether all of one alternative is accepted. Parentheses and WITH are not read: such a one is not accepted."""
        ways = (way.split(" AND ") for way in self.expression.split(" OR "))
        return any(all(part in ACCEPTED for part in way) for way in ways)


def licence_of(name: str, metadata: Mapping[str, str]) -> Licence:
    """A package's licence, by the first of: its expression, its ``License`` where that is SPDX, what it is named, what
    was read in its licence file. Raises UnknownLicence."""
    written = metadata.get("License-Expression") or metadata.get("License") or ""
    try:
        return Licence(canonicalize_license_expression(written), declared=True)
    except InvalidLicenseExpression:
        known = NAMED.get(written) or READ.get(name)
    if known is None:
        raise UnknownLicence(f"its metadata say «{written.splitlines()[0] if written else 'nothing'}»")
    return Licence(known, declared=False)


def licence_of_distribution(name: str, installed: Distribution) -> Licence:
    """The licence of what is installed. Raises UnknownLicence."""
    fields = ("License-Expression", "License")
    return licence_of(name, {field: installed.metadata[field] for field in fields if field in installed.metadata})


def has_its_text(installed: Distribution) -> bool:
    """Whether the licence's text lies in the package's dist-info, and so goes wherever the package is installed."""
    return any(re.search(r"\.dist-info/.*(LICEN[CS]E|COPYING)", str(file), re.I) for file in installed.files or ())


def objections(pins: Iterable[Pin]) -> Iterator[str]:
    """What stands against passing on the packages that ship: one line each."""
    for pin in pins:
        try:
            installed = distribution(pin.name)
            licence = licence_of_distribution(pin.name, installed)
        except (PackageNotFoundError, UnknownLicence) as error:
            yield f"{pin.name} {pin.version}: its licence is not known: {error}"
            continue
        if installed.version != pin.version:
            yield f"{pin.name} {pin.version}: {installed.version} is installed here, so its licence was not looked at"
        elif not licence.accepted:
            yield f"{pin.name} {pin.version}: {licence.expression} is not among the accepted licences"
        elif not has_its_text(installed):
            yield f"{pin.name} {pin.version}: it holds no text of its licence, which has to be passed on"
