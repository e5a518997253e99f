"""The list of what ships: hashes, licences and the app's own dependencies are added to what the writer found."""

from typing import Any

import pytest

from local.dev.licences import Licence
from local.dev.pins import Pin, pins
from local.dev.processes import ROOT
from local.dev.sbom import SbomError, shaped

A, B = "a" * 64, "b" * 64
PINNED = (Pin("msal", "1.39.0", (A, B)), Pin("pyjwt", "2.15.1", (B,)))
LICENSED = {"msal": Licence("MIT", declared=False), "pyjwt": Licence("Apache-2.0 OR MIT", declared=True)}
AUTHORS = [{"name": "The authors"}]


def found() -> dict[str, Any]:
    """As cyclonedx-py 7.5 writes it, in short."""
    return {
        "components": [
            {"bom-ref": "msal==1.39.0", "name": "msal", "version": "1.39.0", "licenses": [{"license": {"name": "?"}}]},
            {"bom-ref": "PyJWT==2.15.1", "name": "PyJWT", "version": "2.15.1", "externalReferences": [{"type": "vcs"}]},
        ],
        "dependencies": [
            {"ref": "PyJWT==2.15.1"},
            {"ref": "msal==1.39.0", "dependsOn": ["PyJWT==2.15.1"]},
            {"ref": "root-component"},
        ],
        "metadata": {"component": {"bom-ref": "root-component", "name": "cmg-migrate"}},
    }


def test_each_component_has_the_hashes_that_are_pinned_and_one_licence() -> None:
    msal, jwt = shaped(found(), PINNED, ["msal"], LICENSED, AUTHORS)["components"]
    assert [each["content"] for each in msal["externalReferences"][0]["hashes"]] == [A, B]
    assert [each["type"] for each in jwt["externalReferences"]] == ["vcs", "distribution"]
    assert msal["licenses"] == [{"license": {"id": "MIT", "acknowledgement": "concluded"}}]
    assert jwt["licenses"] == [{"expression": "Apache-2.0 OR MIT", "acknowledgement": "declared"}]


def test_the_graph_begins_at_the_app_with_what_it_uses_itself() -> None:
    document = shaped(found(), PINNED, ["pyjwt", "msal"], LICENSED, AUTHORS)
    first, *others = document["dependencies"]
    assert first == {"ref": "root-component", "dependsOn": ["PyJWT==2.15.1", "msal==1.39.0"]}
    assert others == found()["dependencies"][:2] and document["metadata"]["authors"] == AUTHORS


@pytest.mark.parametrize("pinned", [PINNED[:1], (*PINNED, Pin("yarl", "1.0", ())), (PINNED[0], Pin("pyjwt", "3", ()))])
def test_a_list_of_something_else_than_what_is_pinned_is_none(pinned: tuple[Pin, ...]) -> None:
    with pytest.raises(SbomError, match="differ"):
        shaped(found(), pinned, ["msal"], LICENSED, AUTHORS)


def test_the_same_list_has_the_same_serial_number_and_another_one_another() -> None:
    numbers = [
        shaped(found(), PINNED, direct, LICENSED, AUTHORS)["serialNumber"] for direct in (["msal"], ["msal"], [])
    ]
    assert numbers[0] == numbers[1] != numbers[2] and numbers[0].startswith("urn:uuid:")


def test_what_ships_is_pinned_with_hashes_and_holds_all_that_the_app_uses_itself() -> None:
    shipped = pins((ROOT / "requirements.txt").read_text())
    assert len(shipped) == len({pin.name for pin in shipped}) > 40 and all(pin.sha256 for pin in shipped)
    direct = pins((ROOT / "requirements.in").read_text())
    assert {(pin.name, pin.version) for pin in direct} < {(pin.name, pin.version) for pin in shipped}


def test_a_pin_is_read_over_its_continued_lines_and_by_its_normalized_name() -> None:
    text = f"# made\nTyping_Extensions==4.16.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\nidna==3.20\n"
    assert pins(text) == (Pin("typing-extensions", "4.16.0", (A, B)), Pin("idna", "3.20", ()))
