"""`dev.py plan` makes a sample's plan in this process; its exit code says whether the plan can be carried out."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.dev.plan import main

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.json"))
SAMPLE = next(sample for sample in SAMPLES if sample.name == "s07-own-domain-from-classic.json")


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.stem for sample in SAMPLES])
def test_each_sample_has_a_page(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(sample)])
    page = capsys.readouterr().out
    assert page.startswith("# Change plan for ")
    assert code == (0 if "can be carried out.**" in page else 1)


def test_as_json_it_is_what_the_call_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(SAMPLE), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["can_start"] is True
    assert plan["rollback"]["possible_until"]


def test_the_plan_is_of_today(capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC)
    main([str(SAMPLE)])
    days = {f"Plan made on {moment:%Y-%m-%d} " for moment in (before, datetime.now(UTC))}
    page = capsys.readouterr().out
    assert any(day in page for day in days)


def write(folder: Path, name: str, content: object) -> str:
    file = folder / name
    file.write_text(json.dumps(content), encoding="utf-8")
    return str(file)


def test_a_request_is_planned_against_another_files_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    request = write(tmp_path, "request.json", sample["request"])
    assert main([request, "--world", str(SAMPLE)]) == 0
    assert main([request, "--world", write(tmp_path, "world.json", sample["world"])]) == 0
    by_name = write(tmp_path, "sample.json", sample | {"world": "world.json"})
    assert main([by_name]) == 0
    assert capsys.readouterr().out.count("# Change plan for GraniteFalls") == 3


def test_what_stands_against_it_makes_the_exit_code_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    sample["request"]["instances"] = 16
    sample["request"]["grace_period"] = "PT1H"
    assert main([write(tmp_path, "sample.json", sample), "--minimum-grace", "P1D"]) == 1
    assert "[grace-period-too-short]" in capsys.readouterr().out


def test_mistakes_in_the_request_are_told_with_their_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    sample["request"]["size"] = "huge"
    assert main([write(tmp_path, "sample.json", sample)]) == 1
    told = capsys.readouterr()
    assert "/size: " in told.err
    assert not told.out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is no JSON"),
        ("[]", "is no JSON object"),
        ('{"a": 1}', "no world"),
        ('{"world": 1, "request": {}}', "no world"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    content: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sample.json"
    file.write_text(content)
    assert main([str(file)]) == 2
    assert why in capsys.readouterr().err


def test_a_world_that_cannot_be_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    sample["world"]["subscriptions"] = "none"
    assert main([write(tmp_path, "sample.json", sample)]) == 2
    assert "subscriptions" in capsys.readouterr().err
    assert main([str(tmp_path / "missing.json")]) == 2


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("--world", "--json", "--time-scale", "Exit code", SAMPLE.name))
