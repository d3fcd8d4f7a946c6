"""What an import costs, who names which package, and that each __all__ is true."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import noria

ROOT = Path(noria.__file__).parent
HEAVY = {
    "torch", "transformers", "sentence_transformers", "lancedb", "pyarrow", "numpy", "sqlalchemy",
    "httpx", "typer", "rich", "tokenizers", "xllamacpp", "kreuzberg", "filelock", "ray", "fastapi",
}  # fmt: skip
FORBIDDEN = {"torch", "transformers", "ray", "fastapi"}
MODULES = sorted(path for path in ROOT.rglob("*.py"))


def loaded(statement: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def named(path: Path) -> set[str]:
    """The packages that a module names in its imports, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_noria_loads_nothing_heavy() -> None:
    assert not loaded("import noria") & HEAVY


@pytest.mark.parametrize(
    "module", ["types", "protocols", "errors", "config", "plugins", "jobs", "words", "testing"]
)
def test_what_everything_passes_through_loads_nothing_heavy(module) -> None:
    assert not loaded(f"import noria.{module}") & HEAVY


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.relative_to(ROOT).parts[0] in
     {"types.py", "protocols.py", "funnel", "loop", "store"}],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)  # fmt: skip
def test_no_heavy_packages_where_everything_passes_through(path) -> None:
    assert not named(path) & FORBIDDEN


def test_types_and_errors_stand_on_the_standard_library_alone() -> None:
    for name in ("types.py", "errors.py"):
        assert named(ROOT / name) <= sys.stdlib_module_names


@pytest.mark.parametrize("module", ["noria", "noria.testing"])
def test_all_is_complete_and_sorted(module) -> None:
    package = importlib.import_module(module)
    imported = {
        alias.asname or alias.name
        for node in ast.parse(Path(package.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    names = set(package.__all__)
    assert list(package.__all__) == sorted(names)
    assert names - {"__version__"} == imported
    assert all(hasattr(package, name) for name in names)


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in MODULES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []
