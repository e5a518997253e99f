"""The commands of the documentation, typed into a shell in which the programs only note how they were called.

So it is bash that takes them apart, with their quotes, variables and continued lines, and what is no shell fails.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.dev.processes import ROOT
from tests.unit.docs.shown_requests import requests_of

PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "infra/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
NOTED = ("python3", "curl", "az", "azd", "zip")
"""Programs that are not run but note their arguments."""
STANDING = ("cmg_core", "docs", "infra", "local", "samples", "tests")
"""Folders of the clone in which commands are typed."""
TOLD = {
    "API": "http://127.0.0.1:7071/api",
    "APP": "https://func-cmg.azurewebsites.net",
    "SIM": "http://127.0.0.1:7444",
    "KEY": "a-key",
    "ID": "55aefa8d-59c4-55a2-ba46-67122d43834d",
} | dict.fromkeys(("ACCOUNT", "IDENTITY", "ROLE", "SUBSCRIPTION", "VAULT", "ZONE"), "told")
"""Variables that the pages speak of before they use them. Any other must be set by a command before."""
CALL = 'CALL=(-H "x-functions-key: $KEY")'
"""What docs/first-gateway.md makes for the pages that refer to it; a list, which no environment passes on."""
SAMPLE = ROOT / "samples" / "s07-own-domain-from-classic.json"

_FENCED = re.compile(r"^(?P<in> *)```sh\n(?P<code>.*?)^(?P=in)```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?:    .+\n)+")
_COMMAND = re.compile(r"(?:[A-Z_]+=\S* +)*(?:python3|curl|az|azd) ")
_INLINE = re.compile(r"`((?:python3 dev\.py|azd?) [^`]+)`")
_PLACE = re.compile(r"<[^>]*>|\bCOMMAND\b|\bFILE\b")
_NOTE = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" > "$(mktemp -p "$NOTES")"
"""
_ANSWERS = {
    "zip": "true",
    # What commands behind a pipe take out of answers.
    "curl": """printf '{"deployments": [{"id": "%s"}], "receivers": [{"received": []}]}' "$ID" """,
    "python3": '[ "$1" = dev.py ] || exec "$REAL_PYTHON" "$@"',
    # A vault of one secret, which holds what was put into it last.
    "az": """case "$*" in
    "keyvault secret set"*--file*) cp "$(sed 's/.*--file \\([^ ]*\\).*/\\1/' <<< "$*")" "$NOTES.secret" ;;
    "keyvault secret download"*) head -c 32 /dev/zero | base64 > "$(sed 's/.*--file \\([^ ]*\\).*/\\1/' <<< "$*")" ;;
    "keyvault secret show"*) cat "$NOTES.secret" 2>&- || { echo SecretNotFound >&2; exit 1; } ;;
    *) echo made ;;
    esac""",
    "azd": """[ "$2" != get-values ] || exec echo 'CMG_PLAN="flex"'
        [ "$3" != AZURE_APP_URL ] || exec echo "$APP"
        echo told""",
}


@dataclass(frozen=True)
class Typed:
    """A command as its program got it."""

    page: str
    program: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join((self.program, *self.arguments))}"


def blocks_of(page: Path) -> list[str]:
    """The page's commands, block by block: fenced as ``sh``, or indented and begun by a program that is known."""
    text = page.read_text(encoding="utf-8")
    fenced = [(found.start(), _dedented(found["code"], len(found["in"]))) for found in _FENCED.finditer(text)]
    indented = [
        (found.start(), _dedented(found[0], 4))
        for found in _INDENTED.finditer(re.sub(r"```.*?```", lambda code: "~" * len(code[0]), text, flags=re.DOTALL))
        if _COMMAND.match(found[0].lstrip())
    ]
    return [code for _, code in sorted(fenced + indented)]


def inline_of(page: Path) -> list[str]:
    """Commands within the page's sentences. What stands for something of the reader's is given a name."""
    text = page.read_text(encoding="utf-8")
    return [_PLACE.sub("help", found.replace("\n", " ")) for found in _INLINE.findall(text)]


def typed(page: Path, folder: Path) -> Iterator[Typed]:
    """Type the page's commands one after the other in one shell, in a folder that looks like a clone. Fails where the
    shell does: a variable that nobody set, a quote that is not closed, a file that is not there."""
    (folder / ".dev" / "package").mkdir(parents=True)  # as `package` makes it
    for name in STANDING:
        (folder / name).symlink_to(ROOT / name)
    for part, content in json.loads(SAMPLE.read_text()).items():
        if part in ("world", "request"):  # as `up --sample` lays it down
            (folder / ".dev" / f"{part}.json").write_text(json.dumps(content))
    for request in requests_of(page):  # as the page says that it is kept
        (folder / "gateway.json").write_text(json.dumps(request))
    (folder / "world.json").write_text((folder / ".dev" / "world.json").read_text())
    programs, notes = folder / ".programs", folder / ".notes"
    programs.mkdir()
    for name in NOTED:
        (programs / name).write_text(f"{_NOTE}{_ANSWERS[name]}\n")
        (programs / name).chmod(0o755)
    notes.mkdir()
    code = "\n".join([CALL, *blocks_of(page), *inline_of(page)])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(folder),
            "NOTES": str(notes),
            "REAL_PYTHON": sys.executable,
            **TOLD,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{page}: {done.stderr}"
    for note in notes.iterdir():  # a file each: programs of one pipe write at the same time
        program, *arguments = note.read_text().split("\0")[:-1]
        yield Typed(str(page.relative_to(ROOT)), program, tuple(arguments))


def _dedented(code: str, width: int) -> str:
    return "".join(line[width:] if line[:width].isspace() else line for line in code.splitlines(keepends=True))
