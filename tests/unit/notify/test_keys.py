"""What callback keys do, against the reference vector of Standard Webhooks, and that rotation works."""

import base64

import pytest

from cmg_core.notify.keys import CallbackKeys, NotSealedHere, read_keys

REFERENCE = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OLD, NEW = CallbackKeys((b"o" * 32,)), CallbackKeys((b"n" * 32,))
BOTH = CallbackKeys((b"n" * 32, b"o" * 32))
ADDRESS = "https://hooks.contoso.com/x?sig=secret"


def test_a_signature_is_that_of_the_reference_vector() -> None:
    """The vector that the libraries of Standard Webhooks are tested with; its key is shorter than ours may be."""
    made = CallbackKeys((REFERENCE,)).signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_keys_rotate_each_signs() -> None:
    signed = BOTH.signature("id", 1, b"body").split(" ")
    assert signed == [NEW.signature("id", 1, b"body"), OLD.signature("id", 1, b"body")]


@pytest.mark.parametrize(("id", "timestamp", "body"), [("other", 1, b"body"), ("id", 2, b"body"), ("id", 1, b"Body")])
def test_id_time_and_body_are_all_signed(id: str, timestamp: int, body: bytes) -> None:
    assert OLD.signature(id, timestamp, body) != OLD.signature("id", 1, b"body")


def test_an_address_is_sealed_anew_each_time_and_opened_by_any_key_that_is_left() -> None:
    sealed = OLD.seal(ADDRESS)
    assert "contoso" not in sealed and "secret" not in sealed
    assert sealed != OLD.seal(ADDRESS)
    assert OLD.unseal(sealed) == BOTH.unseal(sealed) == ADDRESS
    with pytest.raises(NotSealedHere) as refused:
        NEW.unseal(sealed)
    assert sealed not in str(refused.value)


def test_a_subscriptions_id_tells_nothing_of_its_address_without_the_key() -> None:
    assert OLD.subscription_id("d", ADDRESS) == OLD.subscription_id("d", ADDRESS)
    others = {
        OLD.subscription_id("e", ADDRESS),
        OLD.subscription_id("d", ADDRESS + "x"),
        NEW.subscription_id("d", ADDRESS),
    }
    assert OLD.subscription_id("d", ADDRESS) not in others and len(others) == 3


def test_keys_are_read_with_and_without_their_prefix() -> None:
    text = base64.b64encode(b"k" * 32).decode()
    assert read_keys(f"whsec_{text}, {text}").keys == (b"k" * 32, b"k" * 32)


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"k" * 31).decode(), "whsec_"])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_keys(text)
    assert text not in str(refused.value)


def test_keys_show_nothing_of_themselves() -> None:
    assert "oooo" not in repr(OLD)
