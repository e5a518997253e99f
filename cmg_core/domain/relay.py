"""What a gateway's answer to a probe without a token says (procedures, "Relays")."""

from enum import StrEnum
from typing import Protocol

from cmg_core.domain.certificates import fingerprint
from cmg_core.domain.plans import PinnedCertificate

GATEWAY = "CMGService_"
"""A status text that begins so was made by the gateway itself."""
CONNECTION_POINT = "CMGConnector_"
"""A status text that begins so came through a connection point (inferred)."""


class Reply(Protocol):
    """What came of dialing: the leaf that was shown (DER), an HTTP status with its text, or a failure."""

    @property
    def leaf(self) -> bytes: ...

    @property
    def status(self) -> int: ...

    @property
    def status_text(self) -> str: ...

    @property
    def failure(self) -> str: ...


class Answer(StrEnum):
    """What a client can make of an answer."""

    SILENT = "silent"
    FAILS = "fails"
    """Any 5xx, whoever made it."""
    UNPROVEN = "unproven"
    """Something answers, nothing says that it is a gateway."""
    ALIVE = "alive"
    """The gateway itself answered; whether it relays is unproven."""
    RELAYS = "relays"
    """The answer came through a connection point, or is the management point's."""


def answer_of(reply: Reply) -> Answer:
    """Judge one answer. TLS alone proves nothing, so it is no argument here."""
    if reply.failure or not reply.status:
        return Answer.SILENT
    if reply.status >= 500:
        return Answer.FAILS
    if reply.status_text.startswith(GATEWAY):
        return Answer.ALIVE
    if reply.status_text.startswith(CONNECTION_POINT) or 200 <= reply.status < 300:
        return Answer.RELAYS
    return Answer.UNPROVEN


def relays(reply: Reply, attested: bool = False) -> bool:
    """Whether the gateway answers for the management point.

    Where a person has ``attested`` that it does, its own answer to a stranger is enough, as long as it is no failure.
    """
    answer = answer_of(reply)
    return answer is Answer.RELAYS or (attested and answer is Answer.ALIVE)


def in_words(reply: Reply) -> str:
    """What an answer means, for a person."""
    answered = f"{reply.status} {reply.status_text}".strip()
    match answer_of(reply):
        case Answer.SILENT:
            return f"No answer: {reply.failure or 'nothing came back'}."
        case Answer.RELAYS if reply.status_text.startswith(CONNECTION_POINT):
            return f"It relays: {answered} came through a connection point."
        case Answer.RELAYS:
            return f"It relays: {answered} is the management point's answer."
        case _ if reply.status_text.startswith(GATEWAY):
            return f"It does not relay yet: {answered} is the gateway's own answer, no connection point's."
        case _:
            return f"It does not relay: it answered {answered}."


def is_gateway(reply: Reply) -> bool:
    """Whether a gateway's software answered, be it to say that no connection point is connected."""
    return relays(reply) or (not reply.failure and reply.status_text.startswith((GATEWAY, CONNECTION_POINT)))


def shows_certificate(reply: Reply, expected: PinnedCertificate) -> bool:
    """Whether the leaf that was shown is exactly the expected one: compared by SHA-256, never by name."""
    return bool(reply.leaf) and fingerprint(reply.leaf) == expected.fingerprint
