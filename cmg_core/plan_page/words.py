"""The page's own words for what a plan names by its short names."""

from collections.abc import Mapping

from cmg_core.domain.cases import Case
from cmg_core.domain.gates import Opener
from cmg_core.domain.problems import Severity

STEPS: Mapping[str, str] = {
    "preflight": "Look at everything once more, touch nothing, fix names and parts; anything that blocks ends it here.",
    "register-providers": "Register the resource providers that are missing in the subscription.",
    "fetch-certificate": "Pin the certificate's version. The private key is never read.",
    "provision-network": "Make resource group (where there is none), security group, network, address, load balancer.",
    "provision-scale-set": "Make the new gateway's instances beside the old gateway.",
    "verify-gateway": "See every instance healthy, the name resolve, and exactly the planned certificate.",
    "cut-over": "Lead clients to the new gateway, only while it relays; then the grace period starts.",
    "retire-old-gateway": "When the grace period is over: pass the last gates, look at everything again before each "
    "deletion, delete what is listed here and nothing else.",
}
"""What each step does, in plain words. One that is not here shows by its name."""

WEIGHTS: Mapping[Severity, str] = {
    Severity.BLOCKS: "Blocks: nothing begins before this is cured",
    Severity.UNKNOWN: "Could not be checked: counts as blocking",
    Severity.WARNS: "To be looked at by a person",
    Severity.TELLS: "Worth knowing",
}

OPENERS: Mapping[Opener, str] = {
    Opener.PERSON: "a person",
    Opener.APP: "the app, by what it sees",
    Opener.APP_OR_PERSON: "the app, by what it sees; where it cannot tell, a person vouches",
}

TAKING_OVER: Mapping[str, str] = {
    "site": "Wait until somebody has had the site make the new gateway, and look at it; the app changes nothing of it.",
    "existing": "Look at the new gateway that stands; the app changes nothing of it.",
}
"""What provision-scale-set is where the app does not make the gateway, by who does."""

CASES: Mapping[Case, str] = {
    Case.NEW_NAME: "another service name: both gateways serve side by side, and clients learn the new name from the "
    "site",
    Case.GAP_CLOSED: "the same service name: the new gateway relays before the record changes",
    Case.GAP_ACCEPTED: "the same service name, with a gap that was accepted: the connection point follows the record",
    Case.SAME_NAME_ALONE: "the same service name, whose old gateway Azure holds no more",
    Case.NEW_DEPLOYMENT: "a new gateway, which takes nobody's place",
    Case.RETIREMENT: "only the old gateway goes: another one serves already",
}

MADE_BY: Mapping[str, str] = {
    "automation": "this app, resource by resource (`automation`). **Microsoft does not support such a gateway.**",
    "existing": "somebody, before this deployment (`existing`)",
    "site": "Configuration Manager itself (`site`)",
}

HAVE_THEIR_PLACE = frozenset(
    {
        "findings",
        "steps",
        "names",
        "certificate",
        "make",
        "keep",
        "delete",
        "parked",
        "old_gateway",
        "record",
        "public_ttl",
        "gates",
        "grace_period",
        "minimum_grace",
        "usual_gap",
        "foretold_gap",
        "cost_of_parallel_days",
        "case",
        "standing",
        "firewall",
        "looks",
    }
)
"""The parts of a plan that have their place on the page; any other is shown as it is, under its own name."""
