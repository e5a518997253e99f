"""A seal is good for one message as it is, under one of our keys, and for nothing else."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cmg_core.domain.record import MESSAGE, Message
from cmg_core.ledger.seals import SHORTEST_KEY, Seals
from tests.fakes import DEPLOYMENT
from tests.records import a_state

FIRST, SECOND = b"1" * SHORTEST_KEY, b"2" * SHORTEST_KEY
MESSAGE_OF = Message(DEPLOYMENT, "cut-over", 7, 'W/"7"', a_state())
OTHER: dict[str, Any] = {
    "deployment_id": "e",
    "step": "verify-gateway",
    "revision": 8,
    "etag": 'W/"8"',
    "state": a_state(grace_ends_at=datetime(2020, 1, 1, tzinfo=UTC)),
    "schema": 1,
    "subscribed": True,
    "seal": "0" * 64,
}


def test_a_sealed_message_is_good_after_its_way_through_the_queue() -> None:
    seals = Seals((FIRST,))
    assert seals.are_on(MESSAGE.validate_json(MESSAGE.dump_json(seals.sealed(MESSAGE_OF), by_alias=True)))


def test_every_field_of_a_message_is_under_the_seal() -> None:
    seals = Seals((FIRST,))
    sealed = seals.sealed(MESSAGE_OF)
    assert {field.name for field in fields(Message)} == OTHER.keys(), "a new field needs its case here"
    assert [name for name, value in OTHER.items() if seals.are_on(replace(sealed, **{name: value}))] == []


def test_keys_are_changed_without_a_stop() -> None:
    old, between, new = Seals((FIRST,)), Seals((SECOND, FIRST)), Seals((SECOND,))
    assert between.are_on(old.sealed(MESSAGE_OF)) and between.are_on(new.sealed(MESSAGE_OF))
    assert new.are_on(between.sealed(MESSAGE_OF)) and not old.are_on(between.sealed(MESSAGE_OF))
    assert not new.are_on(old.sealed(MESSAGE_OF))


@pytest.mark.parametrize("seal", ["", "é", "\x00", "0" * 1_000_000])
def test_what_is_no_seal_is_not_good(seal: str) -> None:
    assert not Seals((FIRST,)).are_on(replace(MESSAGE_OF, seal=seal))


def test_without_keys_no_seal_is_good_and_no_state_travels() -> None:
    assert not Seals().are_on(Seals((FIRST,)).sealed(MESSAGE_OF))
    assert Seals().sealed(MESSAGE_OF) == replace(MESSAGE_OF, state=None)


def test_a_key_is_not_shown() -> None:
    assert FIRST.decode() not in repr(Seals((FIRST,)))
