"""Examples of calls with their real answers, as they were recorded from the samples."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from cmg_core.domain.values import Frozen, Json, JsonObject

FILE = Path(__file__).with_name("examples.json")


class Example(Frozen):
    """A call and what it was answered."""

    call: str
    """The route's name."""
    name: str
    about: str
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: Json = None
    status: int
    media_type: str = "application/json"
    answer: Json

    def parameter(self, place: str, name: str) -> str | None:
        """What the call gave as a parameter; None where it gave none, or was refused."""
        given = {"path": self.path, "query": self.query, "header": self.headers}[place]
        return given.get(name) if self.status < 400 else None

    @property
    def shown_body(self) -> JsonObject:
        return {"summary": self.about, "value": self.body}

    @property
    def shown_answer(self) -> JsonObject:
        return {"summary": self.about, "value": self.answer}


EXAMPLES = TypeAdapter(tuple[Example, ...])


@cache
def recorded() -> tuple[Example, ...]:
    """All examples that ship with the app."""
    return EXAMPLES.validate_json(FILE.read_bytes())


def examples_of(call: str) -> tuple[Example, ...]:
    """The examples of one call."""
    return tuple(each for each in recorded() if each.call == call)


def written(examples: tuple[Example, ...]) -> str:
    """The file's text."""
    made = EXAMPLES.dump_python(examples, mode="json", exclude_defaults=True)
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"
