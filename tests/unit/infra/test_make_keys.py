"""`infra/make_keys.py` with an `az` that stands on PATH: it keeps what is there, and no argument shows a key."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.infra.templates import INFRA, template

AZ = """#!{python} -I
import json, os, pathlib, stat, sys
vault = pathlib.Path({vault!r})
words = sys.argv[1:]
given = dict(zip(words[3::2], words[4::2]))
call = {{"words": words, "environment": dict(os.environ)}}
kept = vault / given["--name"]
if words[:3] == ["keyvault", "secret", "set"]:
    file = pathlib.Path(given["--file"])
    call["mode"] = stat.S_IMODE(file.stat().st_mode)
    if {refuses}:
        sys.exit("(Forbidden) Caller is not authorized to perform action on resource.")
    kept.write_text(file.read_text())
if (vault / "is-away").exists():
    sys.exit("Failed to establish a new connection")
(vault / "calls").open("a").write(json.dumps(call) + "\\n")
sys.exit(0 if kept.exists() else "(SecretNotFound) A secret with this name was not found in this key vault.")
"""


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    return folder


def run(vault: Path, name: str = "kv-cmg", refuses: bool = False) -> "subprocess.CompletedProcess[str]":
    az = vault.parent / "az"
    az.write_text(AZ.format(python=sys.executable, vault=str(vault), refuses=refuses))
    az.chmod(0o755)
    environment = {"PATH": f"{vault.parent}:{os.defpath}", "AZURE_KEY_VAULT_NAME": name}
    command = [sys.executable, str(INFRA / "make_keys.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def calls(vault: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (vault / "calls").read_text().splitlines()]


def test_what_is_missing_is_made_and_never_shown(vault: Path) -> None:
    done = run(vault)
    assert (done.returncode, done.stdout) == (0, "message-keys: made\ncallback-keys: made\n")
    keys = [(vault / name).read_text() for name in ("message-keys", "callback-keys")]
    assert [len(base64.b64decode(key, validate=True)) for key in keys] == [32, 32] and keys[0] != keys[1]
    shown = done.stdout + done.stderr + json.dumps(calls(vault))
    assert [key for key in keys if key in shown] == []
    assert {call["mode"] for call in calls(vault) if "mode" in call} == {stat.S_IRUSR | stat.S_IWUSR}


def test_no_file_with_a_key_is_left(vault: Path) -> None:
    run(vault)
    given = [words[words.index("--file") + 1] for call in calls(vault) if "--file" in (words := list(call["words"]))]
    assert len(given) == 2 and not any(Path(file).exists() for file in given)


def test_what_is_there_is_kept(vault: Path) -> None:
    (vault / "message-keys").write_text("as it was")
    assert run(vault).stdout == "message-keys: kept\ncallback-keys: made\n"
    made = (vault / "callback-keys").read_text()
    assert run(vault).stdout == "message-keys: kept\ncallback-keys: kept\n"
    assert ((vault / "message-keys").read_text(), (vault / "callback-keys").read_text()) == ("as it was", made)


def test_every_call_is_to_the_vault_that_was_made(vault: Path) -> None:
    run(vault, "kv-of-prod")
    vaults = {words[words.index("--vault-name") + 1] for call in calls(vault) if (words := list(call["words"]))}
    assert vaults == {"kv-of-prod"}


def test_a_refusal_ends_it_and_is_told(vault: Path) -> None:
    done = run(vault, refuses=True)
    assert (done.returncode, done.stdout) == (1, "") and "message-keys: (Forbidden)" in done.stderr
    assert "may not hold yet" in done.stderr and "azd hooks run postprovision" in done.stderr


def test_without_the_azure_cli_it_says_what_to_install(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "AZURE_KEY_VAULT_NAME": "kv-cmg"}
    command = [sys.executable, str(INFRA / "make_keys.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Azure CLI" in done.stderr and "Traceback" not in done.stderr


def test_a_key_that_cannot_be_looked_for_is_not_made(vault: Path) -> None:
    (vault / "message-keys").write_text("as it was")
    (vault / "is-away").touch()
    done = run(vault)
    assert (done.returncode, done.stdout) == (1, "") and "message-keys: Failed to establish" in done.stderr
    assert (vault / "message-keys").read_text() == "as it was" and not (vault / "callback-keys").exists()


def test_without_the_vaults_name_it_says_what_to_run(vault: Path) -> None:
    done = run(vault, name="")
    assert done.returncode == 2 and "azd provision" in done.stderr and not (vault / "calls").exists()


def test_the_template_tells_azd_the_vaults_name() -> None:
    assert "AZURE_KEY_VAULT_NAME" in template(INFRA / "main.bicep").part("outputs")
