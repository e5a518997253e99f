"""The list of what ships as CycloneDX: `cyclonedx-py` reads an environment that holds exactly requirements.txt, and
what only the project's own files know is added: hashes, licences that packages name loosely, whom the app itself uses.

Source: CycloneDX 1.6, "JSON reference"; the hashes stand where `cyclonedx-py requirements` puts them, and where
BSI TR-03183-2 looks for those of what is installed: at the reference of type ``distribution``.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

from local.dev.licences import Licence, licence_of_distribution
from local.dev.on_demand import last_line, programs, run
from local.dev.pins import Pin, pins
from local.dev.processes import ROOT

SBOM: Final = ROOT / ".dev" / "sbom.cdx.json"
CYCLONEDX: Final = "cyclonedx-bom==7.5.0"
SPEC: Final = "1.6"

_VALIDATE: Final = f"""
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.from_version("{SPEC}")).validate_str(sys.stdin.read())
sys.exit(error and " ".join(f"{{error.data.json_path}}: {{error.data.message}}".split()))
"""

type Document = dict[str, Any]
"""A part of a CycloneDX document: the schema judges it, not this module's types."""


class SbomError(Exception):
    """The list cannot be written; the text says why."""


def environment(requirements: Path, folder: Path) -> Path:
    """The Python of a new environment with exactly what a requirements file pins, not even pip. Raises SbomError."""
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [*pip, "--require-hashes", "--no-deps", "--requirement", str(requirements)],
    ):
        done = run(command)
        if done.returncode:
            raise SbomError(f"the packages could not be installed to be listed: {last_line(done.stderr)}")
    return python


def licences(folder: Path) -> dict[str, Licence]:
    """The licence of each package of an environment, by its name. Raises UnknownLicence."""
    packages = [str(path) for path in folder.glob("lib/*/site-packages")]
    found = {canonicalize_name(each.name): each for each in distributions(path=packages)}
    return {name: licence_of_distribution(name, each) for name, each in sorted(found.items())}


def shaped(
    document: Document,
    pinned: Sequence[Pin],
    direct: Collection[str],
    licensed: Mapping[str, Licence],
    authors: Sequence[Document],
) -> Document:
    """`cyclonedx-py`'s document with hashes, licences, who wrote it, and the app's own dependencies.

    Its serial number comes from what it says, so that the same list has the same one.

    Raises:
        SbomError: it lists something else than what is pinned.
    """
    by_name: dict[str, Document] = {canonicalize_name(each["name"]): each for each in document["components"]}
    listed = {(name, each["version"]) for name, each in by_name.items()}
    if different := listed ^ {(pin.name, pin.version) for pin in pinned}:
        raise SbomError(f"the environment and requirements.txt differ: {sorted(different)}")
    for pin in pinned:
        component = by_name[pin.name]
        component["licenses"] = [_licence(licensed[pin.name])]
        component["externalReferences"] = [*component.get("externalReferences", ()), _files(pin)]
    metadata = document["metadata"] | {"authors": list(authors)}
    root = metadata["component"]["bom-ref"]
    uses = {"ref": root, "dependsOn": sorted(by_name[name]["bom-ref"] for name in direct)}
    others = [each for each in document["dependencies"] if each["ref"] != root]
    whole = document | {"metadata": metadata, "dependencies": [uses, *others]}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return whole | {"serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, digest).urn}


def _licence(licence: Licence) -> Document:
    acknowledgement = "declared" if licence.declared else "concluded"
    if " " in licence.expression:
        return {"expression": licence.expression, "acknowledgement": acknowledgement}
    return {"license": {"id": licence.expression, "acknowledgement": acknowledgement}}


def _files(pin: Pin) -> Document:
    return {
        "type": "distribution",
        "url": f"https://pypi.org/simple/{pin.name}/",
        "comment": "the files of this version, of which a build takes one: requirements.txt pins them all",
        "hashes": [{"alg": "SHA-256", "content": each} for each in pin.sha256],
    }


def validate(python: Path, text: str) -> None:
    """By CycloneDX's own schema and library, in the environment of its writer. Raises SbomError."""
    command = [str(python), "-c", _VALIDATE]
    valid = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if valid.returncode:
        raise SbomError(f"the list is not valid by CycloneDX's schema: {last_line(valid.stderr)}")


def write_sbom(file: Path = SBOM) -> None:
    """Writes the list, once it is valid. SOURCE_DATE_EPOCH, where it is set, is its time; without it there is none.

    Raises:
        NotInstalled: its writer could not be installed.
        SbomError, UnknownLicence: what it lists could not be installed, is not what is pinned, or has no known licence.
    """
    tools, requirements, project = programs(CYCLONEDX), ROOT / "requirements.txt", ROOT / "pyproject.toml"
    command = [str(tools / "cyclonedx-py"), "environment", "--pyproject", str(project), "--mc-type", "application"]
    with tempfile.TemporaryDirectory(dir=ROOT / ".dev", prefix="shipped-") as folder:
        python = environment(requirements, Path(folder))
        done = run([*command, "--spec-version", SPEC, "--output-reproducible", str(python)])
        if done.returncode:
            raise SbomError(f"the list of packages could not be written: {last_line(done.stderr)}")
        licensed = licences(Path(folder))
    direct = [pin.name for pin in pins((ROOT / "requirements.in").read_text())]
    authors = tomllib.loads(project.read_text())["project"]["authors"]
    document = shaped(json.loads(done.stdout), pins(requirements.read_text()), direct, licensed, authors)
    text = json.dumps(document, indent=2) + "\n"
    validate(tools / "python", text)
    file.write_text(text)
