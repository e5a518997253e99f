"""What goes into storage comes back the same, and what must not travel stays behind."""

import base64
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.principals import Principal
from cmg_core.domain.record import MESSAGE, Ask, CutOver, Message, Record, Requested, State, Status
from cmg_core.ledger import codec
from cmg_core.ledger.seals import Seals
from tests.fakes import DEPLOYMENT
from tests.records import NOW, a_record, a_save, a_state

moments = st.datetimes(timezones=st.just(NOW.tzinfo))
spans = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400))
texts = st.text(max_size=40)
principals = st.builds(Principal, texts, texts)
gates = st.builds(
    Gate,
    name=st.sampled_from(GateName),
    opener=st.sampled_from(Opener),
    what_to_do=texts,
    asked_at=st.none() | moments,
    opened_at=st.none() | moments,
    reason=texts,
    opened_as=st.none() | principals,
)
states = st.builds(
    lambda **members: a_state(**members),
    gates=st.lists(gates, max_size=4).map(tuple),
    cut_over=st.builds(CutOver, ttl_before=st.none() | spans, flipped_at=st.none() | moments),
    grace_ends_at=st.none() | moments,
    deleted=st.lists(texts, max_size=4).map(tuple),
    operations=st.dictionaries(texts, texts, max_size=4),
    retries=st.integers(0, 99),
)
requests = st.builds(
    Requested,
    ask=st.sampled_from(Ask),
    gate=st.none() | st.sampled_from(GateName),
    by=texts,
    reason=texts,
    at=moments,
    called_by=principals,
)


@given(states)
def test_a_state_comes_back(state: State) -> None:
    assert codec.unpack(codec.pack(state)) == state


@given(states, st.lists(requests, max_size=3).map(tuple), st.none() | moments, st.integers(0, 9), principals)
def test_a_record_comes_back(
    state: State, asked: tuple[Requested, ...], wake_at: None, sends: int, asked_by: Principal
) -> None:
    record: Record = replace(a_record("d", state), requested=asked, wake_at=wake_at, sends=sends, asked_by=asked_by)
    assert codec.record_of("d", codec.created_columns(record)) == record


def test_a_save_merged_into_a_record_keeps_what_it_does_not_name() -> None:
    me = Principal("principal:me", "me")
    row = codec.created_columns(replace(a_record("d"), asked_by=me)) | codec.saved_columns(a_save(2, Status.GRACE))
    record = codec.record_of("d", row)
    assert record.asked_by == me
    assert (record.created_at, record.gateway, record.body_hash) == (NOW, a_record("d").gateway, "0" * 64)
    assert (record.revision, record.status) == (2, Status.GRACE)


SEALS = Seals.of_a_new_key()


def text_of(message: Message) -> str:
    return codec.message_text(message, SEALS)


def read(text: str) -> Message:
    """What a queue's text says, its seal checked and taken off."""
    message = MESSAGE.validate_json(base64.b64decode(text))
    assert SEALS.are_on(message)
    return replace(message, seal="")


@given(states, st.integers(0, 60_000))
def test_a_message_always_fits_and_never_carries_addresses(state: State, padding: int) -> None:
    message = Message(DEPLOYMENT, "preflight", 7, 'W/"7"', replace(state, deleted=("x" * padding,)))
    text = text_of(message)
    assert len(text) <= 65_536
    carried = read(text)
    assert carried in (message, replace(message, state=None))
    assert carried.state is None or not carried.state.operations


def test_only_what_is_too_large_or_points_somewhere_stays_behind() -> None:
    message = Message(DEPLOYMENT, "preflight", 7, 'W/"7"', a_state())
    assert read(text_of(message)) == message
    pointing = replace(message, state=a_state(operations={"id": "https://management.azure.com/x"}))
    assert read(text_of(pointing)).state is None
    room = codec.LARGEST_BODY - len(MESSAGE.dump_json(replace(message, etag="", seal="0" * 64), by_alias=True))
    assert read(text_of(replace(message, etag="e" * room))).state is not None
    assert read(text_of(replace(message, etag="e" * (room + 1)))).state is None
