"""Receivers of webhooks out on the internet: hosts of other companies, such as a ticket system's, that take posts.

What a receiver does is a state of the world: it serves, is down, answers with one status or another, is slow, or its
name leads elsewhere at every look. What it was sent is kept, so that tests see it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from local.azure.messages import Request, Response

if TYPE_CHECKING:
    from local.azure.world import World


class ReceiverSeed(BaseModel):
    """A receiver. ``addresses`` are those that its name has, all at once; with ``in_turn`` each look gives the next one
    (a name that is rebound). ``down_for_s`` counts from the moment when the world is built."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    addresses: Annotated[tuple[str, ...], Field(min_length=1)]
    in_turn: bool = False
    status: Annotated[int, Field(ge=200, le=599)] = 202
    headers: dict[str, str] = {}
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    down: bool = False
    down_for_s: Annotated[float, Field(ge=0)] = 0.0


class ReceiverChange(BaseModel):
    """What becomes of a receiver; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    headers: dict[str, str] | None = None
    delay_s: Annotated[float, Field(ge=0)] | None = None
    down: bool | None = None


@dataclass(frozen=True)
class Received:
    """One post with its answer; of the target only the path, because queries hold signatures."""

    at: datetime
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


@dataclass
class Receiver:
    """A receiver as it stands."""

    host: str
    addresses: tuple[str, ...]
    in_turn: bool
    status: int
    headers: dict[str, str]
    delay_s: float
    down: bool
    down_until: datetime
    looks: int = 0
    received: list[Received] = field(default_factory=list)

    def is_up(self, now: datetime) -> bool:
        """Whether it takes connections."""
        return not self.down and now >= self.down_until

    def resolved(self) -> tuple[str, ...]:
        """The addresses that its name has at this look."""
        if not self.in_turn:
            return self.addresses
        self.looks += 1
        return (self.addresses[(self.looks - 1) % len(self.addresses)],)

    def answer(self, request: Request, now: datetime) -> Response:
        """Take a post."""
        self.received.append(Received(now, request.path, dict(request.headers), request.body, self.status))
        return Response(self.status, tuple(self.headers.items()), b"", self.delay_s)


def receiver_from_seed(seed: ReceiverSeed, now: datetime) -> Receiver:
    """The receiver that a description asks for."""
    down_until = now + timedelta(seconds=seed.down_for_s)
    return Receiver(
        seed.host.lower(), seed.addresses, seed.in_turn, seed.status, dict(seed.headers), seed.delay_s, seed.down,
        down_until,
    )  # fmt: skip


def change_receiver(receiver: Receiver, change: ReceiverChange) -> None:
    """Let it stand as asked."""
    for name, value in change.model_dump(exclude={"host"}, exclude_none=True).items():
        setattr(receiver, name, value)


def receiver_at(world: "World", address: str) -> Receiver | None:
    """Who stands behind an address."""
    return next((each for each in world.receivers.values() if address in each.addresses), None)


def heard(bodies: Sequence[bytes]) -> list[str]:
    """What is wrong with what a receiver took, judged by the events alone: not in order, or without an end. Twice is no
    mistake, as long as it is the same event again."""
    events = [json.loads(body) for body in bodies]
    first = list(dict.fromkeys((event["source"], event["sequence"]) for event in events))
    wrong = [] if first == sorted(first) else ["events came out of order"]
    if not events or not events[-1]["type"].endswith(".ended"):
        wrong.append("the end was not told")
    return wrong


def receivers_view(world: "World") -> Iterator[dict[str, Any]]:
    """What receivers were sent, as ``/_sim/state`` shows it."""
    for receiver in world.receivers.values():
        yield {
            "host": receiver.host,
            "received": [
                {
                    "at": each.at.isoformat(),
                    "path": each.path,
                    "headers": each.headers,
                    "body": each.body.decode(errors="replace"),
                    "status": each.status,
                }
                for each in receiver.received
            ],
        }
