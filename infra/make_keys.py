"""Make the app's own keys in its vault, where they are missing: run by ``azd`` after it has made the resources.

What messages are sealed with (``message-keys``) and callbacks are signed with (``callback-keys``): 32 random
bytes each, in base64. A key that is there is kept, so that a second run changes nothing, and one that cannot be
looked for is not made; docs/operations.md says how to change one. Needs the Azure CLI, signed in as somebody who
may write secrets in the vault, where the vault answers.
"""

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEYS = ("message-keys", "callback-keys")
AGAIN = "`azd hooks run postprovision` and `azd deploy`."
WAIT = (
    "A role given minutes ago may not hold yet, and a vault in a private network answers in that network only. "
    "Wait, or go there; then "
)


def main() -> int:
    vault = os.environ.get("AZURE_KEY_VAULT_NAME", "")
    if not vault:
        print("AZURE_KEY_VAULT_NAME is not set: run `azd provision` first, it tells this script.", file=sys.stderr)
        return 2
    if shutil.which("az") is None:
        print("The Azure CLI (az) is not on PATH: install it, sign in, then " + AGAIN, file=sys.stderr)
        return 2
    for name in KEYS:
        shown = _az("show", vault, name)
        if shown.returncode == 0:
            print(f"{name}: kept")
            continue
        done = _make(vault, name) if "SecretNotFound" in shown.stderr else shown
        if done.returncode != 0:
            print(f"{name}: {done.stderr.strip()}\n{WAIT}{AGAIN}", file=sys.stderr)
            return 1
        print(f"{name}: made")
    return 0


def _make(vault: str, name: str) -> "subprocess.CompletedProcess[str]":
    """By way of a file that only this user can read: arguments show in lists of processes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        file.touch(mode=0o600)
        file.write_text(base64.b64encode(secrets.token_bytes(32)).decode("ascii"))
        return _az("set", vault, name, "--file", str(file))


def _az(verb: str, vault: str, name: str, *more: str) -> "subprocess.CompletedProcess[str]":
    words = ["az", "keyvault", "secret", verb, "--vault-name", vault, "--name", name, "--output", "none", *more]
    return subprocess.run(words, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
