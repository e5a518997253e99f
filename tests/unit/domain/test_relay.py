"""What an answer proves (procedures, "Relays")."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.relay import Answer, answer_of, in_words, is_gateway, relays
from cmg_core.services import Dialed


@pytest.mark.parametrize(
    ("status", "text", "answer", "gateway"),
    [
        (401, "CMGService_Invalid_Token", Answer.ALIVE, True),
        (503, "CMGService_No_Connector", Answer.FAILS, True),
        (401, "CMGConnector_Unauthorized", Answer.RELAYS, True),
        (502, "CMGConnector_Timeout", Answer.FAILS, True),
        (200, "OK", Answer.RELAYS, True),
        (404, "Not Found", Answer.UNPROVEN, False),
        (302, "Found", Answer.UNPROVEN, False),
        (503, "Service Unavailable", Answer.FAILS, False),
    ],
)
def test_answers(status: int, text: str, answer: Answer, gateway: bool) -> None:
    dialed = Dialed(status=status, status_text=text)
    assert (answer_of(dialed), is_gateway(dialed)) == (answer, gateway)


def test_tls_alone_proves_nothing() -> None:
    silent = Dialed(leaf=b"leaf", failure="timed out")
    assert answer_of(silent) is Answer.SILENT
    assert not is_gateway(silent)


texts = st.sampled_from(["", "OK", "CMGService_X", "CMGConnector_X"])


@given(st.integers(500, 599), texts)
def test_a_5xx_never_relays(status: int, text: str) -> None:
    assert not relays(Dialed(status=status, status_text=text))


@given(st.integers(100, 599))
def test_the_gateways_own_words_never_prove_relaying(status: int) -> None:
    assert not relays(Dialed(status=status, status_text="CMGService_Anything"))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Dialed(failure="timed out"), ("No answer", "timed out")),
        (Dialed(), ("No answer", "nothing")),
        (Dialed(status=401, status_text="CMGConnector_Unauthorized"), ("It relays", "connection point")),
        (Dialed(status=200, status_text="OK"), ("It relays", "management point")),
        (Dialed(status=401, status_text="CMGService_Invalid_Token"), ("not relay yet", "401 CMGService_Invalid_Token")),
        (Dialed(status=503, status_text="CMGService_No_Connector"), ("not relay yet", "503 CMGService_No_Connector")),
        (Dialed(status=404, status_text="Not Found"), ("does not relay", "404 Not Found")),
    ],
)
def test_an_answer_is_told_with_what_it_means(reply: Dialed, words: tuple[str, str]) -> None:
    assert all(word in in_words(reply) for word in words)


@pytest.mark.parametrize(
    ("status", "relayed"), [(199, False), (200, True), (299, True), (300, False), (301, False), (499, False)]
)
def test_of_answers_that_are_nobodys_a_success_alone_is_the_management_points(status: int, relayed: bool) -> None:
    assert relays(Dialed(status=status, status_text="Something")) is relayed


def test_a_failure_counts_whatever_came_before_it() -> None:
    assert answer_of(Dialed(status=200, status_text="OK", failure="cut off")) is Answer.SILENT
