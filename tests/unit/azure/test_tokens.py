"""Tokens of Microsoft Entra ID: what is taken, and everything that is not."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from cmg_core.azure.signing_keys import FRESH, LAST_GOOD, PAUSE, SigningKeys
from cmg_core.azure.tokens import EntraTokens
from cmg_core.domain.errors import NotSignedIn, TryAgain
from cmg_core.domain.roles import Claims
from cmg_core.domain.values import JsonObject
from tests.fakes import FakeClock

HOST = "login.microsoftonline.com"
HOME, CUSTOMER, STRANGER = (f"{letter * 8}-0000-4000-8000-000000000001" for letter in "abc")
OBJECT, APP, API = (f"{letter * 8}-1111-4000-8000-000000000001" for letter in "def")
AUDIENCES = ("api://cmg", API)


@cache
def private_key(kid: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def shown(kid: str, **changes: str) -> JsonObject:
    """A key as the directory shows it."""
    public = RSAAlgorithm.to_jwk(private_key(kid).public_key(), as_dict=True)
    return {"kty": "RSA", "use": "sig", "kid": kid, "n": public["n"], "e": public["e"], **changes}


@dataclass
class Directory:
    """Shows the keys of each tenant; counts how often it is asked."""

    clock: FakeClock = field(default_factory=FakeClock)
    keys: list[JsonObject] = field(default_factory=lambda: [shown("one", issuer=f"https://{HOST}/{{tenantid}}/v2.0")])
    asked: list[str] = field(default_factory=list)
    silent: bool = False

    def __post_init__(self) -> None:
        kept = SigningKeys(HOST, self.clock, self.fetch)
        self.tokens = EntraTokens(HOST, AUDIENCES, {HOME, CUSTOMER}, self.clock, kept)

    async def fetch(self, address: str) -> JsonObject:
        self.asked.append(address)
        if self.silent:
            raise TryAgain("nobody answers")
        return {"keys": [*self.keys]}

    def claims(self, token: str) -> Claims:
        return asyncio.run(self.tokens.claims(token))

    def payload(self, **changes: object) -> dict[str, Any]:
        """What a managed identity's token of version 1 says; a change to None takes a claim away."""
        now = int(self.clock.now().timestamp())
        whole = {
            "aud": "api://cmg", "iss": f"https://sts.windows.net/{HOME}/", "iat": now, "nbf": now, "exp": now + 3600,
            "appid": APP, "oid": OBJECT, "sub": OBJECT, "tid": HOME, "ver": "1.0", "roles": ["Cmg.Requester"],
        } | changes  # fmt: skip
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, kid: str = "one", headers: Mapping[str, object] | None = None, **changes: object) -> str:
        return jwt.encode(self.payload(**changes), private_key(kid), "RS256", headers={"kid": kid, **(headers or {})})

    def refusal(self, token: str) -> str:
        with pytest.raises(NotSignedIn) as refused:
            self.claims(token)
        return refused.value.reason


def test_a_managed_identitys_token_is_taken() -> None:
    directory = Directory()
    assert directory.claims(directory.token()) == Claims(HOME, OBJECT, ("Cmg.Requester",), f"app {APP}")
    assert directory.asked == [f"https://{HOST}/{HOME}/discovery/v2.0/keys"]


def test_a_persons_token_of_version_2_is_taken_by_its_name() -> None:
    directory = Directory()
    token = directory.token(
        aud=API, iss=f"https://{HOST}/{CUSTOMER}/v2.0", tid=CUSTOMER, ver="2.0", appid=None, azp=APP, roles=None,
        scp="access", preferred_username="ann@fabrikam.com",
    )  # fmt: skip
    assert directory.claims(token) == Claims(CUSTOMER, OBJECT, (), "ann@fabrikam.com")


MISTAKES: Mapping[str, tuple[str, dict[str, object]]] = {
    "another app": ("another app", {"aud": "api://other"}),
    "several audiences, none ours": ("another app", {"aud": ["api://cmg/", "api://CMG"]}),
    "no audience": ("claims are not right", {"aud": None}),
    "another issuer": ("issuer", {"iss": "https://evil.example/v2.0"}),
    "the other version's issuer of another tenant": ("issuer", {"iss": f"https://{HOST}/{CUSTOMER}/v2.0"}),
    "no issuer": ("issuer", {"iss": None}),
    "a tenant that may not call": ("tenant", {"tid": STRANGER, "iss": f"https://sts.windows.net/{STRANGER}/"}),
    "a tenant beside the issuer": ("issuer", {"tid": CUSTOMER}),
    "no tenant": ("tenant", {"tid": None}),
    "a path for a tenant": ("tenant", {"tid": f"{HOME}/../{STRANGER}"}),
    "expired": ("expired", {"exp": 0}),
    "no end": ("exp", {"exp": None}),
    "an end that is a text": ("exp", {"exp": "9999999999"}),
    "not yet": ("not good yet", {"nbf": 9999999999}),
    "made tomorrow": ("not good yet", {"iat": 9999999999}),
    "no beginning": ("nbf", {"nbf": None}),
    "no principal": ("oid", {"oid": None}),
    "a principal that is no GUID": ("oid", {"oid": "admin"}),
    "an ID token": ("no access token", {"appid": None}),
    "roles that are a text": ("roles", {"roles": "Cmg.Operator"}),
    "roles that are numbers": ("roles", {"roles": [1]}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_claims_is_refused_and_named(mistake: str) -> None:
    says, changes = MISTAKES[mistake]
    directory = Directory()
    assert says in directory.refusal(directory.token(**changes))


def test_a_refusal_repeats_nothing_of_the_token() -> None:
    directory = Directory()
    for _, changes in MISTAKES.values():
        token = directory.token(**{"upn": "SECRET@contoso.com", **changes})
        reason = directory.refusal(token)
        assert "SECRET" not in reason
        assert not any(part in reason for part in token.split("."))


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_a_token_without_a_signature_or_with_a_forged_one_is_refused() -> None:
    directory = Directory()
    payload = directory.payload(roles=["Cmg.Operator"])
    public = private_key("one").public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    header, body = encoded({"alg": "HS256", "typ": "JWT", "kid": "one"}), encoded(payload)
    import hashlib
    import hmac

    signed = hmac.new(public, f"{header}.{body}".encode(), hashlib.sha256).digest()
    by_public_key = f"{header}.{body}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
    good = directory.token()
    forged = {
        "alg none": f"{encoded({'alg': 'none', 'kid': 'one'})}.{body}.",
        "HS256 with the public key": by_public_key,
        "another body": f"{good.split('.')[0]}.{body}.{good.split('.')[2]}",
        "no signature": f"{good.rpartition('.')[0]}.",
        "another key under a known ID": jwt.encode(payload, private_key("thief"), "RS256", headers={"kid": "one"}),
        "RS512": jwt.encode(payload, private_key("one"), "RS512", headers={"kid": "one"}),
        "a key that it brings along": jwt.encode(
            payload, private_key("thief"), "RS256", headers={"kid": "thief", "jwk": shown("thief")}
        ),
        "a place for its key": jwt.encode(
            payload, private_key("thief"), "RS256", headers={"kid": "thief", "jku": "https://evil.example/keys"}
        ),
        "no key": jwt.encode(payload, private_key("one"), "RS256"),
        "much too long": good + "A" * 40_000,
    }
    for how, token in forged.items():
        assert directory.refusal(token), how
    for how in ("alg none", "HS256 with the public key", "RS512"):
        assert directory.refusal(forged[how]) == "It is not signed with RS256."
    assert {*directory.asked} <= {f"https://{HOST}/{HOME}/discovery/v2.0/keys"}


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*"))
def test_what_is_no_token_is_refused_and_never_an_error(token: str) -> None:
    directory = Directory()
    assert directory.refusal(token)
    assert not directory.asked


def test_a_token_is_good_from_its_beginning_to_its_end_with_a_minute_of_grace() -> None:
    directory = Directory()
    token = directory.token()
    directory.clock.pass_by(timedelta(seconds=-60))
    directory.claims(token)
    directory.clock.pass_by(timedelta(seconds=-1))
    assert "not good yet" in directory.refusal(token)
    directory.clock.pass_by(timedelta(seconds=61 + 3600 + 59))
    directory.claims(token)
    directory.clock.pass_by(timedelta(seconds=1))
    assert "expired" in directory.refusal(token)


def test_without_an_audience_no_token_is_taken_and_nobody_asked() -> None:
    directory = Directory()
    none = EntraTokens(HOST, (), {HOME}, directory.clock, SigningKeys(HOST, directory.clock, directory.fetch))
    with pytest.raises(NotSignedIn, match="CMG_AUTH_AUDIENCE"):
        asyncio.run(none.claims(directory.token()))
    assert not directory.asked


def test_names_that_could_not_be_shown_are_left_out() -> None:
    directory = Directory()
    assert directory.claims(directory.token(upn="ann\r\nadmin")).name == ""
    assert len(directory.claims(directory.token(upn="x" * 9999)).name) == 256


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_keys_are_asked_for_once_a_day() -> None:
    directory = Directory()
    for _ in range(3):
        directory.claims(directory.token())
    assert len(directory.asked) == 1
    directory.clock.pass_by(FRESH)
    directory.claims(directory.token())
    assert len(directory.asked) == 2


def test_an_unknown_key_is_looked_for_but_not_more_often_than_the_pause_allows() -> None:
    directory = Directory()
    directory.claims(directory.token())
    directory.keys.append(shown("two"))
    directory.clock.pass_by(PAUSE)

    assert directory.claims(directory.token("two"))
    assert len(directory.asked) == 2
    for number in range(20):
        assert "does not show" in directory.refusal(directory.token("thief", {"kid": f"made up {number}"}))
    assert len(directory.asked) == 2
    directory.claims(directory.token("one"))


def test_a_key_that_is_shown_no_more_is_good_for_a_day_at_most() -> None:
    directory = Directory()
    directory.claims(directory.token())
    directory.keys[:] = [shown("two")]
    directory.clock.pass_by(FRESH)
    assert "does not show" in directory.refusal(directory.token())


def test_who_cannot_be_asked_makes_no_token_bad() -> None:
    directory = Directory(silent=True)
    with pytest.raises(TryAgain):
        directory.claims(directory.token())
    with pytest.raises(TryAgain) as again:
        directory.claims(directory.token())
    assert timedelta() < again.value.after <= PAUSE
    assert len(directory.asked) == 1

    directory.silent = False
    directory.clock.pass_by(PAUSE)
    assert directory.claims(directory.token())


def test_known_keys_outlast_a_silence_of_a_day() -> None:
    directory = Directory()
    directory.claims(directory.token())
    directory.silent = True
    for _ in range(2):
        directory.clock.pass_by(FRESH - PAUSE)
        directory.claims(directory.token())
        directory.claims(directory.token())
    with pytest.raises(TryAgain):
        directory.claims(directory.token("two"))
    directory.clock.pass_by(LAST_GOOD - 2 * (FRESH - PAUSE))
    with pytest.raises(TryAgain):
        directory.claims(directory.token())


@pytest.mark.parametrize(
    "odd",
    [
        lambda: shown("one", issuer=f"https://{HOST}/{STRANGER}/v2.0"),
        lambda: shown("one", kty="oct", k="c2VjcmV0"),
        lambda: shown("one", n="!"),
        lambda: {"kid": "one"},
    ],
)
def test_a_key_of_another_issuer_or_kind_is_none(odd: Callable[[], JsonObject]) -> None:
    directory = Directory(keys=[odd(), shown("two")])
    assert "does not show" in directory.refusal(directory.token())


def test_a_page_instead_of_keys_is_no_reason_to_refuse_anybody() -> None:
    directory = Directory(keys=[])
    with pytest.raises(TryAgain):
        directory.claims(directory.token())
