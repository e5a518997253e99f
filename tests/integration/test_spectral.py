"""Spectral, the linter of API descriptions, finds nothing against its own rules for OpenAPI."""

import json
import subprocess
from pathlib import Path

from tests.serving import description

ROOT = Path(__file__).parents[2]
TOOLS = json.loads((ROOT / ".dev/tools.json").read_text())


def findings(folder: Path, document: object) -> list[str]:
    file = folder / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    lint = ["lint", "--ruleset", str(ROOT / "local/spectral/ruleset.yaml"), "--format", "json", "--quiet"]
    ended = subprocess.run(
        [TOOLS["node"], TOOLS["spectral"], *lint, "--fail-severity", "hint", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, object]] = json.loads(ended.stdout)
    assert ended.returncode == int(bool(found)), ended.stderr
    return [str(each["code"]) for each in found]


def test_the_description_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, description()) == []


def test_a_call_without_a_description_is_found(tmp_path: Path) -> None:
    document = description()
    del document["paths"]["/health"]["get"]["description"]  # type: ignore[index,call-overload,union-attr]  # JSON
    assert findings(tmp_path, document) == ["operation-description"]
