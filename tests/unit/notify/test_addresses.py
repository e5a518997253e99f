"""Where callbacks may go: the table of what would reach the inside of somebody's network, and hypothesis around it."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmg_core.domain.public_addresses import is_public
from cmg_core.notify.addresses import CallbackUrl, HostPattern, NotAllowed, why_not_reached

SECRET = "sig=W4v3c0nt0s0"

INSIDE_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/29",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
INSIDE_V6 = (
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)


@given(st.sampled_from([IPv4Network(each) for each in INSIDE_V4]).flatmap(lambda block: st.ip_addresses(network=block)))
def test_no_address_of_an_inner_block_is_public(address: IPv4Address) -> None:
    assert not is_public(str(address))


@given(st.sampled_from([IPv6Network(each) for each in INSIDE_V6]).flatmap(lambda block: st.ip_addresses(network=block)))
def test_no_address_of_an_inner_block_of_ipv6_is_public(address: IPv6Address) -> None:
    assert not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_disguise_is_never_public(address: IPv4Address) -> None:
    for prefix in ("::ffff:", "::", "64:ff9b::"):
        assert not is_public(f"{prefix}{address}")
    assert not is_public(str(IPv6Address((0x2002 << 112) | (int(address) << 80))))


@given(st.ip_addresses())
def test_what_python_calls_private_or_multicast_is_never_public(address: IPv4Address | IPv6Address) -> None:
    found = ip_address(str(address))
    if not found.is_global or found.is_multicast or found.is_loopback or found.is_link_local:
        assert not is_public(str(address))


@pytest.mark.parametrize("address", ["20.150.10.20", "8.8.8.8", "168.63.129.15", "2603:1030::1", "2a00:1450:4001::5"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.1", "0x7f000001", "2130706433", "fe80::1%eth0", "8.8.8.8/32"]
)
def test_what_is_no_plain_address_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_one_inner_address_among_public_ones_is_enough() -> None:
    assert why_not_reached(["20.150.10.20"]) == ""
    assert "not public" in why_not_reached(["20.150.10.20", "10.0.0.5"])
    assert "no address" in why_not_reached([])


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.contoso.com/?{SECRET}",
        f"ftp://hooks.contoso.com/?{SECRET}",
        f"//hooks.contoso.com/?{SECRET}",
        f"https://user:pw@hooks.contoso.com/?{SECRET}",
        f"https://hooks.contoso.com@10.0.0.5/?{SECRET}",
        f"https://127.0.0.1/?{SECRET}",
        f"https://127.1/?{SECRET}",
        f"https://2130706433/?{SECRET}",
        f"https://0x7f.0.0.1/?{SECRET}",
        f"https://0177.0.0.1/?{SECRET}",
        f"https://[::1]/?{SECRET}",
        f"https://[::ffff:10.0.0.5]/?{SECRET}",
        f"https://localhost/?{SECRET}",
        f"https://hooks/?{SECRET}",
        f"https://hooks.contoso.com./?{SECRET}",
        f"https://hooks.contoso.com:8443/?{SECRET}",
        f"https://hooks.contoso.com:0/?{SECRET}",
        f"https://hooks.contoso.com:99999/?{SECRET}",
        f"https://hooks.contoso.com:x/?{SECRET}",
        f"https://hooks.contoso.com/?{SECRET}#fragment",
        f"https://hooks.contoso.com\\@evil.example/?{SECRET}",
        f"https://hooks.contoso.com/ ?{SECRET}",
        f"https://hooks.contoso.com/\r\nHost: evil?{SECRET}",
        f"https://hooks.contoso.com/\t?{SECRET}",
        f"https://hooks%2econtoso.com/?{SECRET}",
        f"https:///path?{SECRET}",
        f"https://hooks.contoso.com/{'x' * 2048}?{SECRET}",
        "",
    ],
)
def test_an_address_that_is_no_plain_https_one_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        CallbackUrl.parse(url)
    assert SECRET not in str(refused.value) and "pw" not in str(refused.value)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_given_is_either_refused_or_a_public_name_on_443(host: str, rest: str) -> None:
    try:
        url = CallbackUrl.parse(f"https://{host}/{rest}")
    except NotAllowed:
        return
    assert url.port == 443 and "." in url.host and url.target.startswith("/") and url.target.isascii()
    with pytest.raises(ValueError):
        ip_address(url.host)


def test_path_and_query_stay_as_they_were_given_and_are_not_shown() -> None:
    target = f"/workflows/a1/run?api-version=2016-10-01&sp=%2Fruns%2F8&sv=1.0&{SECRET}"
    url = CallbackUrl.parse(f"https://Prod-42.WestEurope.Logic.Azure.com:443{target}")
    assert (url.host, url.port, url.target) == ("prod-42.westeurope.logic.azure.com", 443, target)
    assert url.shown == "https://prod-42.westeurope.logic.azure.com"
    assert SECRET not in repr(url)
    assert CallbackUrl.parse(url.secret) == url


def test_a_host_in_other_letters_becomes_a_labels() -> None:
    assert CallbackUrl.parse("https://hook.müller.example/x").host == "hook.xn--mller-kva.example"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.contoso.com/", True),
        ("https://prod-42.westeurope.logic.azure.com/", True),
        ("https://own.contoso.com:8443/", True),
        ("https://own.contoso.com/", False),
        ("https://logic.azure.com/", False),
        ("https://evil-logic.azure.com/", False),
        ("https://hooks.contoso.com.evil.example/", False),
        ("https://xhooks.contoso.com/", False),
    ],
)
def test_patterns_let_through_what_they_name(url: str, allowed: bool) -> None:
    patterns = [HostPattern.parse(each) for each in ("hooks.contoso.com", "*.logic.azure.com", "Own.Contoso.com:8443")]
    if allowed:
        CallbackUrl.parse(url, patterns)
        return
    with pytest.raises(NotAllowed):
        CallbackUrl.parse(url, patterns)


@pytest.mark.parametrize("text", ["*", "https://hooks.contoso.com", "hooks", "a.b:0", "a.b:70000", "a.*.b", ""])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        HostPattern.parse(text)
