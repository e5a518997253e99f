"""The audit's list, its exit code, and that the search for secrets finds what it is there for."""

import base64
import json
import secrets
import subprocess
from pathlib import Path

import pytest

from local.dev import audit
from local.dev.audit import CHECKS, Check, Outcome, Result, broke_unexplained, made, main, of_checkov, of_pip_audit
from local.dev.on_demand import NotInstalled
from local.dev.secret_scan import PATTERNS, PLANTED, finds_in, in_the_history, in_the_tree

ROOT = Path(__file__).resolve().parents[3]


def some(characters: int) -> str:
    return secrets.token_hex(characters)[:characters]


# Put together here, so that this file itself holds none of them.
SECRETS = {
    "private key": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "PFX": "MIIK" + "AgIBAzCCCb4",
    "token": "ey" + "J" + some(20) + ".ey" + "J" + some(30) + "." + some(20),
    "storage account key": "Account" + "Key=" + base64.b64encode(secrets.token_bytes(64)).decode(),
    "shared access signature": "https://x.queue.core.windows.net/q?sv=2024" + "&sig=" + some(44),
    "app registration's secret": "abc" + "8Q~" + some(34),
    "function key": some(44) + "AzFu" + "abcd==",
    "token of GitHub, PyPI or npm": "gh" + "p_" + some(36),
    "password in an address": "http://user:" + some(12) + "@proxy:8080",
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_each_kind_of_secret_is_found_by_its_place_and_never_told(kind: str) -> None:
    (find,) = finds_in("a.txt", f"first line\nx = '{SECRETS[kind]}'\n")
    assert (find.place, find.line, find.kind) == ("a.txt", 2, kind)
    assert SECRETS[kind] not in str(find)


def test_what_is_planted_on_purpose_is_passed_over() -> None:
    assert all(reason for reason in PLANTED.values())
    assert list(finds_in("a.txt", f"{SECRETS['token']} {next(iter(PLANTED))}")) == []


def test_no_file_of_the_project_holds_what_looks_like_a_secret() -> None:
    assert [str(find) for find in in_the_tree(ROOT)] == []


def test_a_secret_that_was_taken_out_again_is_found_in_the_history(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@contoso.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    for text in (SECRETS["private key"], "clean"):
        (tmp_path / "key.pem").write_text(text)
        git("add", ".")
        git("commit", "-qm", "change")
    assert in_the_tree(tmp_path) == []
    (find,) = in_the_history(tmp_path)
    assert find.place.endswith(":key.pem") and find.kind == "private key"


def results(*outcomes: Outcome) -> tuple[Check, ...]:
    return tuple(Check(f"c{n}", "", lambda each=each: Result(each, "line")) for n, each in enumerate(outcomes))


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [((Outcome.PASSED,), 0), ((Outcome.PASSED, Outcome.FOUND), 1), ((Outcome.NOT_MADE,), 1)],
)
def test_a_finding_and_a_check_that_was_not_made_end_with_1(
    outcomes: tuple[Outcome, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], results(*outcomes)) == code
    assert len(capsys.readouterr().out.splitlines()) == len(outcomes)
    assert main(["--json"], results(*outcomes)) == code
    told = json.loads(capsys.readouterr().out)
    assert [each["outcome"] for each in told.values()] == list(outcomes)


def test_one_check_can_be_asked_for_by_its_name() -> None:
    assert main(["c0"], results(Outcome.PASSED, Outcome.FOUND)) == 0
    with pytest.raises(SystemExit):
        main(["unknown"], results(Outcome.PASSED))


def test_a_check_that_breaks_could_not_be_made() -> None:
    def breaks() -> Result:
        raise OSError("no such program")

    assert made(Check("c", "", breaks)).outcome is Outcome.NOT_MADE


def test_every_check_of_the_list_has_a_name_of_its_own_and_says_what_it_is_about() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.about for check in CHECKS)


def test_packages_that_could_not_be_looked_up_are_not_taken_for_safe() -> None:
    def package(name: str, **more: object) -> dict[str, object]:
        return {"name": name, "version": "1.0", "vulns": [], **more}

    unknown = {"skip_reason": "Dependency not found on PyPI"}
    none = of_pip_audit([package("a", **unknown), package("b", **unknown)])
    assert none.outcome is Outcome.NOT_MADE and "gives no vulnerability data" in none.line
    one = of_pip_audit([package("a"), package("b", **unknown)])
    assert one.outcome is Outcome.NOT_MADE and "1 of 2" in one.line and "index" not in one.line
    assert of_pip_audit([package("a")]).outcome is Outcome.PASSED
    bad = of_pip_audit([package("a", vulns=[{"id": "CVE-2026-1"}]), package("b", **unknown)])
    assert bad.outcome is Outcome.FOUND and bad.found[0] == "a 1.0: CVE-2026-1"


def of_templates(passed: int, failed: list[dict[str, str]], unread: list[str], broke: list[str]) -> Result:
    summary = {"passed": passed, "failed": len(failed), "parsing_errors": len(unread)}
    return of_checkov({"summary": summary, "results": {"failed_checks": failed, "parsing_errors": unread}}, broke)


def test_templates_that_could_not_be_checked_are_not_taken_for_right() -> None:
    failed = {"check_id": "CKV_1", "file_path": "/a.bicep", "resource": "r", "check_name": "Ensure"}
    assert of_templates(3, [], [], []).outcome is Outcome.PASSED
    assert of_templates(0, [], [], []).outcome is Outcome.NOT_MADE
    assert of_templates(3, [], ["/a.bicep"], []).outcome is Outcome.NOT_MADE
    assert of_templates(3, [], [], ["CKV_2"]).outcome is Outcome.NOT_MADE
    found = of_templates(3, [failed], [], ["CKV_2"])
    assert (found.outcome, found.found) == (Outcome.FOUND, ["CKV_1 /a.bicep: r: Ensure", "CKV_2"])


def test_a_rule_that_broke_counts_unless_its_file_says_why_it_is_skipped() -> None:
    log = "[ERROR] Failed to run check {} on infra/modules/vault.bicep:Microsoft.KeyVault/vaults.vault\n"
    assert broke_unexplained(log.format("CKV_AZURE_189")) == []
    assert len(broke_unexplained(log.format("CKV_AZURE_42"))) == 1


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"vulnerabilities": {}}, Outcome.PASSED),
        ({"vulnerabilities": {"a": {"severity": "low"}}}, Outcome.PASSED),
        ({"vulnerabilities": {"a": {"severity": "critical"}}}, Outcome.FOUND),
        ({"message": "no audit endpoint"}, Outcome.NOT_MADE),
    ],
)
def test_npm_is_asked_about_the_tools_that_are_installed_from_lock_files(
    said: object, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ntest -f package-lock.json && printf '%s' '{json.dumps(said)}'\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for check in (audit.AZURITE, audit.SPECTRAL):
        assert check().outcome is outcome


@pytest.mark.parametrize(
    ("said", "code", "outcome"),
    [
        ("All checks passed!", 0, Outcome.PASSED),
        ("a.py:1:121: E501 Line too long (121 > 120)", 1, Outcome.PASSED),
        ("a.py:1:1: S602 `subprocess` call with `shell=True`", 1, Outcome.FOUND),
        ("", 2, Outcome.NOT_MADE),
    ],
)
def test_a_broken_rule_that_is_not_about_security_is_the_tests_matter(
    said: str, code: int, outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ruff").write_text(f"printf '%s' '{said}'\nexit {code}\n")
    monkeypatch.setattr(audit, "python", lambda: ["sh", str(tmp_path / "ruff")])
    assert audit.security_rules().outcome is outcome


def test_a_tool_that_cannot_be_installed_makes_a_check_that_is_not_made() -> None:
    def lacks() -> Result:
        raise NotInstalled("pip-audit could not be installed: no network")

    assert made(Check("c", "", lacks)).line == "pip-audit could not be installed: no network"
