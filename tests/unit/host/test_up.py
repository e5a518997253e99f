"""What `dev.py up` and `demo` tell before anything is started."""

import argparse
import socket
from pathlib import Path

import pytest

from local.demo import command
from local.dev import test as dev_test
from local.dev import up
from local.dev.environment import LocalAzure
from local.dev.processes import ProcessError
from local.sample import SAMPLES, load, sample_names


def test_a_port_that_is_taken_is_refused_with_the_option_that_names_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProcessError, match=rf"port {port} .*--proxy-port"):
            up.ensure_free("--proxy-port", port)
    up.ensure_free("--proxy-port", port)


def test_a_newcomer_is_told_what_to_do_next() -> None:
    assert "--sample" in " ".join(up.next_step(None))
    assert "request.json" in " ".join(up.next_step(load(SAMPLES / sample_names()[0])))


def test_what_is_to_be_pasted_stands_at_the_beginning_of_its_line(tmp_path: Path) -> None:
    azure = LocalAzure()
    azure.folder = tmp_path
    told = up.explain(azure, 1.9, no_host=False, sample=load(SAMPLES / sample_names()[0])).splitlines()
    pasted = [line for line in told if line.lstrip().startswith(("export ", "curl "))]
    assert [line.partition(" ")[0] for line in pasted] == ["export", "curl"]


def test_a_file_that_is_no_sample_is_refused_with_where_to_look() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="demo --list"):
        up.sample("no-such-file.json")
    with pytest.raises(argparse.ArgumentTypeError, match="is no sample"):
        up.sample(str(SAMPLES.parent / "README.md"))


def test_the_list_of_samples_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo", "--list"])
    assert command.main() == 0
    shown = capsys.readouterr().out
    assert all(f"samples/{name}\n" in shown for name in sample_names())


def test_help_of_the_tests_is_not_pytests(capsys: pytest.CaptureFixture[str]) -> None:
    assert dev_test.main(["--help"]) == 0
    assert "PYTEST'S ARGUMENTS" in capsys.readouterr().out
