"""Routes of HTTP triggers: what matches, what it yields, and which of two wins."""

import pytest

from local.host.routes import by_precedence, match, parse
from local.host.settings import HostError

ITEM = "00000000-0000-0000-0000-00000000002a"


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/plans", "/api/plans", {}),
        ("api/plans", "/API/Plans/", {}),
        ("api/plans", "/api/plans/more", None),
        ("api/deployments/{id:guid}", f"/api/deployments/{ITEM}", {"id": ITEM}),
        ("api/deployments/{id:guid}", "/api/deployments/42", None),
        (
            "api/deployments/{id:guid}/gates/{gate}",
            f"/api/deployments/{ITEM}/gates/inside-dns",
            {"id": ITEM, "gate": "inside-dns"},
        ),
        ("api/list/{page:int?}", "/api/list", {}),
        ("api/list/{page:int?}", "/api/list/7", {"page": "7"}),
        ("api/list/{page:int?}", "/api/list/seven", None),
        ("api/files/{*path}", "/api/files/a/b%20c", {"path": "a/b c"}),
        ("api/files/{*path}", "/api/files", {"path": ""}),
        ("api/{name}", "/api/a%2Fb", {"name": "a/b"}),
        ("api/{name}", "/api", None),
    ],
)
def test_matching(template: str, path: str, values: dict[str, str] | None) -> None:
    assert match(parse(template), path) == values


@pytest.mark.parametrize("template", ["a/{x?}/b", "a/{*x}/b", "a/b{x}", "a/{x:colour}", "a/{x"])
def test_templates_that_cannot_be_served(template: str) -> None:
    with pytest.raises(HostError):
        parse(template)


def test_the_most_particular_template_is_tried_first() -> None:
    templates = ["items/{*rest}", "items/{id}", "items/{id:guid}", "items/new"]
    ordered = [name for _, name in by_precedence((parse(template), template) for template in templates)]
    assert ordered == ["items/new", "items/{id:guid}", "items/{id}", "items/{*rest}"]
