"""What the callback keys do: sign each post, and seal the addresses that callers give."""

import base64
import hmac
import uuid
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_KEY = 32
"""Bytes: as many as HMAC-SHA256 gives (RFC 2104, section 3)."""
PREFIX = "whsec_"
"""How Standard Webhooks writes a symmetric key ("Signature scheme"); a key may be given with or without it."""


class NotSealedHere(Exception):
    """An address that none of the keys opens: its key was taken away."""


@dataclass(frozen=True)
class CallbackKeys:
    """The keys of the settings, the present one first; further ones are those that receivers still know."""

    keys: tuple[bytes, ...] = field(repr=False)

    def signature(self, id: str, timestamp: int, body: bytes) -> str:
        """The header ``webhook-signature``: one signature a key over ``id.timestamp.body`` (Standard Webhooks 1.0)."""
        signed = b".".join((id.encode(), str(timestamp).encode(), body))
        made = (base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self.keys)
        return " ".join(f"v1,{signature}" for signature in made)

    def seal(self, address: str) -> str:
        """An address as storage may hold it."""
        return self._seals.encrypt(address.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The address. Raises NotSealedHere."""
        try:
            return self._seals.decrypt(sealed).decode()
        except InvalidToken:
            raise NotSealedHere("the address was sealed by a key that the settings do not hold any more") from None

    def subscription_id(self, deployment_id: str, address: str) -> str:
        """The same for the same address, so that a repeated call makes no second one; nothing of it can be guessed."""
        told = hmac.digest(_derived(self.keys[0], b"subscription"), f"{deployment_id}\n{address}".encode(), "sha256")
        return str(uuid.UUID(bytes=told[:16], version=4))

    @cached_property
    def _seals(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key, b"address"))) for key in self.keys])


def read_keys(text: str) -> CallbackKeys:
    """The keys of a setting, comma-separated. Raises ValueError; no text of a key is repeated."""
    return CallbackKeys(tuple(_key(part.strip()) for part in text.split(",") if part.strip()))


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError("one of them is no base64") from None
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"one of them has fewer than {SHORTEST_KEY} bytes")
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose (RFC 5869): what signs seals nothing."""
    return HKDF(SHA256(), 32, salt=None, info=b"cmg callbacks: " + purpose).derive(key)
