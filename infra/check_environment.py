"""Hold what ``azd env set`` has set to what the templates and the app take: run by ``azd`` before it makes anything.

Azure would refuse a wrong value after minutes and in other words, or do something else in silence: a vault's own ID
among resource groups would give a right on its whole group. Needs Python 3.9 or newer: the one that is on the machine.
"""

import base64
import difflib
import ipaddress
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

PARAMETERS = Path(__file__).with_name("main.parameters.json")
VARIABLE = re.compile(r"\$\{(CMG_\w+)(?:=([^}]*))?\}")
"""What azd fills in, with what counts where that is not set or empty."""

OUTPUTS = ("CMG_PRINCIPAL_ID",)
"""What azd writes into its environment from main.bicep."""
SWITCH = ("true", "false")
ALLOWED: "Mapping[str, tuple[str, ...]]" = {
    "CMG_PLAN": ("flex", "premium"),
    "CMG_INSTANCE_MEMORY": ("512", "2048", "4096"),
    "CMG_ASSIGN_ROLES": ("groups", "subscriptions", "none"),
    "CMG_CLOUD": ("public", "usgovernment"),
    "CMG_STORAGE_REDUNDANCY": ("Standard_LRS", "Standard_GRS", "Standard_ZRS", "Standard_GZRS"),
    "CMG_CLASSIC_GATEWAYS": SWITCH,
    "CMG_APP_SERVICE_SIGN_IN": SWITCH,
    "CMG_SEPARATE_DUTIES": SWITCH,
    "CMG_LOCK_STORAGE": SWITCH,
    "CMG_PRIVATE_NETWORK": SWITCH,
}
BOUNDS: "Mapping[str, tuple[int, int | None]]" = {
    "CMG_MAXIMUM_INSTANCES": (40, 1000),
    "CMG_ALWAYS_READY": (0, 20),
    "CMG_MONTHLY_BUDGET": (0, None),
    "CMG_LOG_RETENTION": (30, 730),
    "CMG_CLAIM_SECONDS": (61, 599),
}
"""Least and most; a claim's are the app's own: longer than one call, shorter than a queue hides a message."""

ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9._-]{1,19}[A-Za-z0-9]")
"""Workspaces, plans and resource groups end with a letter or a digit; no name here takes azd's brackets."""
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
GROUP = re.compile(rf"/subscriptions/({GUID.pattern})/resourceGroups/[\w.()-]{{0,89}}[\w()-]", re.IGNORECASE)
HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+(:([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)
PATH = re.compile(r"/[!#-\[\]-~]*")
"""ASCII without blanks, and without what azd cannot write into JSON: quotes and backslashes."""
EMAIL = re.compile(r'[^@\s,;<>"\\]+@[^@\s,;<>"\\]+\.[^@\s,;<>"\\.]+')
FIRST_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-01", re.ASCII)
DAYS_OR_WEEKS = re.compile(r"P[1-9][0-9]{0,2}[DW]", re.ASCII)
WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
ROLES = ("reader", "requester", "approver", "operator")
GROUP_LISTS = ("CMG_NEW_GATEWAY_GROUPS", "CMG_OLD_GATEWAY_GROUPS", "CMG_VAULT_GROUPS", "CMG_ZONE_GROUPS")
SOFTWARE = "CMG_GATEWAY_SOFTWARE_BASE64"
SOFTWARE_HAS = (("name",), ("properties", "publisher"), ("properties", "type"), ("properties", "typeHandlerVersion"))
LONGEST_APP_PREFIX, LONGEST_ENDPOINT_PREFIX = 27, 28
"""The app's part as its plans want it; and a /29 has three addresses free, for four private endpoints."""

Reasons = Callable[[str], Iterable[str]]


class Problem(NamedTuple):
    """One value that would fail or do what nobody meant. ``seen`` is empty where it may be secret."""

    name: str
    seen: str
    why: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name}{f' is «{self.seen}»' if self.seen else ''}: {self.why}. Cure: {self.cure}"


class Rule(NamedTuple):
    """What one variable may hold: why a value is refused, and what to give in its place."""

    reasons: Reasons
    give: str


def shaped(pattern: "re.Pattern[str]", what: str) -> Reasons:
    return lambda value: [] if pattern.fullmatch(value) else [f"«{value}» is no {what}"]


def one_of(allowed: "tuple[str, ...]") -> Reasons:
    return lambda value: [] if value in allowed else [f"«{value}» is none of {', '.join(allowed)}"]


def between(least: int, most: "int | None") -> Reasons:
    def reasons(value: str) -> Iterator[str]:
        if not WHOLE_NUMBER.fullmatch(value):
            yield f"«{value}» is no whole number of at most nine digits"
        elif int(value) < least or (most is not None and int(value) > most):
            yield f"«{value}» is less than {least}" + (f" or more than {most}" if most is not None else "")

    return reasons


def parts(value: str) -> "list[str]":
    return [part.strip(" ") for part in value.split(",")]


def each(reasons: Reasons) -> Reasons:
    """Of a list with commas. Azure would take a part twice in another spelling, and make one role twice."""

    def of_parts(value: str) -> Iterator[str]:
        given = parts(value)
        if "" in given:
            yield "a part between commas is empty"
        spelled = [part.lower() for part in given]
        for place, part in enumerate(given):
            if part and spelled[place] in spelled[:place]:
                yield f"«{part}» is named twice"
            elif part:
                yield from reasons(part)

    return of_parts


def or_none(reasons: Reasons) -> Reasons:
    return lambda value: [] if value == "none" else reasons(value)


def address_range(value: str) -> Iterator[str]:
    try:
        ipaddress.IPv4Network(value)
    except ValueError:
        yield f"«{value}» is no range of IPv4 addresses with its length"
        return
    if "/" not in value:
        yield f"«{value}» has no length"


def host(part: str) -> Iterator[str]:
    found = HOST.fullmatch(part)
    if not found or not 0 < int(found[4] or 443) < 65536:
        yield f"«{part}» is no host name with or without a port"


def dns_server(part: str) -> Iterator[str]:
    """As the app reads it: an IPv6 address stands in brackets."""
    try:
        server = urlsplit(f"//{part}")
        ipaddress.ip_address(server.hostname or "")
        alone = server.netloc == part and server.port != 0 and "@" not in part
    except ValueError:
        alone = False
    if not alone:
        yield f"«{part}» is no IP address with or without a port"


def software(value: str) -> Iterator[str]:
    try:
        read = json.loads(base64.b64decode(value, validate=True).decode())
    except ValueError:
        read = None
    if not isinstance(read, dict):
        yield "it is no JSON object in base64"
        return
    properties = read.get("properties")
    holders = {1: read, 2: properties if isinstance(properties, dict) else {}}
    for path in SOFTWARE_HAS:
        found = holders[len(path)].get(path[-1])
        if not isinstance(found, str) or not found:
            yield f"the JSON lacks {'.'.join(path)}"


IDS = "<IDs with commas between them>"
GROUPS = "<full IDs of resource groups, with commas between them>"
RULES: "Mapping[str, Rule]" = {
    **{name: Rule(one_of(allowed), f"<{'|'.join(allowed)}>") for name, allowed in ALLOWED.items()},
    **{
        name: Rule(between(least, most), f"<{least} to {most}>" if most is not None else f"<{least} or more>")
        for name, (least, most) in BOUNDS.items()
    },
    **dict.fromkeys(
        GROUP_LISTS,
        Rule(each(shaped(GROUP, "/subscriptions/<ID>/resourceGroups/<name>, with nothing after the name")), GROUPS),
    ),
    **dict.fromkeys(("CMG_CUSTOMER_APP", "CMG_CALLER_APP"), Rule(shaped(GUID, "GUID"), "<client ID>")),
    "CMG_GATEWAY_SUBSCRIPTIONS": Rule(or_none(each(shaped(GUID, "GUID"))), IDS),
    "CMG_AUTH_TENANTS": Rule(each(shaped(GUID, "GUID")), IDS),
    "CMG_KEY_ROLES": Rule(or_none(each(one_of(ROLES))), f"<some of {','.join(ROLES)}; or none>"),
    "CMG_CALLBACK_HOSTS": Rule(each(host), "<host>,*.<host>"),
    "CMG_MINIMUM_GRACE": Rule(shaped(DAYS_OR_WEEKS, "number of days or weeks, such as P7D"), "P7D"),
    "CMG_PROBE_PATH": Rule(
        shaped(PATH, "path that begins with a slash, in ASCII, without blanks and quotes"), "/<path>"
    ),
    "CMG_DNS_SERVERS": Rule(each(dns_server), "9.9.9.9,1.1.1.1:53"),
    "CMG_ALERT_EMAILS": Rule(each(shaped(EMAIL, "e-mail address")), "<address>,<address>"),
    "CMG_BUDGET_START": Rule(shaped(FIRST_DAY, "first day of a month"), "<YYYY-MM>-01"),
    SOFTWARE: Rule(software, "<the VM extension as JSON in base64: base64 -w0 ../gateway-software.json>"),
    "CMG_ADDRESS_PREFIX": Rule(address_range, "10.71.0.0/24"),
    "CMG_APP_PREFIX": Rule(address_range, "10.71.0.0/26"),
    "CMG_ENDPOINT_PREFIX": Rule(address_range, "10.71.0.64/26"),
}


def setting(name: str, give: str) -> str:
    quoted = f'"{give}"' if not give or re.search(r"[ <>|;*]", give) else give
    return f"`azd env set {name} {quoted}`"


def values(environment: "Mapping[str, str]") -> "dict[str, str]":
    """What counts of each variable that the parameters name."""
    found = VARIABLE.finditer(PARAMETERS.read_text(encoding="utf-8"))
    return {one[1]: environment.get(one[1]) or one[2] or "" for one in found}


def alone(given: "Mapping[str, str]") -> Iterator[Problem]:
    """What is wrong with a value by itself."""
    for name, value in given.items():
        for why in RULES[name].reasons(value) if value else ():
            yield Problem(name, "" if name == SOFTWARE else value, why, setting(name, RULES[name].give))


def of_name(environment: "Mapping[str, str]") -> Iterator[Problem]:
    name = environment.get("AZURE_ENV_NAME", "")
    if not ENVIRONMENT_NAME.fullmatch(name):
        why = "it has 2 to 20 letters, digits, dots, hyphens and underscores, and ends with a letter or a digit"
        yield Problem("AZURE_ENV_NAME", name, why, "`azd env new <name>`")


def of_names(environment: "Mapping[str, str]", given: "Mapping[str, str]") -> Iterator[Problem]:
    """A mistyped name would leave its setting at the default, in silence."""
    for name, value in sorted(environment.items()):
        if name.startswith("CMG_") and value and name not in given and name not in OUTPUTS:
            near = difflib.get_close_matches(name, given, 1)
            why = f"no setting has this name{f', perhaps {near[0]} is meant' if near else ''}"
            yield Problem(name, "", why, f"{setting(name, '')}; where the shell has set it, `unset {name}`")


def of_groups(given: "Mapping[str, str]", own: str) -> Iterator[Problem]:
    """Roles are assigned by the lists with ``groups`` only, and made in the named subscriptions only."""
    named = given["CMG_GATEWAY_SUBSCRIPTIONS"] or own
    made_in = [part for part in parts(named.lower()) if GUID.fullmatch(part)]
    assign = given["CMG_ASSIGN_ROLES"]
    for name in GROUP_LISTS:
        lies_in = {found[1].lower() for part in parts(given[name]) if (found := GROUP.fullmatch(part))}
        if given[name] and assign in ("subscriptions", "none"):
            why = f"they count for nothing while CMG_ASSIGN_ROLES is «{assign}»"
            cure = f"{setting(name, '')} or {setting('CMG_ASSIGN_ROLES', 'groups')}"
            yield Problem(name, given[name], why, cure)
        elif lies_in and not named:
            why = "it is not known yet in which subscription the roles are made, and whether these lie there"
            yield Problem(name, given[name], why, setting("CMG_GATEWAY_SUBSCRIPTIONS", IDS))
        else:
            for subscription in sorted(lies_in - {*made_in}):
                why = f"no role is made in {subscription}, which is not among the gateways' subscriptions («{named}»)"
                more = setting("CMG_GATEWAY_SUBSCRIPTIONS", ",".join([*made_in, subscription]))
                cure = f"put its ID right in {setting(name, GROUPS)}; or, where it is right, {more}"
                yield Problem(name, given[name], why, cure)


def of_callers(given: "Mapping[str, str]") -> Iterator[Problem]:
    """What says something of signed-in callers needs the registration that they sign in to."""
    needing = {
        "CMG_AUTH_TENANTS": given["CMG_AUTH_TENANTS"] != "",
        "CMG_KEY_ROLES": given["CMG_KEY_ROLES"] == "none",
        "CMG_APP_SERVICE_SIGN_IN": given["CMG_APP_SERVICE_SIGN_IN"] == "true",
    }
    for name, needs in needing.items():
        if needs and not given["CMG_CALLER_APP"]:
            cure = f"{setting('CMG_CALLER_APP', '<client ID>')} or {setting(name, '')}"
            yield Problem(name, given[name], "without CMG_CALLER_APP nobody can sign in", cure)


def of_budget(given: "Mapping[str, str]") -> Iterator[Problem]:
    amount = given["CMG_MONTHLY_BUDGET"]
    if WHOLE_NUMBER.fullmatch(amount) and amount != "0" and not given["CMG_BUDGET_START"]:
        cure = f"{setting('CMG_BUDGET_START', '<YYYY-MM>-01')} or {setting('CMG_MONTHLY_BUDGET', '0')}"
        yield Problem("CMG_MONTHLY_BUDGET", amount, "a budget needs CMG_BUDGET_START", cure)


def of_network(given: "Mapping[str, str]") -> Iterator[Problem]:
    names = ("CMG_ADDRESS_PREFIX", "CMG_APP_PREFIX", "CMG_ENDPOINT_PREFIX")
    if any(True for name in names for _ in address_range(given[name])):
        return  # told already
    whole, app, endpoints = (ipaddress.IPv4Network(given[name]) for name in names)
    for name, part, longest in (
        ("CMG_APP_PREFIX", app, LONGEST_APP_PREFIX),
        ("CMG_ENDPOINT_PREFIX", endpoints, LONGEST_ENDPOINT_PREFIX),
    ):
        if not part.subnet_of(whole):
            yield Problem(
                name, str(part), f"it does not lie in CMG_ADDRESS_PREFIX («{whole}»)", setting(name, "<range>")
            )
        if part.prefixlen > longest:
            yield Problem(name, str(part), f"a /{longest} or larger is needed", setting(name, f"<range>/{longest}"))
    if app.overlaps(endpoints):
        why = f"it overlaps CMG_APP_PREFIX («{app}»)"
        yield Problem("CMG_ENDPOINT_PREFIX", str(endpoints), why, setting("CMG_ENDPOINT_PREFIX", "<range>"))


def problems(environment: "Mapping[str, str]") -> "list[Problem]":
    """All that is wrong with an environment of azd."""
    given = values(environment)
    own = environment.get("AZURE_SUBSCRIPTION_ID", "")
    return [
        *of_name(environment),
        *of_names(environment, given),
        *alone(given),
        *of_groups(given, own),
        *of_callers(given),
        *of_budget(given),
        *of_network(given),
    ]


def main() -> int:
    found = problems(os.environ)
    if not found:
        print("The values of azd's environment are such as the templates and the app take.", flush=True)
        return 0
    print(f"Nothing was made: azd's environment holds {len(found)} problem(s).", file=sys.stderr)
    for problem in found:
        print(f"- {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
