"""Every package that ships is under a licence that is known and accepted, and holds its text."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from local.dev.audit import Outcome, licences
from local.dev.licences import (
    ACCEPTED,
    NAMED,
    READ,
    Licence,
    UnknownLicence,
    licence_of,
    licence_of_distribution,
    objections,
)
from local.dev.pins import Pin, pins
from local.dev.processes import ROOT

SHIPPED = pins((ROOT / "requirements.txt").read_text())


def test_nothing_stands_against_passing_on_what_ships() -> None:
    assert list(objections(SHIPPED)) == []
    assert licences().outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only AND ISC OR MIT AND ISC", True),
        ("GPL-3.0-only OR MIT AND AGPL-3.0-only", False),
        ("(MIT)", False),
        ("Apache-2.0 WITH LLVM-exception", False),
    ],
)
def test_one_alternative_has_to_be_accepted_whole(expression: str, accepted: bool) -> None:
    assert Licence(expression, declared=True).accepted is accepted


@pytest.mark.parametrize(
    ("name", "metadata", "licence"),
    [
        ("a", {"License-Expression": "mit", "License": "GPL-3.0-only"}, Licence("MIT", declared=True)),
        ("a", {"License": "PSF-2.0"}, Licence("PSF-2.0", declared=True)),
        ("a", {"License": "MIT License"}, Licence("MIT", declared=False)),
        ("isodate", {"License": "Copyright (c)\nRedistribution …"}, Licence("BSD-3-Clause", declared=False)),
    ],
)
def test_a_package_says_its_licence_itself_or_it_was_concluded(
    name: str, metadata: dict[str, str], licence: Licence
) -> None:
    assert licence_of(name, metadata) == licence


@pytest.mark.parametrize("metadata", [{}, {"License": "UNKNOWN"}, {"License": "Copyright (c)\nAll rights reserved"}])
def test_a_licence_is_never_guessed(metadata: dict[str, str]) -> None:
    with pytest.raises(UnknownLicence):
        licence_of("a", metadata)


def installed(folder: Path, licence: str, *files: str) -> None:
    info = folder / "leaf-1.0.dist-info"
    for file in files:
        (info / file).parent.mkdir(parents=True, exist_ok=True)
        (info / file).touch()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: leaf\nVersion: 1.0\nLicense-Expression: {licence}\n")
    (info / "RECORD").write_text("".join(f"leaf-1.0.dist-info/{file},,\n" for file in ("METADATA", *files)))


@pytest.mark.parametrize(
    ("licence", "files", "version", "told"),
    [
        ("MIT", ["licenses/LICENSE"], "1.0", None),
        ("MIT", ["LICENCE.md"], "1.0", None),
        ("GPL-3.0-only", ["COPYING"], "1.0", "GPL-3.0-only is not among"),
        ("MIT", ["AUTHORS"], "1.0", "no text of its licence"),
        ("MIT", ["LICENSE"], "2.0", "1.0 is installed here"),
        ("Freeware", ["LICENSE"], "1.0", "«Freeware»"),
    ],
)
def test_each_objection_is_told(
    licence: str, files: list[str], version: str, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, licence, *files)
    monkeypatch.syspath_prepend(tmp_path)
    lines = list(objections([Pin("leaf", version, ())]))
    assert not lines if told is None else len(lines) == 1 and told in lines[0]


def test_a_package_that_is_not_here_was_not_looked_at() -> None:
    assert "is not known" in next(objections([Pin("no-such-package", "1.0", ())]))


def test_the_tables_hold_what_is_needed_and_no_more() -> None:
    """A line that nothing needs any more would let in what nobody has read."""
    used = {licence_of_distribution(pin.name, distribution(pin.name)).expression for pin in SHIPPED}
    assert set(ACCEPTED) == {part for each in used for part in each.replace(" OR ", " AND ").split(" AND ")}
    written = {distribution(pin.name).metadata.get("License") for pin in SHIPPED}
    assert set(NAMED) <= written and set(READ) <= {pin.name for pin in SHIPPED}
