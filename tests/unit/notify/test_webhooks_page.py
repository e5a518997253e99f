"""What docs/webhooks.md shows is run: its example verifies what is posted, its tables name what there is."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmg_core.domain.record import Happening
from cmg_core.notify.cloud_events import TYPES
from cmg_core.notify.keys import CallbackKeys
from cmg_core.triggers.http import ROUTES
from local.inprocess.listeners import KEYS
from tests.unit.notify.listening import happens, listened_to, told

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
KEY = base64.b64encode(KEYS.keys[0]).decode()

type Verified = Callable[[Mapping[str, str], bytes, str], bool]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def verified() -> Verified:
    (example,) = blocks("python")
    names: dict[str, Verified] = {}
    exec(example, names)  # noqa: S102 (the page's own example is what is tested)
    return names["verified"]


def posted() -> tuple[dict[str, str], bytes]:
    """Headers and body of a post that was made just now."""
    services = listened_to()
    services.clock.at = datetime.now(UTC)
    told(services)
    _, _, headers, body = services.poster.posted[0]
    return {name.lower(): value for name, value in headers.items()}, body


def test_the_example_believes_what_the_app_posts_and_nothing_else(verified: Verified) -> None:
    headers, body = posted()
    assert verified(headers, body, KEY) and verified(headers, body, f"whsec_{KEY}")
    assert not verified(headers, body + b" ", KEY)
    assert not verified(headers | {"webhook-id": "another"}, body, KEY)
    assert not verified(headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body, KEY)
    assert not verified(headers, body, base64.b64encode(b"n" * 32).decode())
    assert not verified({}, body, KEY)


def test_the_example_refuses_what_is_old_though_it_is_signed(verified: Verified) -> None:
    stamp = int(time.time()) - 301
    headers = {"webhook-id": "x", "webhook-timestamp": str(stamp), "webhook-signature": KEYS.signature("x", stamp, b"")}
    assert not verified(headers, b"", KEY)


def test_the_example_believes_either_key_while_they_rotate(verified: Verified) -> None:
    stamp, both = int(time.time()), CallbackKeys((b"n" * 32, *KEYS.keys))
    headers = {"webhook-id": "x", "webhook-timestamp": str(stamp), "webhook-signature": both.signature("x", stamp, b"")}
    assert verified(headers, b"", KEY) and verified(headers, b"", base64.b64encode(b"n" * 32).decode())


def test_the_page_lists_each_type_and_shows_each_member() -> None:
    assert re.findall(r"^\| `(cmg\.deployment\.[a-z-]+)` \|", PAGE, re.MULTILINE) == list(TYPES)
    shown = json.loads(blocks("json")[0])
    services = listened_to()
    happens(services, *Happening)
    told(services)
    for *_, body in services.poster.posted:
        event = json.loads(body)
        assert list(event) == list(shown) and list(event["data"]) == list(shown["data"])


def test_the_calls_of_the_page_are_calls_of_the_app() -> None:
    action = json.loads(blocks("json")[1])["inputs"]
    known = {(route.method, route.path) for route in ROUTES}
    for call in (action["subscribe"], action["unsubscribe"]):
        path = call["uri"].removeprefix("@{variables('app')}/api/").replace("@{variables('id')}", "{id}")
        assert (call["method"], path) in known
    assert set(action["subscribe"]["body"]["types"]) <= set(TYPES)
