"""A search for secrets in texts: what this project's field has, by its shape. Places are told, never the secret.

Patterns instead of a scanner from elsewhere: those go by entropy and take every hash of a lock file, GUID and
fingerprint for a find, and this tree is full of them. A line that holds one of the words of ``PLANTED`` shows a secret
on purpose.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|\bMII[A-Za-z0-9+/]{5}(?:IBADANBg|IBAAKCAQ)"),
    "PFX": re.compile(r"\bMI[I-L][A-Za-z0-9+/]{3}IBAzCC"),
    "token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "storage account key": re.compile(r"(?i)\b(?:accountkey|sharedaccesskey)=[A-Za-z0-9+/]{40,}={0,2}"),
    "shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%+/]{30,}"),
    "app registration's secret": re.compile(r"(?<![\w~.-])[\w~.-]{3}8Q~[\w~.-]{34}(?![\w~.-])"),
    "function key": re.compile(r"(?<![\w-])[\w-]{44}AzFu[\w-]{4}=="),
    "token of GitHub, PyPI or npm": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|pypi-[\w-]{40,}|npm_[A-Za-z0-9]{36})\b"
    ),
    "password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}<>$]+:[^\s/:@'\"{}<>$]{6,}@"),
}
"""Shapes: RFC 7468 and DER of PKCS #1, #8 and #12 in base64, RFC 7519, connection strings of Azure Storage and Service
Bus, and the marks that Microsoft and others give their keys so that scanners find them."""

PLANTED = {
    "bm90IGEgcmVhbCBzZWNyZXQ": "says in base64 that it is no real secret (tests of odd inputs)",
    "eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl": "a token for «https», signed «signature» (the search's own test)",
    ":SECRET": "passwords that say what they are (tests of settings)",
    'told, "the log": "-----BEGIN': "a key's first line without a key (the checker's own test)",
}
"""What looks like a secret on purpose, each with its reason. Lines that hold one are passed over."""

LARGEST = 2_000_000
"""Bytes of a file that is looked into."""


@dataclass(frozen=True)
class Find:
    """Where something that looks like a secret stands."""

    place: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.kind}"


def finds_in(place: str, text: str) -> Iterator[Find]:
    """What looks like a secret in a text, line by line."""
    for number, line in enumerate(text.splitlines(), start=1):
        if any(word in line for word in PLANTED):
            continue
        for kind, pattern in PATTERNS.items():
            if pattern.search(line):
                yield Find(place, number, kind)


def in_the_tree(root: Path) -> list[Find]:
    """What looks like a secret in the files that git knows, committed or new. Raises OSError, CalledProcessError."""
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    found = list[Find]()
    for name in filter(None, names):
        file = root / name
        if file.is_file() and file.stat().st_size <= LARGEST:
            found += finds_in(name, file.read_text(encoding="utf-8", errors="replace"))
    return found


def in_the_history(root: Path) -> list[Find]:
    """What looks like a secret in any line that any commit added. Raises OSError, CalledProcessError."""
    found, commit, name = list[Find](), "", ""
    for line in _git(root, "log", "--all", "--no-color", "--unified=0", "--patch", "--format=commit %H").splitlines():
        if line.startswith("commit "):
            commit = line[7:19]
        elif line.startswith("+++ "):
            name = line.removeprefix("+++ ").removeprefix("b/")
        elif line.startswith("+"):
            found += (Find(f"{commit}:{name}", each.line, each.kind) for each in finds_in(name, line[1:]))
    return found


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")
