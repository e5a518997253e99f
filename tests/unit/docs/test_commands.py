"""The commands that the pages show are there, and README's calls are those of the tutorial, whose calls are run."""

import re
from collections.abc import Iterator
from pathlib import Path

import dev

ROOT = Path(dev.__file__).parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "infra" / "README.md", *(ROOT / "docs").rglob("*.md")]
COMMAND = re.compile(r"python3 dev\.py (?P<name>[a-z]+)(?P<rest>[^\n`#|]*)")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def shown() -> Iterator[tuple[str, str, list[str]]]:
    """Page, command and its arguments."""
    for page in PAGES:
        for found in COMMAND.finditer(page.read_text(encoding="utf-8")):
            yield page.name, found["name"], found["rest"].split()


def source_of(command: str) -> str:
    """The code of a command, with the modules beside it where it is a package."""
    place = ROOT.joinpath(*dev.COMMANDS[command][0].split("."))
    return (
        "".join(file.read_text() for file in place.glob("*.py"))
        if place.is_dir()
        else place.with_suffix(".py").read_text()
    )


def calls(page: Path) -> list[str]:
    """The calls in a page's blocks, one a line, without what is said beside them."""
    blocks = "".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    return [re.sub(r"\s+#.*", "", line) for line in blocks.splitlines() if line.startswith("curl")]


def test_every_command_that_a_page_shows_is_there_with_its_options_and_files() -> None:
    found = list(shown())
    assert {name for _, name, _ in found} >= {"demo", "plan", "up", "test", "docs"}
    for page, name, arguments in found:
        if name == "help":
            continue
        assert name in dev.COMMANDS, (page, name)
        for argument in arguments:
            if argument.startswith("--") and argument != "--help":
                assert f'"{argument}"' in source_of(name), (page, name, argument)
            if argument.startswith("samples/"):
                assert (ROOT / argument.rstrip(".,;)")).exists(), (page, argument)


def test_the_calls_of_the_readme_are_calls_of_the_tutorial() -> None:
    asked = calls(ROOT / "README.md")
    assert len(asked) == 3
    assert set(asked) <= set(calls(ROOT / "docs" / "tutorial.md"))
