"""A short campaign: seeded runs with all kinds of mischief, none with a violation; the command says so, too."""

import json
from pathlib import Path

import pytest

from local.chaos import __main__ as command
from local.chaos.campaign import USUAL, run
from local.chaos.mischief import Kind, draw
from local.chaos.stage import play
from local.sample import load

SEED, RUNS, PARTS = 2026, 24, 4
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "new-own-domain.json"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mischief_breaks_a_promise(part: int) -> None:
    results = [run(SEED, number) for number in range(part, RUNS, PARTS)]
    broken = {f"--seed {SEED} --only {each.number}": (each.outcome, each.violations) for each in results}
    assert {again: what for again, what in broken.items() if what[1]} == {}


def test_every_kind_of_mischief_is_drawn() -> None:
    drawn = {each.kind for number in range(100) for each in draw(SEED, number, USUAL).mischief}
    assert drawn == set(Kind)


def test_the_same_seed_tells_the_same_story() -> None:
    drawn = draw(SEED, 3, USUAL)
    stories = [play(load(SAMPLE), drawn.mischief, drawn.seed) for _ in range(2)]
    assert stories[0].writes and stories[0].runs == stories[1].runs
    assert [(each.at, each.path) for each in stories[0].writes] == [(each.at, each.path) for each in stories[1].writes]


def test_the_command_goes_on_where_it_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "STATES", tmp_path)
    arguments = ["--seed", "7", "--sample", str(SAMPLE), "--json"]
    assert command.main([*arguments, "--runs", "2"]) == 0
    [state] = tmp_path.iterdir()
    state.write_text(state.read_text() + '{"run": 2, "broken of')
    first = capsys.readouterr().out.splitlines()
    assert command.main([*arguments, "--runs", "3", "--resume"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(first) == 3 and [line.get("run") for line in lines] == [2, None]
    assert lines[-1]["runs"] == 3 and lines[-1]["violations"] == 0


def test_a_violation_is_told_with_what_reproduces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from local.chaos import campaign
    from local.chaos.checker import Violation

    monkeypatch.setattr(command, "STATES", tmp_path)
    monkeypatch.setattr(campaign, "judge", lambda _: [Violation("no orphan resource", "it left a scale set behind")])
    assert command.main(["--seed", "7", "--sample", str(SAMPLE), "--runs", "1"]) == 1
    told = capsys.readouterr().out
    assert "it left a scale set behind" in told
    assert "python3 dev.py chaos --seed 7 --only 0" in told and "1 with a violation" in told
