"""What an answer proves (procedures, "Relays")."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.relay import Answer, answer_of, is_gateway, relays
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
