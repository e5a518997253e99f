"""What each call is, in one table: a test fails for a route without a line here.

To describe a new route, give it a line under its name: a tag, a sentence, what it takes and answers, and the codes of
the problems that are its own. Who may call it stands in ``domain/roles.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cmg_core.answers import (
    DeploymentAnswer,
    DeploymentsAnswer,
    EventsAnswer,
    FindingCodeAnswer,
    HealthAnswer,
    OperationAnswer,
    PlanAnswer,
    ProblemTypeAnswer,
    SubscriptionAnswer,
    SubscriptionsAnswer,
)
from cmg_core.description.schemas import Model
from cmg_core.domain.azure_causes import KNOWN_CODES
from cmg_core.domain.gates import GateName
from cmg_core.domain.record import Status
from cmg_core.domain.requests import DeploymentRequest, MigrationRequest, RetirementRequest
from cmg_core.domain.values import JsonObject
from cmg_core.triggers.bodies import (
    ClientsMovedCall,
    ExtendCall,
    GateCall,
    GatewayCreatedCall,
    PersonsCall,
    RedeliverCall,
    SubscribeCall,
)


class Tag(StrEnum):
    """Groups of calls, in the order in which a caller meets them."""

    PLAN = "Plan"
    START = "Start"
    FOLLOW = "Follow"
    ASK = "Ask"
    LISTEN = "Listen"
    APP = "The app itself"


TAGS: Mapping[Tag, str] = {
    Tag.PLAN: "What would happen. Nothing is changed.",
    Tag.START: "Begin a deployment. The answer says where to follow it.",
    Tag.FOLLOW: "Where deployments are.",
    Tag.ASK: "Open a gate, or ask something of a deployment under way.",
    Tag.LISTEN: "Have a deployment's events posted instead of asking for them.",
    Tag.APP: "What the app says of itself. Needs no key.",
}


@dataclass(frozen=True)
class Answer:
    """A good answer: its status, what it means, and its body by media type (a text where there is no model)."""

    status: int
    means: str
    model: Model | None
    headers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Further media types, as texts."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a call, in its path, its query or its headers."""

    name: str
    place: str
    about: str
    schema: JsonObject


@dataclass(frozen=True)
class Described:
    """One call, as the document tells it."""

    tag: Tag
    summary: str
    about: str
    answers: tuple[Answer, ...]
    problems: tuple[str, ...] = ()
    """Codes of problems, besides those that any call with storage can meet (``STORAGE``)."""
    bodies: tuple[Model, ...] = ()
    body_is_needed: bool = True
    parameters: tuple[Parameter, ...] = ()
    stores: bool = True
    """Whether it asks the ledger."""


TEXT: JsonObject = {"type": "string"}
GUID: JsonObject = {"type": "string", "format": "uuid"}

DEPLOYMENT = Parameter("id", "path", "The deployment's ID, which is its operation's, too.", GUID)
SUBSCRIPTION = Parameter("subscription", "path", "The subscription's ID.", GUID)
GATE = Parameter("gate", "path", "A gate that the plan holds.", {"type": "string", "enum": [*GateName]})
CODE = Parameter(
    "code", "path", "The last part of a problem's `type`.", {"type": "string", "pattern": "^[a-z][a-z-]{0,59}$"}
)
FINDING_CODE = Parameter(
    "code", "path", "The `code` of a finding.", {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,59}$"}
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Your own name for this request, such as the ticket's number: the same key and body give the same deployment, as "
    "long as its record is kept. Printable characters only; an empty one is none.",
    {"type": "string", "maxLength": 255},
)
FILTERS = (
    Parameter("status", "query", "Only deployments with this status.", {"type": "string", "enum": [*Status]}),
    Parameter("gateway", "query", "The old gateway's resource ID, or a service name.", TEXT),
    Parameter("subscription", "query", "The subscription's ID.", GUID),
    Parameter("external_reference", "query", "The reference that the request gave, such as a ticket's number.", TEXT),
    Parameter("continuation", "query", "The token of the page before, unchanged.", TEXT),
)

STATUSES: Mapping[str, int] = {
    "unreadable-body": 400,
    "bad-idempotency-key": 400,
    "bad-continuation": 400,
    "not-signed-in": 401,
    "several-keys": 401,
    "token-refused": 401,
    "another-tenant": 403,
    "role-missing": 403,
    "same-person": 403,
    "no-such-deployment": 404,
    "no-such-gate": 404,
    "no-such-problem": 404,
    "no-such-finding": 404,
    "no-such-subscription": 404,
    "not-acceptable": 406,
    "another-deployment-is-active": 409,
    "changed-meanwhile": 409,
    "gate-cannot-open": 409,
    "not-possible-now": 409,
    "too-many-subscriptions": 409,
    "body-too-large": 413,
    "approval-left-out": 422,
    "state-too-large": 413,
    "idempotency-key-reused": 422,
    "invalid-request": 422,
    "grace-not-longer": 422,
    "grace-too-long": 422,
    "internal-error": 500,
    "try-again": 503,
    "newer-release": 503,
    "unreadable-row": 503,
    "wrong-settings": 503,
} | dict.fromkeys(KNOWN_CODES, 502)
"""The HTTP status of each problem that a call can be answered with."""

STORAGE = ("internal-error", "try-again", "newer-release", "unreadable-row", "wrong-settings", *KNOWN_CODES)
CALLER = ("not-signed-in", "several-keys", "token-refused", "role-missing", "another-tenant")
"""Of every call that is not open to all."""
BODY = ("unreadable-body", "body-too-large", "invalid-request")
STARTS = (
    *BODY,
    "bad-idempotency-key",
    "idempotency-key-reused",
    "approval-left-out",
    "another-deployment-is-active",
    "changed-meanwhile",
    "state-too-large",
)
ASKS = (*BODY, "no-such-deployment", "not-possible-now", "changed-meanwhile", "state-too-large")

ACCEPTED = Answer(
    202,
    "It is under way: ask again at `Location` after `Retry-After` seconds.",
    OperationAnswer,
    ("Location", "Retry-After"),
)
DEPLOYMENT_NOW = Answer(200, "The deployment as it is now.", DeploymentAnswer)


def _start(summary: str, about: str, body: Model) -> Described:
    return Described(
        Tag.START,
        summary,
        about,
        (ACCEPTED,),
        STARTS,
        bodies=(body,),
        parameters=(IDEMPOTENCY_KEY,),
    )


def _ask(summary: str, about: str, body: Model = PersonsCall, *problems: str) -> Described:
    return Described(
        Tag.ASK, summary, about, (DEPLOYMENT_NOW,), (*ASKS, *problems), bodies=(body,), parameters=(DEPLOYMENT,)
    )


CALLS: Mapping[str, Described] = {
    "make-plan": Described(
        Tag.PLAN,
        "Make a plan",
        "What a request would make, keep and delete, with every finding, the gates, the time, the cost and the way "
        "back. Changes nothing. With `Accept: text/markdown` as a page for a change board.",
        (Answer(200, "The plan.", PlanAnswer, ("Vary",), ("text/markdown",)),),
        (*BODY, "not-acceptable"),
        bodies=(MigrationRequest, DeploymentRequest, RetirementRequest),
    ),
    "start-migration": _start(
        "Start a migration",
        "A new gateway takes an older one's place. Its first step looks and touches nothing; what stands against it "
        "ends it there.",
        MigrationRequest,
    ),
    "start-deployment": _start("Start a deployment", "A new gateway where none was.", DeploymentRequest),
    "start-retirement": _start(
        "Start a retirement", "An old gateway goes, because another one serves already.", RetirementRequest
    ),
    "show-operation": Described(
        Tag.FOLLOW,
        "Poll an operation",
        "202 until the operation has ended, then 200 with the result. `Retry-After` says when to ask again: seconds "
        "while steps run, up to five minutes at gates and in the grace period.",
        (Answer(200, "It has ended: `status` says how.", OperationAnswer), ACCEPTED),
        ("no-such-deployment",),
        parameters=(DEPLOYMENT,),
    ),
    "list-deployments": Described(
        Tag.FOLLOW,
        "List deployments",
        "Those under way first, then those that ended this month and in the twelve before it, newest month first. A "
        "page is filled until it has 100; only the last one has fewer, and no `continuation`. So a ticket's "
        "`external_reference` finds its deployment on the first page, under way or ended. Case matters only in "
        "`external_reference`. One that changes while the list is read may be missing or be shown twice until it is "
        "read anew: the later one counts.",
        (Answer(200, "One page.", DeploymentsAnswer),),
        ("invalid-request", "bad-continuation"),
        parameters=FILTERS,
    ),
    "show-deployment": Described(
        Tag.FOLLOW,
        "See a deployment",
        "Steps, what is waited for and who opens it, gates, resources, findings, and what can be asked of it. With "
        "`Accept: text/plain` as a comment for a ticket.",
        (Answer(200, "The deployment as it is now.", DeploymentAnswer, ("Vary",), ("text/plain",)),),
        ("no-such-deployment", "not-acceptable"),
        parameters=(DEPLOYMENT,),
    ),
    "show-events": Described(
        Tag.FOLLOW,
        "See a deployment's history",
        "What happened, oldest first. With `Accept: text/plain` line by line.",
        (Answer(200, "The history.", EventsAnswer, ("Vary",), ("text/plain",)),),
        ("no-such-deployment", "not-acceptable"),
        parameters=(DEPLOYMENT,),
    ),
    "open-gate": Described(
        Tag.ASK,
        "Open a gate",
        "Says that the world is as the gate's `what_to_do` asks. The gate `approval` needs the role `approver`. "
        "`gateway-created` takes the new scale set's ID as `payload`, `clients-moved` what the site counted, other "
        "gates none. Opening it again changes nothing.",
        (DEPLOYMENT_NOW,),
        (
            *BODY,
            "no-such-deployment",
            "no-such-gate",
            "same-person",
            "gate-cannot-open",
            "changed-meanwhile",
            "state-too-large",
        ),
        bodies=(GateCall, GatewayCreatedCall, ClientsMovedCall),
        parameters=(DEPLOYMENT, GATE),
    ),
    "cancel-deployment": _ask("Cancel", "Ends a deployment that has made nothing yet."),
    "roll-back-deployment": _ask(
        "Roll back",
        "Back to the old gateway; what the deployment made is removed. Possible until the removal of the old gateway "
        "begins.",
    ),
    "resume-deployment": _ask("Resume", "Goes on with a deployment in `needs-attention`, once the cause is cured."),
    "extend-grace": _ask(
        "Extend the grace period",
        "The old gateway stays until a later moment, within 365 days from now.",
        ExtendCall,
        "grace-not-longer",
        "grace-too-long",
    ),
    "check-deployment": Described(
        Tag.ASK,
        "Look now",
        "Looks at what is waited for now instead of later. Nobody has to say why: the body may be left out.",
        (DEPLOYMENT_NOW,),
        ASKS,
        bodies=(PersonsCall,),
        body_is_needed=False,
        parameters=(DEPLOYMENT,),
    ),
    "release-parked-name": _ask(
        "Release a parked name", "Deletes the old gateway's address: anybody can claim its name then."
    ),
    "subscribe": Described(
        Tag.LISTEN,
        "Have events posted",
        "A deployment's events are posted to `callback_url` as CloudEvents, signed, in order, tried again for a day. "
        "The same address twice is one subscription.",
        (Answer(201, "Somebody listens: `Location` is what to delete.", SubscriptionAnswer, ("Location",)),),
        (*BODY, "no-such-deployment", "too-many-subscriptions", "changed-meanwhile"),
        bodies=(SubscribeCall,),
        parameters=(DEPLOYMENT,),
    ),
    "list-subscriptions": Described(
        Tag.LISTEN,
        "See who listens",
        "Each subscription with how its delivery stands.",
        (Answer(200, "Those who listen.", SubscriptionsAnswer),),
        ("no-such-deployment",),
        parameters=(DEPLOYMENT,),
    ),
    "unsubscribe": Described(
        Tag.LISTEN,
        "Have no more events posted",
        "Nothing happens where nobody listens.",
        (Answer(204, "Nobody listens there any more.", None),),
        ("no-such-deployment",),
        parameters=(DEPLOYMENT, SUBSCRIPTION),
    ),
    "unsubscribe-address": Described(
        Tag.LISTEN,
        "Have no more events posted, by the address",
        "For one who knows the address only, as a Logic App's action does.",
        (Answer(204, "Nobody listens there any more.", None),),
        (*BODY, "no-such-deployment"),
        bodies=(SubscribeCall,),
        parameters=(DEPLOYMENT,),
    ),
    "redeliver": Described(
        Tag.LISTEN,
        "Have events posted anew",
        "From an event on, or from where delivery stands, also where it was given up.",
        (Answer(200, "The subscription as it is now.", SubscriptionAnswer),),
        (*BODY, "no-such-deployment", "no-such-subscription"),
        bodies=(RedeliverCall,),
        body_is_needed=False,
        parameters=(DEPLOYMENT, SUBSCRIPTION),
    ),
    "show-health": Described(
        Tag.APP,
        "See whether the app can work",
        "The app's release and what is wrong with its settings, never their values.",
        (
            Answer(200, "It can work.", HealthAnswer),
            Answer(503, "It cannot: `problems` names the settings.", HealthAnswer),
        ),
        ("internal-error",),
        stores=False,
    ),
    "show-description": Described(
        Tag.APP,
        "This document",
        "OpenAPI 3.1, made from the code's own models. It holds no secret, and is the same for everybody.",
        (Answer(200, "The document.", None, texts=("application/json",)),),
        ("internal-error",),
        stores=False,
    ),
    "show-docs": Described(
        Tag.APP,
        "This document as a page",
        "For people. It loads nothing from anywhere, and runs no script.",
        (Answer(200, "The page.", None, texts=("text/html",)),),
        ("internal-error",),
        stores=False,
    ),
    "show-problem": Described(
        Tag.APP,
        "What a type of problem means",
        "Where the `type` of each problem leads: what it says, why it happens, and what to do. As a page with "
        "`Accept: text/html`, as text with `Accept: text/markdown`.",
        (Answer(200, "What the problem means.", ProblemTypeAnswer, ("Vary",), ("text/html", "text/markdown")),),
        ("no-such-problem", "not-acceptable", "internal-error"),
        parameters=(CODE,),
        stores=False,
    ),
    "show-finding": Described(
        Tag.APP,
        "What a finding means",
        "Where the `link` of a finding leads: what it weighs, what was seen, why it matters, and what to do. As a page "
        "with `Accept: text/html`, as text with `Accept: text/markdown`.",
        (Answer(200, "What the finding means.", FindingCodeAnswer, ("Vary",), ("text/html", "text/markdown")),),
        ("no-such-finding", "not-acceptable", "internal-error"),
        parameters=(FINDING_CODE,),
        stores=False,
    ),
}


def problems_of(call: Described) -> tuple[str, ...]:
    """The codes of all problems that a call can be answered with. What asks the ledger is open to nobody unknown."""
    return (*call.problems, *CALLER, *STORAGE) if call.stores else call.problems
