"""`infra/make_keys.py` with an `az` that stands on PATH: it keeps what is there, and no argument shows a key."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.notify.keys import read_keys
from cmg_core.settings import SettingsError, read
from infra.make_keys import KEYS, MEANWHILE, NO_KEY, PAUSES, SEALED, is_key
from tests.unit.infra.templates import INFRA, template

AZ = """#!{python} -I
import json, os, pathlib, stat, sys
vault = pathlib.Path({vault!r})
words = sys.argv[1:]
call = {{"words": words, "environment": dict(os.environ)}}
refusals = {refusals!r}
asked = len((vault / "calls").read_text().splitlines()) if (vault / "calls").exists() else 0
refusal = refusals.get(words[0] if words[0] == "rest" else words[2]) if asked in {refused!r} else None
kept = None
if words[0] == "keyvault":
    given = dict(zip(words[3::2], words[4::2]))
    kept = vault / given["--name"]
    if words[2] == "set":
        file = pathlib.Path(given["--file"])
        call["mode"] = stat.S_IMODE(file.stat().st_mode)
        if not refusal:
            kept.write_text({meanwhile!r} or file.read_text())
    elif "--query" in given and kept.exists() and not refusal:
        print(kept.read_text())
(vault / "calls").open("a").write(json.dumps(call) + "\\n")
missing = "(SecretNotFound) A secret with this name was not found in this key vault."
sys.exit(refusal or (0 if kept is None or kept.exists() else missing))
"""
NO_RIGHT = """ERROR: (Forbidden) Caller is not authorized to perform action on resource.
If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.
Code: Forbidden
Inner error: {
    "code": "ForbiddenByRbac"
}"""
OUT_OF_REACH = """ERROR: (Forbidden) Public network access is disabled and request is not from a trusted service nor
via an approved private link.
Inner error: {
    "code": "ForbiddenByConnection"
}"""
APP = {"AZURE_SUBSCRIPTION_ID": "sub-1", "AZURE_RESOURCE_GROUP": "rg-cmg", "AZURE_APP_NAME": "func-cmg"}
ADDRESS = (
    "/subscriptions/sub-1/resourceGroups/rg-cmg/providers/Microsoft.Web/sites/func-cmg"
    "/config/configreferences/appsettings/refresh?api-version=2022-03-01"
)
NEW, OLD, OLDER = (base64.b64encode(bytes([each]) * 32).decode() for each in range(3))
READ_AGAIN = "App Service reads the vault again\n"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    return folder


def run(
    vault: Path,
    *arguments: str,
    name: str = "kv-cmg",
    app: dict[str, str] = APP,
    refusals: dict[str, str] | None = None,
    refused: Sequence[int] = range(1000),
    meanwhile: str = "",
) -> "subprocess.CompletedProcess[str]":
    """`refusals` are what Azure says against each verb, in the calls that are `refused`. `meanwhile` is
    what somebody else writes at once after this."""
    az = vault.parent / "az"
    az.write_text(
        AZ.format(
            python=sys.executable, vault=str(vault), refusals=refusals or {}, refused=refused, meanwhile=meanwhile
        )
    )
    az.chmod(0o755)
    environment = {"PATH": f"{vault.parent}:{os.defpath}", "AZURE_KEY_VAULT_NAME": name, **app}
    command = [sys.executable, str(INFRA / "make_keys.py"), "--pause", "0", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def calls(vault: Path, *verbs: str) -> list[dict[str, object]]:
    """Those of some verbs; of all, where none is named."""
    made = [json.loads(line) for line in (vault / "calls").read_text().splitlines()]
    return [call for call in made if not verbs or set(verbs) & set(call["words"][:3])]


def test_what_is_missing_is_made_and_never_shown(vault: Path) -> None:
    done = run(vault)
    assert (done.returncode, done.stdout) == (0, "message-keys: made\ncallback-keys: made\n" + READ_AGAIN)
    keys = [(vault / name).read_text() for name in ("message-keys", "callback-keys")]
    assert [len(base64.b64decode(key, validate=True)) for key in keys] == [32, 32] and keys[0] != keys[1]
    shown = done.stdout + done.stderr + json.dumps(calls(vault))
    assert [key for key in keys if key in shown] == []
    assert {call["mode"] for call in calls(vault) if "mode" in call} == {stat.S_IRUSR | stat.S_IWUSR}


def test_no_file_with_a_key_is_left(vault: Path) -> None:
    run(vault)
    given = [words[words.index("--file") + 1] for call in calls(vault) if "--file" in (words := list(call["words"]))]
    assert len(given) == 2 and not any(Path(file).exists() for file in given)


def test_what_is_there_is_kept_and_app_service_reads_it_again(vault: Path) -> None:
    """A right that the app got late leaves a reference unread though nothing is made."""
    (vault / "message-keys").write_text(OLD)
    assert run(vault).stdout == "message-keys: kept\ncallback-keys: made\n" + READ_AGAIN
    made = (vault / "callback-keys").read_text()
    assert run(vault).stdout == "message-keys: kept\ncallback-keys: kept\n" + READ_AGAIN
    assert ((vault / "message-keys").read_text(), (vault / "callback-keys").read_text()) == (OLD, made)


def test_every_call_is_to_the_vault_that_was_made(vault: Path) -> None:
    run(vault, name="kv-of-prod")
    made = [list(call["words"]) for call in calls(vault, "keyvault")]
    assert {words[words.index("--vault-name") + 1] for words in made} == {"kv-of-prod"}
    assert {words[words.index("--subscription") + 1] for words in made} == {"sub-1"}


@pytest.mark.parametrize("verb", ["show", "set"])
def test_a_right_that_does_not_hold_yet_is_waited_for_and_told(vault: Path, verb: str) -> None:
    done = run(vault, refusals={verb: NO_RIGHT}, refused=range(3))
    waited, made = done.stdout.split("message-keys: made\n")
    assert (done.returncode, made) == (0, "callback-keys: made\n" + READ_AGAIN)
    line = r"message-keys: the right to it does not hold yet, tried again each minute until \d\d:\d\d"
    assert [re.fullmatch(line, told) is not None for told in waited.splitlines()] == [True] * (
        3 if verb == "show" else 2
    )


def test_a_right_that_never_holds_ends_it_after_ten_minutes(vault: Path) -> None:
    done = run(vault, refusals={"show": NO_RIGHT})
    assert (done.returncode, len(done.stdout.splitlines())) == (1, PAUSES)
    assert len(calls(vault)) == PAUSES + 1
    assert "message-keys: ERROR: (Forbidden)" in done.stderr
    assert "Key Vault Secrets Officer" in done.stderr and "azd hooks run postprovision" in done.stderr


def test_the_waiting_for_all_keys_together_is_ten_minutes(vault: Path) -> None:
    """Ten pauses for each would keep a pipeline for twenty."""
    done = run(vault, refusals={"show": NO_RIGHT}, refused=[*range(4), *range(7, 1000)])
    told = [line.partition(":")[0] for line in done.stdout.splitlines() if "does not hold yet" in line]
    assert (done.returncode, told) == (1, ["message-keys"] * 4 + ["callback-keys"] * (PAUSES - 4))


def test_the_waiting_is_a_minute_unless_somebody_says_otherwise() -> None:
    done = subprocess.run([sys.executable, str(INFRA / "make_keys.py"), "--help"], capture_output=True, text=True)
    assert "between 10 tries for a right (60)" in " ".join(done.stdout.split()) and PAUSES == 10


@pytest.mark.parametrize("refusal", [OUT_OF_REACH, "(Forbidden) Inner error: ForbiddenByFirewall"])
def test_a_vault_in_a_private_network_is_told_of_at_once(vault: Path, refusal: str) -> None:
    done = run(vault, refusals={"show": refusal})
    assert (done.returncode, done.stdout, len(calls(vault))) == (1, "", 1)
    assert "private network only" in done.stderr and "azd hooks run postprovision" in done.stderr


def test_a_key_that_cannot_be_looked_for_is_not_made(vault: Path) -> None:
    (vault / "message-keys").write_text(OLD)
    done = run(vault, refusals={"show": "Failed to establish a new connection"})
    assert (done.returncode, done.stdout, len(calls(vault))) == (1, "", 1)
    assert "message-keys: Failed to establish" in done.stderr
    assert (vault / "message-keys").read_text() == OLD and not (vault / "callback-keys").exists()


def test_app_service_is_asked_by_azds_names_to_look_again(vault: Path) -> None:
    run(vault)
    assert [call["words"] for call in calls(vault, "rest")] == [
        ["rest", "--method", "post", "--url", ADDRESS, "--output", "none"]
    ]


def test_that_app_service_refuses_is_no_failure_and_told_with_its_cure(vault: Path) -> None:
    done = run(vault, refusals={"rest": "(AuthorizationFailed) no right over scope"})
    assert done.returncode == 0 and READ_AGAIN not in done.stdout
    assert "(AuthorizationFailed) no right" in done.stderr and f'az rest --method post --url "{ADDRESS}"' in done.stderr


@pytest.mark.parametrize("missing", APP)
def test_where_the_app_is_not_named_the_command_is_told(vault: Path, missing: str) -> None:
    done = run(vault, app={**APP, missing: ""})
    assert done.returncode == 0 and calls(vault, "rest") == []
    assert f'az rest --method post --url "{ADDRESS.replace(APP[missing], f"<{missing}>")}"' in done.stderr


def test_a_renewed_key_stands_before_the_old_ones_and_none_is_shown(vault: Path) -> None:
    (vault / "message-keys").write_text(f"{OLD},{OLDER}")
    done = run(vault, "--renew", "message-keys")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "message-keys: a new key is used, and 2 before it accepted\n" + READ_AGAIN
    new, *old = (vault / "message-keys").read_text().split(",")
    assert len(base64.b64decode(new, validate=True)) == 32 and old == [OLD, OLDER]
    shown = done.stdout + json.dumps(calls(vault))
    assert [key for key in (new, *old) if key in shown] == []
    assert not (vault / "callback-keys").exists()


def test_old_keys_are_dropped_and_the_one_that_is_used_stays(vault: Path) -> None:
    (vault / "callback-keys").write_text(f"{NEW},{OLD},{OLDER}")
    done = run(vault, "--drop-old", "callback-keys")
    assert done.stdout == f"callback-keys: only the newest key is accepted, 2 taken out. {SEALED}\n" + READ_AGAIN
    assert (vault / "callback-keys").read_text() == NEW
    again = run(vault, "--drop-old", "callback-keys")
    assert (again.returncode, again.stdout) == (0, "callback-keys: there is no old key\n" + READ_AGAIN)
    assert len(calls(vault, "set")) == 1


@pytest.mark.parametrize("option", ["--renew", "--drop-old"])
def test_what_cannot_be_read_is_neither_renewed_nor_dropped(vault: Path, option: str) -> None:
    """Writing then would take keys away that messages were sealed with."""
    (vault / "message-keys").write_text(f"{NEW},{OLD}")
    done = run(vault, option, "message-keys", refusals={"show": "Failed to establish a new connection"})
    assert done.returncode == 1 and done.stderr.endswith("then the same again.\n")
    assert calls(vault, "set") == [] and (vault / "message-keys").read_text() == f"{NEW},{OLD}"


@pytest.mark.parametrize("held", [None, "", " , "])
def test_a_key_that_was_never_made_is_made_by_renewing_it(vault: Path, held: str | None) -> None:
    if held is not None:
        (vault / "message-keys").write_text(held)
    assert (
        run(vault, "--drop-old", "message-keys").stdout
        == "message-keys: there is no key, --renew makes one\n" + READ_AGAIN
    )
    run(vault, "--renew", "message-keys")
    assert len(base64.b64decode((vault / "message-keys").read_text(), validate=True)) == 32


@pytest.mark.parametrize(
    "arguments",
    [("--renew",), ("--renew", "other-keys"), ("--renew", "message-keys", "--drop-old", "message-keys"), ("c2VjcmV0",)],
)
def test_arguments_that_it_does_not_know_change_nothing(vault: Path, arguments: tuple[str, ...]) -> None:
    done = run(vault, *arguments)
    assert done.returncode == 2 and "usage:" in done.stderr and not (vault / "calls").exists()


def test_without_the_azure_cli_it_says_what_to_install(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "AZURE_KEY_VAULT_NAME": "kv-cmg"}
    command = [sys.executable, str(INFRA / "make_keys.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Azure CLI" in done.stderr and "Traceback" not in done.stderr


def test_without_the_vaults_name_it_says_what_to_run(vault: Path) -> None:
    done = run(vault, name="")
    assert done.returncode == 2 and "azd provision" in done.stderr and not (vault / "calls").exists()


@pytest.mark.parametrize("name", ["AZURE_KEY_VAULT_NAME", "AZURE_RESOURCE_GROUP", "AZURE_APP_NAME"])
def test_the_template_tells_azd_what_the_script_reads(name: str) -> None:
    """The subscription's ID is azd's own."""
    assert name in template(INFRA / "main.bicep").part("outputs")


def test_what_messages_do_not_need_is_not_said_of_their_keys(vault: Path) -> None:
    (vault / "message-keys").write_text(f"{NEW},{OLD}")
    told = run(vault, "--drop-old", "message-keys").stdout
    assert told == "message-keys: only the newest key is accepted, 1 taken out\n" + READ_AGAIN


def test_the_help_says_what_is_lost_with_an_old_callback_key() -> None:
    done = subprocess.run([sys.executable, str(INFRA / "make_keys.py"), "--help"], capture_output=True, text=True)
    assert SEALED in " ".join(done.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("--renew", "message-keys"), ("--drop-old", "message-keys")])
@pytest.mark.parametrize("held", [f"not base64!,{NEW}", '{"a": "x,y"}'])
def test_a_secret_that_holds_what_is_no_key_is_told_and_left_as_it_is(
    vault: Path, held: str, arguments: tuple[str, ...]
) -> None:
    """Its first part need not be the key that is used: dropping the others could drop the only one."""
    (vault / "message-keys").write_text(held)
    done = run(vault, *arguments)
    assert (done.returncode, done.stdout) == (1, "") and f"message-keys: {NO_KEY}" in done.stderr
    assert calls(vault, "set") == [] and (vault / "message-keys").read_text() == held
    assert [part for part in held.split(",") if part in done.stderr] == []
    again = "the same again.\n" if arguments else "`azd hooks run postprovision` and `azd deploy`.\n"
    assert "list-versions" in done.stderr and done.stderr.endswith("then " + again)


@pytest.mark.parametrize("arguments", [(), ("--drop-old", "message-keys")])
@pytest.mark.parametrize("held", [f",{NEW}", f" {NEW} , "])
def test_empty_parts_are_taken_out_as_the_app_refuses_them(vault: Path, held: str, arguments: tuple[str, ...]) -> None:
    (vault / "message-keys").write_text(held)
    (vault / "callback-keys").write_text(OLD)
    done = run(vault, *arguments)
    told = "message-keys: kept, and written anew without its blanks and empty parts\n"
    assert (done.returncode, done.stdout.partition("callback")[0].removesuffix(READ_AGAIN)) == (0, told)
    assert (vault / "message-keys").read_text() == NEW


@pytest.mark.parametrize("held", ["", " , "])
def test_a_secret_that_holds_nothing_gets_its_key(vault: Path, held: str) -> None:
    (vault / "message-keys").write_text(held)
    assert run(vault).stdout.startswith("message-keys: made\n")
    assert is_key("message-keys", (vault / "message-keys").read_text())


@pytest.mark.parametrize("arguments", [(), ("--renew", "message-keys"), ("--drop-old", "message-keys")])
def test_who_was_written_over_is_told_to_run_it_again(vault: Path, arguments: tuple[str, ...]) -> None:
    """Of two runs at the same time the second would take the first one's new key away, and both say it is used."""
    if arguments:
        (vault / "message-keys").write_text(f"{NEW},{OLD}")
    done = run(vault, *arguments, meanwhile=OLDER)
    again = "the same again." if arguments else "`azd hooks run postprovision` and `azd deploy`."
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"message-keys: {MEANWHILE}\nRun {again}\n"


def app_takes(key: str, text: str) -> bool:
    storage = {"CmgStorage": "UseDevelopmentStorage=true"}
    try:
        return bool(read({**storage, "CMG_MESSAGE_KEYS": text}) if key == "message-keys" else read_keys(text).keys)
    except (SettingsError, ValueError):
        return False


@pytest.mark.parametrize("key", KEYS)
@given(
    text=st.builds(
        str.__add__,
        st.sampled_from([NEW[:-1], NEW[:-4], f"whsec_{NEW[:-2]}", "whsec"]),
        st.text("Az9+/=-_ é", max_size=3),
    )
)
def test_a_key_is_what_the_app_takes_for_one(key: str, text: str) -> None:
    assert is_key(key, text.strip()) == app_takes(key, text)
