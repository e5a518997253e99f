"""Odd inputs: valid documents with something wrong in them, and secrets where none belongs."""

from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

MARK = "bm90IGEgcmVhbCBzZWNyZXQ"
"""A part of every secret below: where it turns up, a secret has got out."""

SECRETS = [
    f"DefaultEndpointsProtocol=https;AccountName=cmg;AccountKey={MARK}==",
    f"https://cmg.queue.core.windows.net/q?sv=2024&sig={MARK}",
    f"eyJhbGciOiJub25lIn0.{MARK}.c2lnbmF0dXJl",
    f"Bearer eyJhbGciOiJub25lIn0.{MARK}.c2lnbmF0dXJl",
    f"-----BEGIN {'PRIVATE'} KEY-----\n{MARK}",
    f"password: {MARK}",
    f"code={MARK}",
]

texts = st.text(max_size=20) | st.sampled_from(["", " ", "null", "../..", "%00", "\x00", "٣", "İ", "x" * 300])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 2**31, 2**63, 1e308])
    | st.floats()
    | texts
    | st.sampled_from(SECRETS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def examples(part: int) -> settings:
    """For tests whose inputs take longer: one in ``part`` of the profile's number."""
    return settings(max_examples=max(3, settings.default.max_examples // part))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key])]


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> Any:
    """The document with one to three things taken out, put in, or replaced, at any depth."""
    made = {"": deepcopy(document)}
    for _ in range(draw(st.integers(1, 3))):
        places = _places(made)
        container, key = draw(st.sampled_from(places[1:] or places))
        match draw(st.sampled_from(["replaced", "taken out", "put in", "copied"])):
            case "taken out" if container is not made:
                del container[key]
            case "put in" if isinstance(container, dict) and container is not made:
                container[draw(texts | st.sampled_from(SECRETS))] = draw(values)
            case "copied":
                container[key] = deepcopy(draw(st.sampled_from(places))[0])
            case _:
                container[key] = draw(values)
    return made[""]
