"""Invariant 6 over a whole run with real processes: storage, logs, answers, requests and report hold no secret.

The run is the one with the killed host, so what a dying host leaves behind is looked at, too.
"""

import re

import pytest

from local.azure.request_log import MASK, fingerprint
from tests.e2e.killing import KilledRun

PASSWORD = re.compile(rf'"adminPassword\\*": \\*"({re.escape(MASK)}\d+:[0-9a-f]{{64}})')
"""What the simulator's log shows in its place: length and fingerprint."""
PATTERNS = {
    "private key": re.compile(r"-----BEGIN[A-Z ]* PRIVATE KEY|MII[A-Za-z0-9+/]{5}(?:IBADANBg|IBAAKCAQ)"),
    "PFX": re.compile(r"MI[I-L][A-Za-z0-9+/]{3}IBAzCC"),
    "token": re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.|(?i:bearer) [\w-]{20,}"),
    "unmasked password": re.compile(rf'(?i)adminPassword\\*"\s*:\s*\\*"(?!{re.escape(MASK)})'),
}
WORD = re.compile(r"[\w-]+")


def test_the_search_sees_what_the_app_writes(killed: KilledRun) -> None:
    """Whoever finds nothing must have looked at the right things."""
    id = str(killed.report["deployment_id"])
    assert f'"deployment_id":"{id}"' in killed.said["storage"], "messages, decoded"
    assert '"reason":"Azure retires classic cloud services"' in killed.said["storage"], "the ledger's states, decoded"
    assert "register-providers is done" in killed.said["storage"], "the history"
    assert {"host.log", "simulator.log", "azurite.log"} <= set(killed.said)
    assert "adminPassword" in killed.said["the requests to Azure"]
    assert _finds("x eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl", "token")
    assert _finds('"adminPassword": "Aa1-x"', "unmasked password")


@pytest.mark.parametrize("kind", PATTERNS)
def test_invariant_6_nothing_that_looks_like_a_secret_leaves_the_app(killed: KilledRun, kind: str) -> None:
    assert [place for place, text in killed.said.items() if PATTERNS[kind].search(text)] == []


def test_invariant_6_no_secret_of_this_run_leaves_the_app(killed: KilledRun) -> None:
    for kind, secret in killed.secrets.items():
        assert len(secret) > 20, kind
        assert [place for place, text in killed.said.items() if secret in text] == [], kind


def test_invariant_6_the_windows_password_is_used_once_and_forgotten(killed: KilledRun) -> None:
    (sent,) = PASSWORD.findall(killed.said["the requests to Azure"])
    length = int(sent.removeprefix(MASK).partition(":")[0])
    for place, text in killed.said.items():
        for word in {word for word in WORD.findall(text) if len(word) >= length}:
            parts = (word[at : at + length] for at in range(len(word) - length + 1))
            assert all(fingerprint(part) != sent for part in parts), place


def test_invariant_6_the_vault_is_asked_for_certificates_only(killed: KilledRun) -> None:
    asked = {
        str(request["path"])
        for each in killed.requests
        if isinstance(request := each["request"], dict) and "vault" in str(request["host"])
    }
    assert asked
    assert all(path.startswith("/certificates/") for path in asked)


def _finds(text: str, kind: str) -> bool:
    return PATTERNS[kind].search(text) is not None
