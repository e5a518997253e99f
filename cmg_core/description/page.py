"""The description as a page for people: made here, without a script, so that it asks no other host for anything."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape

from cmg_core.answers import FindingCodeAnswer, ProblemTypeAnswer
from cmg_core.description.problem_types import problem_types
from cmg_core.description.reading import Markup, calls_of, members_of
from cmg_core.description.style import STYLE
from cmg_core.domain.problems import PROBLEM_TYPES
from cmg_core.domain.values import Json, JsonObject, at, objects_at, text_at

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The browser loads nothing, from here or elsewhere, and takes this style alone."""

_CURL = """\
API=https://APP.azurewebsites.net/api
curl -s "$API/plans" -H "x-functions-key: $KEY" -d @request.json
curl -s "$API/plans" -H "x-functions-key: $KEY" -H "Accept: text/markdown" -d @request.json"""
"""The call that changes nothing, as JSON and as a page."""

_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
_kind = Markup(
    type_name=lambda name: f'<a href="#type-{name}">{escape(name)}</a>',
    value=lambda text: f"<code>{escape(text)}</code>",
    plain=escape,
).kind
"""A schema in a few words."""


def docs_page(document: JsonObject) -> str:
    """The whole description: calls by group, types of answers and bodies, and problems."""
    tags = [text_at(tag, "name") for tag in objects_at(document, "tags")]
    calls = list(calls_of(document))
    groups = "".join(
        f'<section aria-labelledby="{_slug(tag)}"><h2 id="{_slug(tag)}">{escape(tag)}</h2>'
        + _paragraphs(text_at(about, "description"))
        + "".join(_call(*call) for call in calls if at(call[2], "tags", 0) == tag)
        + "</section>"
        for tag, about in zip(tags, objects_at(document, "tags"), strict=True)
    )
    contents = "".join(f'<li><a href="#{_slug(tag)}">{escape(tag)}</a></li>' for tag in tags)
    title, version = text_at(document, "info", "title"), text_at(document, "info", "version")
    return _whole(
        title,
        '<a class="skip" href="#calls">To the calls</a>'
        f"<header><h1>{escape(title)} <small>{escape(version)}</small></h1>"
        + _paragraphs(text_at(document, "info", "description"))
        + '<p><a href="openapi.json">openapi.json</a> is the same for programs.</p>'
        + "<p><b>From a shell</b>, with the key in <code>KEY</code> and the request in a file:</p>"
        + f"{_shown(_CURL)}</header>"
        + f'<nav aria-label="Contents"><ul>{contents}<li><a href="#types">Types</a></li>'
        + '<li><a href="#problems">Problems</a></li></ul></nav>'
        + f'<main id="calls">{_overview(calls)}{groups}{_types(document)}{_problems()}</main>',
    )


def problem_page(told: ProblemTypeAnswer) -> str:
    """What one type of problem means."""
    calls = ", ".join(f'<a href="../docs#{name}">{name}</a>' for name in told.calls)
    return _explained(
        "Problem",
        told.code,
        {"What": told.what, "Why": told.why, "What to do": told.what_to_do},
        (f"<p>Calls that can be answered with it: {calls}.</p>" if calls else "")
        + '<p><a href="../docs#problems">All problems</a></p>',
    )


def finding_page(told: FindingCodeAnswer) -> str:
    """What a finding's code means."""
    return _explained(
        "Finding",
        told.code,
        {"Weighs": told.weighs, "Seen": told.seen, "Why it matters": told.why, "What to do": told.what_to_do},
        '<p><a href="../docs#make-plan">make-plan</a> looks again, and changes nothing.</p>',
    )


def _explained(kind: str, code: str, parts: Mapping[str, str], more: str) -> str:
    told = "".join(f"<dt>{heading}</dt><dd>{_inline(_sentence(text))}</dd>" for heading, text in parts.items())
    return _whole(
        f"{code} ({kind.lower()})",
        f'<main class="explained"><p class="meta"><a href="../docs">CMG migrator</a> · {kind}</p>'
        f"<h1>{escape(code)}</h1><dl>{told}</dl>{more}</main>",
    )


def _sentence(text: str) -> str:
    """What follows a word and a colon in the pages for reading stands alone here."""
    return text[:1].upper() + text[1:]


def _whole(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _overview(calls: Iterable[tuple[str, str, JsonObject]]) -> str:
    """All calls at one glance, each leading to its part of the page."""
    rows = "".join(
        f'<tr><th scope=row><a href="#{text_at(operation, "operationId")}">'
        f"{escape(text_at(operation, 'summary'))}</a></th>"
        f'<td><span class="method {method.lower()}">{method}</span> <code>/api{escape(path)}</code></td>'
        f"<td>{escape(_listed(operation['x-roles']) or 'anybody')}</td></tr>"
        for method, path, operation in calls
    )
    return _table("All calls", ("what", "call", "roles"), rows)


def _call(method: str, path: str, operation: JsonObject) -> str:
    name, roles, own = text_at(operation, "operationId"), operation["x-roles"], operation.get("x-roles-for-own")
    needs = f"one of the roles {_listed(roles)}" if roles else "no key"
    needs += f", or {_listed(own)} for what the caller asked for itself" if own else ""
    needs += "".join(
        f", at the gate {gate} {_listed(of_gate)}" for gate, of_gate in members_of(operation, "x-roles-by-gate")
    )
    return (
        f'<article aria-labelledby="{name}"><h3 id="{name}"><span class="method {method.lower()}">{method}</span> '
        f"<code>/api{escape(path)}</code> <small>{escape(text_at(operation, 'summary'))}</small></h3>"
        f'<p class="meta"><code>{name}</code>, needs {escape(needs)}</p>'
        + _paragraphs(text_at(operation, "description"))
        + _parameters(objects_at(operation, "parameters"))
        + _body(operation)
        + _answers(operation)
        + "</article>"
    )


def _listed(roles: Json) -> str:
    return ", ".join(map(str, roles)) if isinstance(roles, list) else ""


def _parameters(parameters: Iterable[JsonObject]) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(text_at(each, 'name'))}</code></th><td>{escape(text_at(each, 'in'))}</td>"
        f"<td>{_kind(each.get('schema'))}</td><td>{_inline(text_at(each, 'description'))}</td></tr>"
        for each in parameters
        if "name" in each
    )
    return _table("Parameters", ("name", "in", "type", "what"), rows) if rows else ""


def _body(operation: JsonObject) -> str:
    content = at(operation, "requestBody", "content", "application/json")
    if not isinstance(content, dict):
        return ""
    needed = "" if at(operation, "requestBody", "required") is True else " (may be left out)"
    return f"<h4>Body{needed}</h4><p>{_kind(content.get('schema'))}</p>{_examples(content)}"


def _answers(operation: JsonObject) -> str:
    """Those that a caller hopes for open, refusals folded under their statuses."""
    told = {
        status: _answer(status, answer)
        for status, answer in members_of(operation, "responses")
        if isinstance(answer, dict)
    }
    good = "".join(text for status, text in told.items() if status < "4")
    refusals = {status: text for status, text in told.items() if status >= "4"}
    summary = f"<summary>Refusals: {', '.join(refusals)}</summary>"
    folded = f"<details>{summary}{''.join(refusals.values())}</details>" if refusals else ""
    return f"<h4>Answers</h4>{good}{folded}"


def _answer(status: str, answer: JsonObject) -> str:
    contents = [(kind, content) for kind, content in members_of(answer, "content") if isinstance(content, dict)]
    kinds = ", ".join(f"{_kind(content.get('schema'))} as <code>{escape(kind)}</code>" for kind, content in contents)
    headers = ", ".join(f"<code>{escape(name)}</code>" for name, _ in members_of(answer, "headers"))
    about = _inline(text_at(answer, "description"))
    if text_at(answer, "description").startswith("A problem"):
        about = re.sub(r"<code>([a-z-]+)</code>", rf'<a href="{_relative(PROBLEM_TYPES)}\1"><code>\1</code></a>', about)
    examples = "".join(_examples(content) for _, content in contents)
    told = "; ".join(filter(None, (kinds, f"headers {headers}")))
    return f"<p><b>{status}</b> {about} {told}.</p>{examples}"


def _relative(path: str) -> str:
    """The address of a path of the app from the page, which lies at /api/docs."""
    return path.removeprefix("/api/")


def _examples(content: JsonObject) -> str:
    return "".join(
        f"<details><summary>Example: {_inline(text_at(example, 'summary'))}</summary>{_shown(at(example, 'value'))}"
        "</details>"
        for _, example in members_of(content, "examples")
    )


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def _types(document: JsonObject) -> str:
    made = "".join(
        _type(name, schema)
        for name, schema in members_of(document, "components", "schemas")
        if isinstance(schema, dict)
    )
    return (
        '<section aria-labelledby="types"><h2 id="types">Types</h2><p>Keys with <code>?</code> may be left out of a '
        f"body, or be missing in an answer.</p>{made}</section>"
    )


def _type(name: str, schema: JsonObject) -> str:
    needed = schema.get("required")
    rows = "".join(
        f"<tr><th scope=row><code>{escape(key)}</code>{'' if isinstance(needed, list) and key in needed else ' ?'}</th>"
        f"<td>{_kind(field)}</td><td>{_inline(text_at(field, 'description'))}</td></tr>"
        for key, field in members_of(schema, "properties")
    )
    shape = _table("", ("key", "type", "what"), rows) if rows else f"<p>{_kind(schema)}</p>"
    about = _paragraphs(text_at(schema, "description"))
    return f'<article aria-labelledby="type-{name}"><h3 id="type-{name}">{escape(name)}</h3>{about}{shape}</article>'


def _problems() -> str:
    rows = "".join(
        f'<tr><th scope=row><a href="{_relative(PROBLEM_TYPES)}{code}"><code>{code}</code></a></th>'
        f"<td>{_inline(_sentence(told.what))}</td><td>{_inline(_sentence(told.what_to_do))}</td></tr>"
        for code, told in problem_types().items()
    )
    table = _table("", ("type", "what", "what to do"), rows)
    return f'<section aria-labelledby="problems"><h2 id="problems">Problems</h2>{table}</section>'


def _table(caption: str, columns: Iterable[str], rows: str) -> str:
    heads = "".join(f"<th scope=col>{column}</th>" for column in columns)
    told = f"<caption>{caption}</caption>" if caption else ""
    table = f"<table>{told}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="wide" tabindex="0">{table}</div>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.strip().split("\n\n") if paragraph)


def _inline(text: str) -> str:
    """Code, bold and italics of Markdown; all else is text."""

    def made(found: re.Match[str]) -> str:
        code, bold, italics = found.groups()
        return f"<code>{code}</code>" if code else f"<b>{bold}</b>" if bold else f"<em>{italics}</em>"

    return _INLINE.sub(made, escape(text, quote=False))


def _slug(text: str) -> str:
    return f"group-{text.lower().replace(' ', '-')}"
