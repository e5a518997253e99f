"""The requests that the pages show as JSON."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from cmg_core.domain.values import Json, JsonObject

_BLOCK = re.compile(r"^ *```json\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def requests_of(page: Path) -> Iterator[JsonObject]:
    """Each request of a page, in their order. Raises ValueError for one that is no JSON."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if '"provisioned_by"' in block:
            shown: Json = json.loads(block)
            assert isinstance(shown, dict), f"{page}: a request is an object"
            yield shown
