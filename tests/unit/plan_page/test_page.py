"""The page of a plan: its structure, what it must say, and that nothing from outside becomes markup."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cmg_core import __version__, calls
from cmg_core.domain.cases import Case
from cmg_core.domain.gates import Gate, GateName, Opener
from cmg_core.domain.plans import Names, Part, Plan, StandingGateway
from cmg_core.domain.problems import Finding, Severity
from cmg_core.domain.requests import Request
from cmg_core.plan import STEPS
from cmg_core.plan_page import PlanPage, plan_page
from cmg_core.plan_page.markdown import code, table, text
from cmg_core.plan_page.words import CASES
from tests.fakes import NOW, SUBSCRIPTION, ZONE_ID, deployment, migration
from tests.worlds import CLASSIC_NAME, OLD_SCALE_SET, SERVICE_NAME, base, classic

READER = MarkdownIt("commonmark", {"linkify": False}).enable("table")
NEW_NAME = "granitefalls.eastus.cloudapp.azure.com"


def planned(request: Request, world: object = None) -> Plan:
    return asyncio.run(calls.make_plan(world or classic(), request))  # type: ignore[arg-type]  # fakes


def page_of(plan: Plan, request: Request | None = None) -> str:
    return plan_page(PlanPage(request or migration(), plan, NOW))


def headings(page: str) -> list[str]:
    return [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]


def section(page: str, heading: str) -> str:
    _, _, rest = page.partition(f"\n## {heading}\n")
    assert rest, f"{heading} is not among {headings(page)}"
    return rest.partition("\n## ")[0]


PLAN = planned(migration(reason="Azure retires classic cloud services", external_reference="CHG0031337"))
REQUEST = migration(reason="Azure retires classic cloud services", external_reference="CHG0031337")


def test_the_page_answers_what_a_change_board_asks_in_order() -> None:
    assert headings(page_of(PLAN, REQUEST)) == [
        "Verdict",
        "What and why",
        "Findings",
        "What is made, kept and deleted",
        "Steps, in order",
        "Gates: where it waits, and who opens them",
        "Time without a gateway that relays",
        "DNS record",
        "Openings in firewalls",
        "How long it takes",
        "What the parallel days cost",
        "How to go back, and until when",
        "What was looked at",
        "Limits and assumptions",
    ]


def test_title_reason_reference_time_and_version_are_told() -> None:
    page = page_of(PLAN, REQUEST)
    assert page.splitlines()[0] == f"# Change plan for {SERVICE_NAME}: {CLASSIC_NAME} → {NEW_NAME}"
    about = section(page, "What and why")
    for told in (
        "Azure retires classic cloud services",
        "CHG0031337",
        f"version {__version__}",
        f"{NOW:%Y-%m-%d %H:%M}",
    ):
        assert told in about


def test_the_moment_is_told_in_utc() -> None:
    elsewhere = datetime.fromisoformat("2026-11-24T01:30:00+02:00")
    assert f"{elsewhere.astimezone(UTC):%Y-%m-%d %H:%M} UTC" in plan_page(PlanPage(REQUEST, PLAN, elsewhere))


def test_what_is_made_kept_and_deleted_stands_by_full_id() -> None:
    assert PLAN.make is not None
    told = section(page_of(PLAN, REQUEST), "What is made, kept and deleted")
    made, _, rest = told.partition("Deleted at the end")
    deleted, _, kept = rest.partition("Kept:")
    assert all(f"`{id}`" in made for id in PLAN.make.ids)
    assert all(f"`{part.id}`" in deleted for part in PLAN.delete)
    assert all(f"`{id}`" in kept for id in PLAN.keep)


def test_each_gate_says_who_opens_it_and_what_to_do() -> None:
    told = section(page_of(PLAN, REQUEST), "Gates: where it waits, and who opens them")
    assert [line.split("**")[1] for line in told.splitlines() if "**" in line] == [gate.name for gate in PLAN.gates]
    assert "opened by a person: The gateway's owner says" in told
    assert "opened by the app, by what it sees: The app points the CNAME" in told


def test_steps_are_told_in_plain_words_and_a_new_one_shows_by_its_name() -> None:
    plan = PLAN.model_copy(update={"steps": (*PLAN.steps, "polish-the-gateway")})
    lines = [line for line in section(page_of(plan), "Steps, in order").splitlines() if line]
    assert len(lines) == len(plan.steps)
    assert all(len(line) > 40 for line in lines[:-1])
    assert lines[-1] == f"{len(lines)}. `polish-the-gateway`"
    assert "| `polish-the-gateway`" in section(page_of(plan), "How long it takes")


def test_each_step_that_a_request_takes_has_its_words() -> None:
    taken = {step.name for step in STEPS for request in (migration(), deployment()) if step.is_taken_by(request)}
    page = page_of(PLAN.model_copy(update={"steps": tuple(taken)}))
    assert all(f"`{step}`: " in section(page, "Steps, in order") for step in taken)


def test_a_plan_that_can_be_carried_out_says_so_first() -> None:
    assert section(page_of(PLAN), "Verdict").strip().startswith("**This plan can be carried out.**")


def test_a_blocked_plan_still_makes_a_page_that_names_what_stands_against_it() -> None:
    page = page_of(blocked := planned(migration(), base()))
    assert blocked.blocked_by
    verdict = section(page, "Verdict")
    assert "**This plan cannot be carried out as it is.**" in verdict
    for finding in blocked.blocked_by:
        assert f"[{finding.code}](cmg_core/description/findings.md#{finding.code})" in verdict
        assert text(finding.cure) in page


def test_a_plan_of_findings_alone_makes_a_page() -> None:
    for request in (migration(), deployment()):
        page = page_of(Plan(findings=()), request)
        assert "The names are not fixed" in page


def test_a_check_that_could_not_be_made_counts_against_the_plan() -> None:
    unseen = Finding(code="look-refused", severity=Severity.UNKNOWN, seen="Not seen.", cure="Look again.")
    page = page_of(PLAN.model_copy(update={"findings": (unseen,)}))
    assert "cannot be carried out" in section(page, "Verdict")
    assert "### Could not be checked: counts as blocking (1)" in page


def test_findings_stand_by_weight_with_their_cures() -> None:
    told = [
        Finding(code=f"code-{severity}", severity=severity, seen=f"seen {severity}", cure=f"cure {severity}")
        for severity in (Severity.TELLS, Severity.WARNS, Severity.UNKNOWN, Severity.BLOCKS)
    ]
    page = page_of(PLAN.model_copy(update={"findings": tuple(told)}))
    order = [page.index(f"cure {severity}") for severity in ("blocks", "unknown", "warns", "tells")]
    assert order == sorted(order)


def test_there_is_no_gap_and_the_page_says_why() -> None:
    told = section(page_of(PLAN), "Time without a gateway that relays")
    assert "**None.** The new gateway must relay before the record changes" in told


def test_a_foretold_gap_is_told_with_its_length() -> None:
    gap = {"usual_gap": timedelta(minutes=2), "foretold_gap": timedelta(minutes=12)}
    told = section(page_of(PLAN.model_copy(update=gap)), "Time without a gateway that relays")
    assert "**Usually up to 2 min, 12 min at the longest**" in told


def test_the_record_is_told_as_it_is_and_as_it_will_be() -> None:
    rows = [line.split() for line in section(page_of(PLAN), "DNS record").splitlines() if line.startswith("| ")][1:]
    targets = [next(word for word in row if "cloudapp" in word).strip("`") for row in rows]
    assert targets == [CLASSIC_NAME, CLASSIC_NAME, NEW_NAME, NEW_NAME]
    assert [row[-3] for row in rows] == ["300", "30", "30", "300"]


def test_where_the_zone_is_not_the_apps_its_holder_changes_it() -> None:
    request = migration(dns=None)
    told = section(page_of(planned(request), request), "DNS record")
    assert "Whoever holds the zone changes it" in told
    assert NEW_NAME in told


def test_azures_own_name_needs_no_record() -> None:
    names = Names(service_name=NEW_NAME, label="granitefalls", deployment_name=NEW_NAME)
    page = page_of(PLAN.model_copy(update={"names": names}))
    assert "Azure's own name" in section(page, "DNS record")


def test_the_way_back_ends_with_the_first_gate_of_no_return() -> None:
    told = section(page_of(PLAN), "How to go back, and until when")
    assert "**Possible until the gate site-record-removed is asked for" in told
    assert "docs" not in told


@dataclass(frozen=True)
class Opening:
    """A part that a later plan may have."""

    port: int
    why: str


class LaterPlan(Plan):
    """A plan of a later release."""

    openings: tuple[Opening, ...] = ()


def test_a_part_that_a_plan_gains_shows_by_itself() -> None:
    later = LaterPlan(**dict(PLAN), openings=(Opening(10124, "needed | from CP2"),))
    told = section(page_of(later), "Openings")
    assert "10124" in told
    assert "needed \\| from CP2" in told


# --- What comes from outside -----------------------------------------------------------------------------------------

HOSTILE = [
    "a|b|c",
    "`code` ``more``",
    "x\n\n# Heading\n\n- item",
    "x\r\n| a | b |\r\n|---|---|",
    "[here](https://evil.example)",
    "![i](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "&lt;b&gt; &#124; &copy;",
    "**bold** _under_ ~~gone~~ *x*",
    "https://evil.example www.evil.example me@evil.example",
    "- item",
    "1. one",
    "# heading",
    "\\| \\`",
    "back\\",
    "``` \n fence",
    "[x]: https://evil.example",
    "\u202eright to left\u2028new line\u0000nul\x1b[31mred\ud800",
]
outside = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from([*HOSTILE, *"|`*_[]<>()#-+!&~\\\n\t \r$@:/."]), max_size=12).map("".join),
    st.text(max_size=80),
)


def shape(markdown: str) -> Sequence[tuple[str, str]]:
    """What a reader makes of a page: its blocks and marks without their text."""
    return [
        (token.type, token.tag) for token in _flat(READER.parse(markdown)) if token.type not in ("text", "softbreak")
    ]


def _flat(tokens: Sequence[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *_flat(token.children or []))]


def read(markdown: str) -> str:
    """The text of a page without its markup."""
    return "".join(token.content for token in _flat(READER.parse(markdown)) if token.type in ("text", "code_inline"))


def as_one_line(outside: str) -> str:
    return " ".join("".join(" " if not c.isprintable() and c.isspace() else c for c in outside).split())


@given(outside)
def test_text_from_outside_is_one_line_of_text(found: str) -> None:
    tokens = _flat(READER.parse(f"Seen: {text(found)}"))
    assert Counter(token.type for token in tokens if token.type != "text") == Counter(
        ["paragraph_open", "inline", "paragraph_close"]
    )


plain = st.one_of(
    st.sampled_from(HOSTILE[:-1]),
    st.lists(st.sampled_from([*HOSTILE[:-1], "&amp;", *"abc |`*_[]<>()#-+!&~\\$@:/."]), max_size=12).map("".join),
)


@given(plain)
def test_text_from_outside_reads_as_it_was_written(found: str) -> None:
    assert read(f"Seen: {text(found)}") == f"Seen: {as_one_line(found)}".rstrip()


@given(outside)
def test_a_cell_from_outside_stays_in_its_cell(found: str) -> None:
    made = table(("Name", "ID", "Rest"), [(text(found), code(found), "end"), ("x", "y", "z")])
    assert len(made) == 4
    tokens = _flat(READER.parse("\n".join(made)))
    cells = [after for token, after in pairwise(tokens) if token.type == "td_open"]
    assert len(cells) == 6
    assert [cell.content for cell in cells[2:]] == ["end", "x", "y", "z"]
    assert not any(token.type in ("html_inline", "link_open", "image", "em_open", "strong_open") for token in tokens)


@given(outside)
def test_nothing_from_outside_moves_the_cursor_or_turns_the_text(found: str) -> None:
    assert text(found).isprintable()
    assert code(found).isprintable()


@given(outside)
def test_nothing_from_outside_becomes_an_address_that_a_reader_links(found: str) -> None:
    shown = text(found).lower()
    assert "://" not in shown.replace("\\://", "")
    assert "www." not in shown.replace("www\\.", "")
    assert "@" not in shown


def hostile(found: str) -> tuple[Plan, Request]:
    """A plan with a text from outside wherever one can stand."""
    finding = Finding(code="locked", severity=Severity.BLOCKS, seen=found, cure=found, resource=found, pointer=found)
    gate = Gate(GateName.CNAME, Opener.APP, found)
    assert PLAN.certificate is not None
    assert PLAN.old_gateway is not None
    assert PLAN.record is not None
    certificate = PLAN.certificate.model_copy(update={"subject": found, "version": found})
    old = PLAN.old_gateway.model_copy(update={"deployment_name": found, "region": found})
    record = PLAN.record.model_copy(update={"target": found, "id": found})
    plan = PLAN.model_copy(
        update={
            "findings": (finding, replace_severity(finding)),
            "gates": (gate,),
            "certificate": certificate,
            "old_gateway": old,
            "record": record,
            "keep": (found, *PLAN.keep),
            "delete": (
                *PLAN.delete,
                Part(id=f"{PLAN.delete[0].id.rpartition('/')[0]}/{found.replace('/', '') or 'x'}"),
            ),
        }
    )
    return plan, REQUEST.model_copy(update={"reason": f"x{found}", "external_reference": f"x{found}"})


def replace_severity(finding: Finding) -> Finding:
    return finding.model_copy(update={"severity": Severity.TELLS})


@given(outside.filter(lambda found: bool(found.strip())))
def test_a_page_keeps_its_shape_whatever_the_world_calls_itself(found: str) -> None:
    """The reader finds the same blocks, links and emphasis as on the page of a harmless world; code type may differ."""
    there, harmless = page_of(*hostile(found)), page_of(*hostile("harmless"))
    as_code = ("code_inline", "code")
    assert [mark for mark in shape(there) if mark != as_code] == [mark for mark in shape(harmless) if mark != as_code]
    assert headings(there) == headings(harmless)
    assert len(there.splitlines()) == len(harmless.splitlines())
    there.encode()


def test_a_very_long_text_is_cut() -> None:
    assert len(text("x" * 100_000)) < 3_000


@pytest.mark.parametrize("name", ["Standard_A2_v2", "granitefalls-nsg", "rg.cmg (eastus)"])
def test_common_names_stay_readable_in_plain_text(name: str) -> None:
    assert text(name) == name


def test_a_table_stands_in_line_in_plain_text() -> None:
    made = table(("A", "Longer"), [("something", "x"), ("y", "z")])
    assert len({len(line) for line in made}) == 1
    assert made[2] == "| something | x      |"


# --- Cases and makers ------------------------------------------------------------------------------------------------

STANDING = StandingGateway(
    scale_set=Part(id=OLD_SCALE_SET, immutable_id="set-guid"),
    address="203.0.113.9",
    deployment_name=NEW_NAME,
    instances=3,
    health_extension=False,
    parts=(OLD_SCALE_SET,),
)


def test_a_gateway_that_stands_is_told_as_it_stands() -> None:
    assert PLAN.certificate is not None
    shown = PLAN.certificate.model_copy(update={"version": ""})
    plan = PLAN.model_copy(update={"standing": STANDING, "make": None, "certificate": shown})
    page = page_of(plan, migration(provisioned_by="existing"))
    about = section(page, "What and why")
    assert "3 instances of" in about and ", version" not in about
    assert "stands already" in section(page, "What is made, kept and deleted")
    assert "Look at the new gateway that stands" in section(page, "Steps, in order")
    assert "USD" not in section(page, "What the parallel days cost")
    assert "Azure makes the scale set" not in section(page, "How long it takes")


def test_a_retirement_changes_no_record_and_has_no_way_back() -> None:
    page = page_of(PLAN.model_copy(update={"case": Case.RETIREMENT}))
    assert "leads to" in section(page, "DNS record") and "already" in section(page, "DNS record")
    assert "serves already" in section(page, "Time without a gateway that relays")
    assert "There is no way back" in section(page, "How to go back, and until when")


def test_of_a_gateway_that_is_gone_the_page_promises_no_relaying() -> None:
    told = section(
        page_of(PLAN.model_copy(update={"case": Case.SAME_NAME_ALONE})), "Time without a gateway that relays"
    )
    assert "goes on relaying" not in told and "no gateway" in told


def test_each_case_has_its_words() -> None:
    assert set(CASES) == set(Case)
    for case in Case:
        assert CASES[case] in page_of(PLAN.model_copy(update={"case": case}))


def test_a_zone_in_another_subscription_is_named_with_it() -> None:
    other = "44444444-4444-4444-4444-444444444444"
    told = section(page_of(PLAN, migration(dns={"zone_id": ZONE_ID.replace(SUBSCRIPTION, other)})), "What and why")
    assert f"- In subscription `{other}` of the same tenant: the DNS zone" in told
    assert "of the same tenant" not in section(page_of(PLAN, REQUEST), "What and why")
