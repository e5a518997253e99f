"""What the work tells operators, said in the product's own words. Imports nothing of OpenTelemetry."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

type Fact = str | int | float | bool
type Facts = Mapping[str, Fact]
"""By name, as OpenTelemetry writes names. Never a secret, never the address of a callback, no query of an address."""


class Span(Protocol):
    """A piece of work while it is done."""

    def tell(self, facts: Facts) -> None:
        """What else is known of it."""
        ...


class Telemetry(Protocol):
    """What operators see of the work: one trace a deployment, and figures. Nothing of it ever raises or decides.

    Names and facts of figures are few; what is different for each deployment belongs to spans alone.
    """

    def accepted(self, deployment_id: str, facts: Facts) -> None:
        """The root of a deployment's trace, once its record stands."""
        ...

    def working(self, deployment_id: str, name: str, facts: Facts, revision: int = 0) -> AbstractContextManager[Span]:
        """Work on a deployment, in its trace. It goes on from the save of ``revision``, however long ago that was."""
        ...

    def saved(self, deployment_id: str, revision: int, facts: Facts) -> None:
        """What the work going on has saved: the next piece of work goes on from here."""
        ...

    def calling(self, service: str, name: str, facts: Facts) -> AbstractContextManager[Span]:
        """A call to outside, as a part of the work that makes it; where there is none it is only counted."""
        ...

    def count(self, name: str, by: Facts) -> None:
        """One more of something."""
        ...

    def measure(self, name: str, seconds: float, by: Facts) -> None:
        """How long something took."""
        ...


class Untold:
    """No telemetry, which costs nothing."""

    def tell(self, facts: Facts) -> None: ...

    def accepted(self, deployment_id: str, facts: Facts) -> None: ...

    def working(self, deployment_id: str, name: str, facts: Facts, revision: int = 0) -> AbstractContextManager[Span]:
        return nullcontext(self)

    def saved(self, deployment_id: str, revision: int, facts: Facts) -> None: ...

    def calling(self, service: str, name: str, facts: Facts) -> AbstractContextManager[Span]:
        return nullcontext(self)

    def count(self, name: str, by: Facts) -> None: ...

    def measure(self, name: str, seconds: float, by: Facts) -> None: ...


UNTOLD = Untold()
