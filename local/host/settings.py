"""What the host obeys: host.json, the keys, and the settings of the app."""

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

TIME_SPAN = re.compile(r"^(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2}):(?P<seconds>\d{2}(?:\.\d+)?)$")
SETTING = re.compile(r"%([^%]+)%")


class HostError(Exception):
    """The app or its settings cannot be hosted; the text says why."""


def time_span(value: object) -> object:
    """Reads .NET's `[d.]hh:mm:ss[.fff]`, as host.json writes durations; leaves everything else to pydantic."""
    match = TIME_SPAN.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    return timedelta(**{unit: float(number) for unit, number in match.groupdict(default="0").items()})


Span = Annotated[timedelta, BeforeValidator(time_span)]


class Section(BaseModel):
    """A part of host.json; parts that this host knows nothing of are ignored, as the real host does."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=AliasGenerator(validation_alias=to_camel))


class Http(Section):
    route_prefix: str = "api"


class Queues(Section):
    """Defaults and limits as in "host.json settings" of Azure Queue storage bindings."""

    max_polling_interval: Span = Field(timedelta(minutes=1), ge=timedelta(milliseconds=100))
    visibility_timeout: Span = timedelta(0)
    batch_size: int = Field(16, ge=1, le=32)
    new_batch_threshold: int | None = Field(None, ge=0)
    max_dequeue_count: int = Field(5, ge=1)
    message_encoding: Literal["base64", "none"] = "base64"

    @property
    def refill_at(self) -> int:
        """The next batch is fetched when no more than this many messages are being worked on."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class Extensions(Section):
    http: Http = Http()
    queues: Queues = Queues()


class Singleton(Section):
    """Who may run a timer: a lease of `listener_lock_period`, asked for again each recovery interval."""

    listener_lock_period: Span = Field(timedelta(minutes=1), ge=timedelta(seconds=15), le=timedelta(minutes=1))
    listener_lock_recovery_polling_interval: Span = timedelta(minutes=1)


class HostJson(Section):
    version: Literal["2.0"]
    function_timeout: Span | None = None
    extensions: Extensions = Extensions()
    singleton: Singleton = Singleton()


def read_host_json(app: Path) -> HostJson:
    """Raises HostError where the file is missing, and pydantic's error where it says what cannot be."""
    file = app / "host.json"
    if not file.is_file():
        raise HostError(f"{app} has no host.json, so it is no function app")
    return HostJson.model_validate_json(file.read_bytes())


class Keys(BaseModel):
    """The app's keys, as the setting CMG_HOST_KEYS gives them. Without it nobody has a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    function: dict[str, str] = {}
    master: str | None = None


def read_keys(environment: Mapping[str, str]) -> Keys:
    return Keys.model_validate_json(environment.get("CMG_HOST_KEYS", "{}"))


def resolve(value: str) -> str:
    """Puts app settings in for `%NAME%`, as the real host does in queue names and schedules."""

    def setting(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise HostError(f"the app asks for the setting {match[1]}, which is not set")
        return os.environ[match[1]]

    return SETTING.sub(setting, value)


def host_id(app: Path) -> str:
    """Names the app's own blobs; several hosts of one app share it."""
    given = os.environ.get("AzureFunctionsWebHost__hostid")  # noqa: SIM112 (the setting's name)
    return given or f"local-{hashlib.sha256(str(app).encode()).hexdigest()[:16]}"
