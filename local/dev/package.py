"""`python3 dev.py package`: what is published, laid into a folder, with its size and what it takes to start.

Source: Azure/azure-functions-core-tools, `GitIgnoreParser.cs`, and Azure/azure-dev issue 4381 for what is left out of a
package; "Azure Functions Python developer guide" for where its packages lie.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from local.dev.cold_start import PACKAGES, cold_start
from local.dev.licences import UnknownLicence
from local.dev.on_demand import NotInstalled, last_line, run
from local.dev.processes import ROOT
from local.dev.sbom import SBOM, SbomError, write_sbom

DEFAULT: Final = ROOT / ".dev" / "package"


class PackageError(Exception):
    """The package cannot be laid; the text says why."""


@dataclass(frozen=True)
class Package:
    """What was laid: sizes in bytes, CPU seconds. ``bytes_with_packages`` is None where none were installed."""

    folder: str
    files: int
    bytes: int
    bytes_with_packages: int | None
    functions: int
    import_s: float
    cpu_s: float
    sbom: str | None


def shipped(root: Path = ROOT) -> Iterator[Path]:
    """The files that are published, relative to the root: those that ``.funcignore`` does not name, by git's rules."""
    spec = GitIgnoreSpec.from_lines((root / ".funcignore").read_text().splitlines())
    for folder, folders, files in root.walk():
        here = folder.relative_to(root)
        folders[:] = sorted(name for name in folders if not spec.match_file(f"{(here / name).as_posix()}/"))
        yield from (here / name for name in sorted(files) if not spec.match_file((here / name).as_posix()))


def lay(out: Path, root: Path = ROOT) -> None:
    """Copies what is published into a folder, in place of what an earlier call laid there.

    Raises:
        PackageError: something else lies in that folder.
    """
    laid_before = (out / "function_app.py").exists() and not (out / "dev.py").exists()
    if out.exists() and any(out.iterdir()) and not laid_before:
        raise PackageError(f"{out} holds something else than a package; give another folder")
    names = list(shipped(root))
    shutil.rmtree(out, ignore_errors=True)
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, out / name)


def install(out: Path) -> None:
    """Installs what the package's requirements.txt names into it, as a build does. Raises PackageError."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    done = run([*pip, "--target", str(out / PACKAGES), "--requirement", str(out / "requirements.txt")], out)
    if done.returncode:
        raise PackageError(f"the packages could not be installed: {last_line(done.stderr)}")


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def package(out: Path, with_packages: bool, sbom: bool) -> Package:
    """Lays the package and starts it once.

    Raises:
        PackageError: it cannot be laid, installed or started.
        NotInstalled: what writes the list of packages could not be installed.
        SbomError, UnknownLicence: the list of packages could not be written.
    """
    lay(out)
    files, lean = sum(1 for file in out.rglob("*") if file.is_file()), size(out)
    if with_packages:
        install(out)
    if sbom:
        write_sbom()
    try:
        start = cold_start(out)
    except subprocess.CalledProcessError as error:
        raise PackageError(f"the app does not start from {out}: {last_line(error.stderr)}") from error
    whole = size(out) if with_packages else None
    told = str(SBOM) if sbom else None
    return Package(str(out), files, lean, whole, len(start.functions), start.import_s, start.cpu_s, told)


def in_words(made: Package) -> str:
    """The report for people."""
    packages = (
        "not installed: --with-packages does it, as a build in Azure will"
        if made.bytes_with_packages is None
        else f"{made.bytes_with_packages / 1e6:.1f} MB with its packages"
    )
    lines = [
        f"package    {made.folder}",
        f"size       {made.files} files, {made.bytes / 1e6:.2f} MB",
        f"packages   {packages}",
        f"start      {made.functions} functions; CPU: import {made.import_s:.2f} s, first answer {made.cpu_s:.2f} s",
    ]
    return "\n".join([*lines, f"sbom       {made.sbom}"] if made.sbom else lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dev.py package", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT,
        metavar="DIR",
        help="where to (.dev/package); a package that lies there is replaced",
    )
    parser.add_argument("--with-packages", action="store_true", help="install requirements.txt into it (network)")
    parser.add_argument(
        "--sbom",
        action="store_true",
        help="write .dev/sbom.cdx.json: CycloneDX with hashes, licences and who needs whom; half a minute (network)",
    )
    options = parser.parse_args(arguments)
    try:
        made = package(options.out.resolve(), options.with_packages, options.sbom)
    except (PackageError, SbomError, UnknownLicence, NotInstalled, OSError, subprocess.SubprocessError) as error:
        print(f"dev.py package: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(made)) if options.json else in_words(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
