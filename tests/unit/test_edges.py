"""Which part may import what (architecture, "Layout"), and that a cold start stays short."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "cmg_core"
SHIPPED = [*CORE.rglob("*.py"), ROOT / "function_app.py"]

SERVICE_SDKS = ("azure.mgmt", "azure.identity", "azure.keyvault", "dns")
STORAGE_SDKS = ("azure.storage", "azure.data")
HEAVY = (*SERVICE_SDKS, *STORAGE_SDKS, "aiohttp", "opentelemetry", "azure.monitor")


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports, wherever it does: late, or for types only, counts as well.

    ``from a import b`` may name a module b: both ``a`` and ``a.b`` are given.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def breaches(files: Iterable[Path], forbidden: tuple[str, ...]) -> dict[str, set[str]]:
    """File to what it imports of the forbidden packages."""
    found = {
        str(file.relative_to(ROOT)): {
            module for module in imports_of(file) if any(f"{module}.".startswith(f"{name}.") for name in forbidden)
        }
        for file in files
    }
    return {file: modules for file, modules in found.items() if modules}


def outside(*allowed: str) -> list[Path]:
    """The shipped files outside these folders of cmg_core."""
    return [file for file in SHIPPED if not any(file.is_relative_to(CORE / folder) for folder in allowed)]


@pytest.mark.parametrize("folder", ["domain", "steps", "looks"])
def test_domain_and_steps_know_nothing_of_azure_s_libraries(folder: str) -> None:
    files = list((CORE / folder).rglob("*.py"))
    assert files
    assert not breaches(files, ("azure", "dns", "aiohttp", "cmg_core.azure", "cmg_core.ledger", "cmg_core.triggers"))


def test_domain_does_no_io_and_knows_no_port() -> None:
    ports = ("cmg_core.services", "cmg_core.steps", "cmg_core.engine", "cmg_core.wiring", "cmg_core.settings")
    ways_out = ("asyncio", "socket", "ssl", "http", "urllib.request", "os", "pathlib", "subprocess", "time")
    assert not breaches((CORE / "domain").rglob("*.py"), (*ports, *ways_out))


def test_nothing_that_ships_imports_the_local_environment_or_tests() -> None:
    assert not breaches(SHIPPED, ("local", "tests", "azure_functions_runtime"))


def test_only_the_azure_folder_imports_management_identity_vault_and_dns_libraries() -> None:
    assert not breaches(outside("azure"), SERVICE_SDKS)


def test_only_the_ledger_imports_storage_libraries() -> None:
    assert not breaches(outside("ledger"), STORAGE_SDKS)


def test_only_the_telemetry_folder_imports_opentelemetry() -> None:
    assert not breaches(outside("telemetry"), ("opentelemetry", "azure.monitor"))


def test_only_triggers_and_the_app_import_azure_functions() -> None:
    files = [file for file in outside("triggers") if file != ROOT / "function_app.py"]
    assert not breaches(files, ("azure.functions",))


def test_the_roots_files_import_no_library_of_azure() -> None:
    assert not breaches(CORE.glob("*.py"), ("azure", "aiohttp", "dns"))


def test_importing_the_app_loads_no_heavy_library() -> None:
    heavy = tuple(f"{name}." for name in HEAVY)
    program = f"import function_app, sys; print(*[m for m in sys.modules if (m + '.').startswith({heavy!r})])"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == []
