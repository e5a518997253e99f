"""Gates: where a deployment waits for the world. Each is ``waiting`` or ``open`` (procedures, "Words")."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cmg_core.domain.principals import Principal
from cmg_core.domain.values import Moment


class GateName(StrEnum):
    """The gates that a plan may hold, in the words of the procedures."""

    APPROVAL = "approval"
    GATEWAY_CREATED = "gateway-created"
    CONNECTION_POINT_CONNECTED = "connection-point-connected"
    CONTENT_READY = "content-ready"
    READY_TO_CUT_OVER = "ready-to-cut-over"
    CNAME = "cname"
    INSIDE_DNS = "inside-dns"
    CLIENTS_MOVED = "clients-moved"
    SITE_RECORD_REMOVED = "site-record-removed"
    CONNECTION_POINT_REMOVED = "connection-point-removed"


class Opener(StrEnum):
    """Who or what opens a gate."""

    PERSON = "person"
    APP = "app"
    APP_OR_PERSON = "app or person"
    """The app observes; where it cannot tell, a person may vouch."""


OBSERVATION = "observation"
"""Who opened a gate that the app saw open."""


@dataclass(frozen=True)
class Gate:
    """A gate of one deployment. ``asked_at`` is the moment from which the deployment waits at it."""

    name: GateName
    opener: Opener
    what_to_do: str
    early: bool = False
    """Whether it may be opened before the deployment waits at it."""
    asked_at: Moment | None = None
    opened_at: Moment | None = None
    opened_by: str = ""
    reason: str = ""
    opened_as: Annotated[Principal | None, Field(exclude_if=lambda given: given is None)] = None
    """Who opened it by a call, as far as it was verified: ``opened_by`` is what people write. Left out of the ledger's
    row where there is nobody: the row holds no more than it must."""

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None


def seen_open(name: GateName, seen: str) -> str:
    """What the history says of a gate that the app saw open."""
    return f"the gate {name} is open: {seen}"


LONGEST_LOOK = timedelta(minutes=15)
"""After how long a gate that the app observes is looked at again, at the longest (engine-protocol, "Settings")."""


def until_next_look(waited: timedelta) -> timedelta:
    """How long to wait before a gate is looked at again, given how long it has waited.

    After 1, 2, 5, 15 and 30 s, then each minute, after an hour every 15 minutes (engine-protocol, "Settings").
    """
    looks = (1, 3, 8, 23, 53)
    for look in looks:
        if waited < timedelta(seconds=look):
            return timedelta(seconds=look) - waited
    return timedelta(minutes=1) if waited < timedelta(hours=1) else LONGEST_LOOK
