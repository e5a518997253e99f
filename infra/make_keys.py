"""Make the app's own keys in its vault, where they are missing: run by ``azd`` after it has made the resources.

What messages are sealed with (``message-keys``) and callbacks are signed with (``callback-keys``): 32 random
bytes each, in base64. A key that is there is kept, so that a second run changes nothing, and one that cannot be
looked for is not made. Where a secret holds anything that the app would not take for a key, and for which it would
refuse all its settings, that is told and nothing changed. Needs the Azure CLI, signed in as somebody who may write
secrets in the vault, where the vault answers, and Python 3.9 or newer: the one that is on the machine.
docs/operations.md has when to renew a key.

App Service keeps what a reference to a secret came to for up to 24 hours, "there is none" too, unless it is asked to
look again (Microsoft Learn, "Use Key Vault references as app settings", "Understand rotation").
"""

import argparse
import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEYS = ("message-keys", "callback-keys")
PREFIX = "whsec_"
"""How Standard Webhooks writes a key ("Signature scheme"): callback keys may be written so, too."""
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
SHORTEST = 32
"""Bytes of a key that the app takes."""
PAUSES = 10
"""How often a right that does not hold yet is waited for; each is a minute, and a role takes up to ten
(Microsoft Learn, "Troubleshoot Azure RBAC")."""
NO_RIGHT_YET = ("ForbiddenByRbac", "Caller is not authorized to perform action")
NO_KEY = "the secret holds what is no key: nothing was changed"
MEANWHILE = "somebody else wrote it meanwhile"
AS_READ = "kept, and written anew without its blanks and empty parts"
SEALED = (
    "Addresses of listeners that an older callback key sealed cannot be opened any more: nothing is posted to them."
)
OUT_OF_REACH = ("ForbiddenByConnection", "ForbiddenByFirewall", "Public network access is disabled")
APP = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_APP_NAME")
LOOK_AGAIN = (
    "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Web/sites/{}"
    "/config/configreferences/appsettings/refresh?api-version=2022-03-01"
)


class Refused(Exception):
    """Why one of the keys was not made or changed: what Azure said, or what its secret holds."""


class Vault:
    """The app's vault, by way of the Azure CLI."""

    def __init__(self, az: str, name: str, pause: float) -> None:
        self._az, self._name, self._pause, self._pauses_left = az, name, pause, PAUSES
        # azd's subscription: the Azure CLI has a default of its own, perhaps in another tenant.
        subscription = os.environ.get("AZURE_SUBSCRIPTION_ID")
        self._where = ("--subscription", subscription) if subscription else ()

    def held(self, key: str) -> "str | None":
        """What the secret holds, as it is written; None where there is none."""
        shown = self._ask("show", key, "--query", "value", "--output", "tsv")
        if shown.returncode == 0:
            return shown.stdout.rstrip("\r\n")
        if "SecretNotFound" in shown.stderr:
            return None
        raise Refused(f"{key}: {shown.stderr.strip()}")

    def put(self, key: str, keys: "list[str]") -> None:
        """By way of a file that only this user can read: arguments show in lists of processes. Looks afterwards, as of
        two who write at the same time one loses a key."""
        text = ",".join(keys)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "key")
            file.touch(mode=0o600)
            file.write_text(text)
            done = self._ask("set", key, "--file", str(file), "--output", "none")
        if done.returncode != 0:
            raise Refused(f"{key}: {done.stderr.strip()}")
        if self.held(key) != text:
            raise Refused(f"{key}: {MEANWHILE}")

    def _ask(self, verb: str, key: str, *more: str) -> "subprocess.CompletedProcess[str]":
        words = ("keyvault", "secret", verb, "--vault-name", self._name, "--name", key, *self._where, *more)
        done = run(self._az, *words)
        while done.returncode != 0 and says(done.stderr, NO_RIGHT_YET) and self._pauses_left:
            until = time.strftime("%H:%M", time.localtime(time.time() + self._pauses_left * self._pause))
            print(f"{key}: the right to it does not hold yet, tried again each minute until {until}", flush=True)
            time.sleep(self._pause)
            self._pauses_left -= 1
            done = run(self._az, *words)
        return done


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)


def says(text: str, phrases: "tuple[str, ...]") -> bool:
    return any(phrase in text for phrase in phrases)


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def is_key(key: str, text: str) -> bool:
    """Whether the app takes it for one of these keys."""
    coded = text.removeprefix(PREFIX) if key == "callback-keys" else text
    whole = BASE64.fullmatch(coded) and len(coded) % 4 == 0
    return bool(whole) and len(base64.b64decode(coded)) >= SHORTEST


def keys_in(key: str, held: "str | None") -> "list[str]":
    """The key that is used, then those that are accepted still. An empty part, which the app refuses, is none."""
    found = [part.strip() for part in (held or "").split(",") if part.strip()]
    if not all(is_key(key, part) for part in found):
        raise Refused(f"{key}: {NO_KEY}")
    return found


def make(vault: Vault, key: str) -> None:
    held = vault.held(key)
    keys = keys_in(key, held)
    if keys and held == ",".join(keys):
        print(f"{key}: kept", flush=True)
        return
    vault.put(key, keys or [new_key()])
    print(f"{key}: {AS_READ if keys else 'made'}", flush=True)


def renew(vault: Vault, key: str) -> None:
    old = keys_in(key, vault.held(key))
    vault.put(key, [new_key(), *old])
    print(f"{key}: a new key is used, and {len(old)} before it accepted", flush=True)


def drop_old(vault: Vault, key: str) -> None:
    held = vault.held(key)
    used, *old = keys_in(key, held) or [""]
    if not used:
        print(f"{key}: there is no key, --renew makes one", flush=True)
        return
    if held == used:
        print(f"{key}: there is no old key", flush=True)
        return
    vault.put(key, [used])
    if not old:
        print(f"{key}: {AS_READ}", flush=True)
        return
    sealed = f". {SEALED}" if key == "callback-keys" else ""
    print(f"{key}: only the newest key is accepted, {len(old)} taken out{sealed}", flush=True)


def have_app_service_look_again(az: str) -> None:
    """Not being able to is no failure: the keys are in the vault, and App Service finds them there a day later."""
    address = LOOK_AGAIN.format(*(os.environ.get(name) or f"<{name}>" for name in APP))
    if all(os.environ.get(name) for name in APP):
        done = run(az, "rest", "--method", "post", "--url", address, "--output", "none")
        if done.returncode == 0:
            print("App Service reads the vault again", flush=True)
            return
        why = done.stderr.strip()
    else:
        why = f"{', '.join(APP)}: not all of them are set."
    print(
        f"App Service was not asked to read the vault again: {why}\n"
        "It does so by itself within 24 hours. Until then the app has no key, or the old one. To have it at once:\n"
        f'  az rest --method post --url "{address}"',
        file=sys.stderr,
    )


def cure(refusal: str) -> str:
    """What helps against it, as the beginning of a sentence that ends with what to run again."""
    if says(refusal, OUT_OF_REACH):
        return "This vault answers in its private network only, and waiting does not help: go to a machine in it, then "
    if says(refusal, NO_RIGHT_YET):
        return (
            "Who is signed in to the Azure CLI (`az account show`) has no right to this vault's secrets. "
            "`azd provision` gave it to who is signed in to azd: sign in as the same, or give yourself the role "
            "Key Vault Secrets Officer on the vault; then "
        )
    if says(refusal, (MEANWHILE,)):
        return "Run "
    if says(refusal, (NO_KEY,)):
        return (
            "The app takes base64 of 32 bytes or more, with commas between the keys, and refuses all its settings "
            "otherwise. Take out what is none, or bring back the version before (`az keyvault secret list-versions`, "
            "`download` with --id, `set` with --file), then "
        )
    return "Put right what it says, then "


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make_keys.py",
        description="Make the app's own keys in the vault AZURE_KEY_VAULT_NAME, where they are missing, and have App "
        "Service read them. No key is shown, on the screen or in a list of processes.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--renew", choices=KEYS, help="use a new key, and accept those before it still")
    what.add_argument("--drop-old", choices=KEYS, help=f"accept no key but the one that is used. {SEALED}")
    parser.add_argument(
        "--pause", type=float, default=60, metavar="SECONDS", help=f"between {PAUSES} tries for a right (%(default)s)"
    )
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    again = "the same again." if asked.renew or asked.drop_old else "`azd hooks run postprovision` and `azd deploy`."
    name, az = os.environ.get("AZURE_KEY_VAULT_NAME", ""), shutil.which("az")  # on Windows az.cmd
    if not name:
        print("AZURE_KEY_VAULT_NAME is not set: run `azd provision` first, it tells this script.", file=sys.stderr)
        return 2
    if az is None:
        print("The Azure CLI (az) is not on PATH: install it, sign in, then " + again, file=sys.stderr)
        return 2
    vault = Vault(az, name, asked.pause)
    try:
        if asked.renew:
            renew(vault, asked.renew)
        elif asked.drop_old:
            drop_old(vault, asked.drop_old)
        else:
            for key in KEYS:
                make(vault, key)
    except Refused as refusal:
        print(f"{refusal}\n{cure(str(refusal))}{again}", file=sys.stderr)
        return 1
    have_app_service_look_again(az)
    return 0


if __name__ == "__main__":
    sys.exit(main())
