"""Schedules of timer triggers: NCRONTAB with six fields (five mean second 0), in UTC.

Source: "Timer trigger for Azure Functions", NCRONTAB expressions. Unlike Unix cron, day and day of week must both fit.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")
YEARS_AHEAD: Final = 8


class ScheduleError(ValueError):
    """The text is no schedule."""


@dataclass(frozen=True)
class Schedule:
    """When a timer fires. Days of the week count from Sunday, 0."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def after(self, moment: datetime) -> datetime:
        """The first occurrence later than the moment.

        Raises:
            ScheduleError: there is none, as on 31 February.
        """
        at = moment.replace(microsecond=0) + timedelta(seconds=1)
        limit = moment + timedelta(days=366 * YEARS_AHEAD)
        while at < limit:
            if at.month not in self.months or at.day not in self.days or at.isoweekday() % 7 not in self.weekdays:
                at = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif at.hour not in self.hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in self.minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in self.seconds:
                at += timedelta(seconds=1)
            else:
                return at
        raise ScheduleError("the schedule never fires")

    def shortest_gap(self, moment: datetime) -> timedelta:
        """The time between the next two occurrences."""
        first = self.after(moment)
        return self.after(first) - first


def parse(text: str) -> Schedule:
    """Reads an expression such as `0 */5 * * * *`. Raises ScheduleError, saying which field is wrong."""
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise ScheduleError(f"{text!r} has {len(fields)} fields; a schedule has six, seconds first")
    second, minute, hour, day, month, weekday = fields
    return Schedule(
        _values(second, 0, 59),
        _values(minute, 0, 59),
        _values(hour, 0, 23),
        _values(day, 1, 31),
        _values(month, 1, 12, MONTHS),
        _values(weekday, 0, 6, DAYS),
    )


def _values(field: str, lowest: int, highest: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        match = PART.fullmatch(part)
        if match is None:
            raise ScheduleError(f"{part!r} is no part of a schedule")
        step = int(match["step"] or 1)
        if match["first"] == "*":
            first, last = lowest, highest
        else:
            first = _number(match["first"], lowest, names)
            open_end = highest if match["step"] else first
            last = _number(match["last"], lowest, names) if match["last"] else open_end
        if not (lowest <= first <= last <= highest) or step < 1:
            raise ScheduleError(f"{part!r} is not within {lowest} to {highest}")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, lowest: int, names: tuple[str, ...]) -> int:
    if text.isdigit():
        return int(text)
    if text.lower()[:3] in names:
        return names.index(text.lower()[:3]) + lowest
    raise ScheduleError(f"{text!r} is neither a number nor a name of this field")
