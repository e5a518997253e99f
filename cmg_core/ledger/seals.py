"""The seal on a message: whose queue it lies in proves nothing, so its copy of the state counts only under our key.

HMAC-SHA256 (RFC 2104) over the message's own JSON without its seal: schema, deployment, step, revision, ETag and state,
whatever is added to them later, too. What is sealed is what was read, so that no two readings of one text can differ.
"""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import Self

from cmg_core.domain.record import MESSAGE, Message

SHORTEST_KEY = 32
"""Bytes: no shorter than the hash's output (RFC 2104, section 3)."""


@dataclass(frozen=True)
class Seals:
    """Seals with the first key, accepts every one: so keys are changed without a stop. Without keys no seal is good."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def of_a_new_key(cls) -> Self:
        """With a random key, for queues that end with the process."""
        return cls((secrets.token_bytes(SHORTEST_KEY),))

    def sealed(self, message: Message) -> Message:
        """The message under the first key's seal. Without keys it loses its state, which nobody would believe."""
        if not self.keys:
            return replace(message, state=None, seal="")
        return replace(message, seal=_seal(self.keys[0], _sealed_text(message)))

    def are_on(self, message: Message) -> bool:
        """Whether the message bears a seal of one of the keys."""
        text, given = _sealed_text(message), message.seal.encode()
        return any(hmac.compare_digest(_seal(key, text).encode(), given) for key in self.keys)


def _sealed_text(message: Message) -> bytes:
    return MESSAGE.dump_json(replace(message, seal=""), by_alias=True)


def _seal(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()
