"""host.json, keys and app settings as the host reads them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from local.host.http import allowed
from local.host.queues import Undecodable, decode
from local.host.settings import (
    HostError,
    HostJson,
    Keys,
    read_host_json,
    read_keys,
    resolve,
)

ROOT = Path(__file__).resolve().parents[3]


def test_the_defaults_are_those_of_the_real_host() -> None:
    settings = HostJson.model_validate({"version": "2.0"})
    queues = settings.extensions.queues
    assert settings.extensions.http.route_prefix == "api"
    assert (queues.max_polling_interval, queues.visibility_timeout) == (timedelta(minutes=1), timedelta(0))
    assert (queues.batch_size, queues.refill_at, queues.max_dequeue_count) == (16, 8, 5)


def test_the_product_asks_its_queues_each_second() -> None:
    """A message sent through the SDK wakes no listener."""
    queues = read_host_json(ROOT).extensions.queues
    assert queues.max_polling_interval == timedelta(seconds=1)
    assert queues.max_dequeue_count == 5


def test_time_spans_are_read_as_dot_net_writes_them() -> None:
    written = {"version": "2.0", "functionTimeout": "1.02:03:04.5"}
    settings = HostJson.model_validate_json(json.dumps(written))
    assert settings.function_timeout == timedelta(days=1, hours=2, minutes=3, seconds=4.5)


@pytest.mark.parametrize("queues", [{"batchSize": 33}, {"messageEncoding": "utf8"}, {"maxPollingInterval": "soon"}])
def test_settings_that_the_real_host_refuses(queues: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HostJson.model_validate({"version": "2.0", "extensions": {"queues": queues}})


def test_without_keys_only_anonymous_functions_answer() -> None:
    keys = read_keys({})
    assert allowed(keys, "anonymous", "")
    assert not allowed(keys, "function", "")
    assert not allowed(keys, "admin", "")


def test_a_key_opens_its_level_and_the_master_key_each() -> None:
    keys = Keys(function={"default": "one", "tickets": "two"}, master="all")
    assert allowed(keys, "function", "two")
    assert not allowed(keys, "function", "öther")
    assert not allowed(keys, "admin", "one")
    assert allowed(keys, "function", "all")
    assert allowed(keys, "admin", "all")


def test_a_wrong_keys_setting_is_refused_without_showing_a_key() -> None:
    with pytest.raises(ValidationError) as refused:
        read_keys({"CMG_HOST_KEYS": '{"function": "secret-text"}'})
    assert "secret-text" not in str(refused.value)


def test_app_settings_stand_in_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_QUEUE", "orders")
    assert resolve("%SOME_QUEUE%-now") == "orders-now"
    with pytest.raises(HostError, match="OTHER_QUEUE"):
        resolve("%OTHER_QUEUE%")


def test_bodies_are_decoded_as_host_json_says() -> None:
    assert decode("Z3LDvMOfZQ==", "base64") == "grüße"
    assert decode("plain", "none") == "plain"
    for broken in ("<xml>", "gA==", "Zg="):
        with pytest.raises(Undecodable):
            decode(broken, "base64")
