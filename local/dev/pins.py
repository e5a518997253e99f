"""What requirements.txt pins: each package that ships, its version, and the hashes of the files that pip may take."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

_PIN = re.compile(r"([\w.-]+)==(\S+)")


@dataclass(frozen=True)
class Pin:
    """``name`` is normalized (PyPA "Names and normalization"); ``sha256`` are of all files of that version."""

    name: str
    version: str
    sha256: tuple[str, ...]


def pins(text: str) -> tuple[Pin, ...]:
    """The pins of a requirements file, in its order."""
    return tuple(_pins(text.replace("\\\n", " ")))


def _pins(text: str) -> Iterator[Pin]:
    for line in text.splitlines():
        if found := _PIN.match(line):
            yield Pin(canonicalize_name(found[1]), found[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", line)))
