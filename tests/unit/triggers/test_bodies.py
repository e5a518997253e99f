"""Whatever is sent as a body: a value, or a 4xx with a cause. Never an error that nobody foresaw."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.validation import InvalidRequest
from cmg_core.domain.values import Json
from cmg_core.refusals import CallRefused
from cmg_core.triggers.bodies import DEEPEST, LARGEST_BODY, ExtendCall, GateCall, PersonsCall, read_call, read_json

SECRET = "p4ssw0rd-of-somebody"


def refusal(raw: bytes) -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        read_json(raw)
    return refused.value


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "double"),
        (b'{"a": 9007199254740993}', "whole number"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"a": 1, "a": 2}', "`a`"),
        (b'{"region": {"b": 1, "b": 1}}', "`b`"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        ('{"a": "ä"}'.encode("latin-1"), "position 7"),
        ('{"a": 1}'.encode("utf-16"), "position 0"),
        (b"[" * 100_000, "deep"),
        (b"[" * 40 + b"]" * 40, "deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deep"),
    ],
)
def test_what_is_no_plain_json_is_refused_with_the_cause(raw: bytes, cause: str) -> None:
    problem = refusal(raw).problem

    assert problem.status == 400
    assert problem.code == "unreadable-body"
    assert cause in problem.detail


def test_a_body_may_be_as_large_and_as_deep_as_the_limits_and_no_larger() -> None:
    assert read_json(b'"' + b"x" * (LARGEST_BODY - 2) + b'"') == "x" * (LARGEST_BODY - 2)
    assert refusal(b'"' + b"x" * (LARGEST_BODY - 1) + b'"').problem.status == 413
    assert read_json(b"[" * DEEPEST + b"]" * DEEPEST)
    assert refusal(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)).problem.status == 400


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("raw", ['{"x": "%s"', '{"%s": 1, "%s": 2}', '{"x": %s}', "%s"])
def test_nothing_of_a_body_is_repeated(raw: str) -> None:
    assert SECRET not in refusal(raw.replace("%s", SECRET).encode()).problem.model_dump_json()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(raw: bytes) -> None:
    try:
        read_json(raw)
    except CallRefused as refused:
        assert refused.problem.status == 400


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_plain_json_is_read_as_it_was_sent(body: Json) -> None:
    try:
        raw = json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert read_json(raw) == body


@given(
    json_values | st.fixed_dictionaries({"by": json_values, "reason": json_values}, optional={"payload": json_values})
)
def test_any_gate_call_is_read_or_refused_with_findings_that_have_a_cure(body: Json) -> None:
    try:
        asked = read_call(body, GateCall)
    except InvalidRequest as refused:
        assert refused.findings
        assert all(finding.seen and finding.cure for finding in refused.findings)
    else:
        assert asked.by.strip()
        assert asked.reason.strip()


@pytest.mark.parametrize("key", ["by", "reason"])
@pytest.mark.parametrize("text", ["", "  "])
def test_what_is_left_empty_is_told_as_empty(key: str, text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_call({"by": "a", "reason": "b", key: text}, GateCall)
    (found,) = refused.value.findings
    assert (found.code, found.pointer, found.seen) == ("bad-value", f"/{key}", f"`{key}` is empty.")
    assert "such as" in found.cure


def test_every_mistake_at_a_gate_has_its_place() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_call({"by": 5, "reasons": "typo", "payload": {"known": 3}, "a/b~c": 1}, GateCall)

    assert {(finding.code, finding.pointer) for finding in refused.value.findings} == {
        ("bad-value", "/by"),
        ("missing-key", "/reason"),
        ("unknown-key", "/reasons"),
        ("payload-not-taken", "/payload"),
        ("unknown-key", "/a~1b~0c"),
    }


@given(
    json_values
    | st.fixed_dictionaries(
        {"by": json_values, "reason": json_values},
        optional={"until": json_values | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)},
    )
)
def test_any_wish_is_read_or_refused_with_findings_that_have_a_cure(body: Json) -> None:
    for kind in (PersonsCall, ExtendCall):
        try:
            asked = read_call(body, kind)
        except InvalidRequest as refused:
            assert refused.findings
            assert all(finding.seen and finding.cure for finding in refused.findings)
        else:
            assert asked.by.strip() and asked.reason.strip()


@pytest.mark.parametrize(
    "until",
    ["2026-12-01", "2026-12-01T08:00:00", "1764576000", 1764576000, "tomorrow", "", None, "2026-13-01T08:00:00Z"],
)
def test_a_moment_is_written_out_with_its_offset(until: Json) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_call({"by": "a", "reason": "b", "until": until}, ExtendCall)
    assert [finding.pointer for finding in refused.value.findings] == ["/until"]


@pytest.mark.parametrize("until", ["2026-12-01T08:00:00Z", "2026-12-01T09:30:00.5+01:00"])
def test_a_moment_of_rfc_3339_is_taken(until: str) -> None:
    assert read_call({"by": "a", "reason": "b", "until": until}, ExtendCall).until.utcoffset() is not None
