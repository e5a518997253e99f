"""International names: converted, shown as people read them, and look-alikes warned of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmg_core.domain.international import ascii_name, judge_international, readable_name
from cmg_core.domain.validation import InvalidRequest, read_request
from tests.fakes import deployment


@pytest.mark.parametrize(
    ("written", "taken", "readable"),
    [
        ("GraniteFälle.Contoso.Com", "xn--graniteflle-s8a.Contoso.Com", "granitefälle.Contoso.Com"),
        ("cmg\u3002münchen。example", "cmg.xn--mnchen-3ya.example", "cmg.münchen.example"),
        ("cmg.пример.рф", "cmg.xn--e1afmkfd.xn--p1ai", "cmg.пример.рф"),
        ("GraniteFalls.Contoso.Com", "GraniteFalls.Contoso.Com", "GraniteFalls.Contoso.Com"),
        ("GraniteX\u3002Contoso\uff0eCom", "GraniteX.Contoso.Com", "GraniteX.Contoso.Com"),
    ],
)
def test_a_name_is_taken_as_dns_has_it_and_shown_as_people_read_it(written: str, taken: str, readable: str) -> None:
    assert (ascii_name(written), readable_name(taken)) == (taken, readable)
    assert deployment(service_name=written).service_name == taken


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("cmg.contoso.com", []),
        ("xn--graniteflle-s8a.contoso.com", ["international-name"]),
        ("XN--GRANITEFLLE-S8A.contoso.com", ["international-name"]),
        (ascii_name("аpple.contoso.com"), ["international-name", "international-name-mixed"]),  # noqa: RUF001
        (ascii_name("日本語カナー.example.jp"), ["international-name"]),
        (ascii_name("日本のカナ.example.jp"), ["international-name"]),
        (ascii_name("서울漢.example.kr"), ["international-name"]),
        (ascii_name("\U00017000\U00017001.example.com"), ["international-name"]),  # letters that have no name
        (ascii_name("서울のカ.example.kr"), ["international-name", "international-name-mixed"]),
        ("xn--zzzzzz-.contoso.com", ["international-name-invalid"]),
    ],
)
def test_what_is_told_of_a_name(name: str, codes: list[str]) -> None:
    found = judge_international(name)
    assert [finding.code for finding in found] == codes
    assert all(finding.pointer == "/certificate/name" for finding in found)


@pytest.mark.parametrize("name", ["a_ä.contoso.com", "☃ä.contoso.com", f"{'ä' * 63}.contoso.com", "ä..contoso.com"])
def test_what_is_no_international_name_is_a_mistake_at_its_place(name: str) -> None:
    body = deployment().model_dump(mode="json", by_alias=True, exclude={"kind"}) | {"service_name": name}
    with pytest.raises(InvalidRequest) as raised:
        read_request(body, "deployment")
    assert [finding.pointer for finding in raised.value.findings] == ["/service_name"]


@settings(max_examples=500)
@given(st.text(max_size=30), st.text("aä-0\u0440xn\u3002.", max_size=12))
def test_any_text_is_taken_or_refused_and_never_an_error_of_another_kind(any_text: str, likely: str) -> None:
    for text in (any_text, f"{likely}.contoso.com", f"xn--{likely}.contoso.com"):
        judge_international(text)
        try:
            name = ascii_name(text)
        except ValueError:
            continue
        assert name.isascii()
