"""Who may import whom, and that light modules stay light."""

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import slimlm
from tests.import_table import ALLOWED, LAZY, LIGHT

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "slimlm"

HEAVY = {"torch", "streamlit", "altair", "pandas", "numpy", "scipy"}

FILES = {
    path.relative_to(ROOT).with_suffix("").as_posix(): path
    for path in sorted([*PACKAGE.rglob("*.py"), ROOT / "app.py", *(ROOT / "pages").glob("*.py")])
}


def package_of(file: str) -> str:
    """Return the row of a file: "charts" for slimlm/charts/theme, "slimlm" for slimlm/__init__, "app", "pages"."""
    parts = file.split("/")
    return parts[1] if parts[0] == "slimlm" and len(parts) > 2 else parts[0]


def module_of(path: str, name: str) -> str:
    """Return the package of slimlm that `from path import name` loads."""
    parts = path.split(".")
    if len(parts) > 1:
        return parts[1]
    return name if name and (PACKAGE / name).is_dir() and name not in slimlm.__all__ else "slimlm"


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the modules of slimlm by their own names and other packages by theirs; Python's own are left out."""
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise AssertionError(f"line {node.lineno}: relative imports hide who imports whom")
        names = [(str(node.module), alias.name) for alias in node.names]
    else:
        names = [(alias.name, "") for alias in node.names]
    for module, name in names:
        package = module.partition(".")[0]
        if package == "slimlm":
            yield module_of(module, name)
        elif package not in sys.stdlib_module_names:
            yield package


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def walk(node: ast.AST, lazy: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every import with whether it waits for a call (or for a type checker)."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((name, lazy) for name in imported_names(node))
    late = lazy or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_for_type_checkers(node)
    for child in ast.iter_child_nodes(node):
        yield from walk(child, late)


@cache
def imports(package: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a package imports at once and what it imports later, itself left out."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for file, path in FILES.items() if package_of(file) == package]
    found = {pair for tree in trees for pair in walk(tree) if pair[0] != package}
    at_once = frozenset(name for name, lazy in found if not lazy)
    return at_once, frozenset(name for name, lazy in found if lazy) - at_once


def modules_within(package: str) -> dict[str, set[str]]:
    """Return each module of a package with the modules of the same package that it imports, lazily or not."""
    modules = {file.removesuffix("/__init__") for file in FILES}
    found: dict[str, set[str]] = {}
    for file in [file for file in FILES if package_of(file) == package]:
        nodes = ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8")))
        targets = {
            f"{base}/{alias.name}" if f"{base}/{alias.name}" in modules else base
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.module
            for base in [node.module.replace(".", "/")]
            for alias in node.names
        }
        module = file.removesuffix("/__init__")
        found[module] = {name for name in targets & modules if package_of(f"{name}/") == package} - {module}
    return found


@pytest.mark.parametrize("package", sorted({package_of(file) for file in FILES}))
def test_a_package_imports_exactly_what_its_row_says(package: str) -> None:
    assert package in ALLOWED, f"{package} is new: say in ALLOWED (and LAZY) what it may import"
    at_once, later = imports(package)
    allowed, lazy = set(ALLOWED[package].split()), set(LAZY.get(package, "").split())
    assert at_once == allowed, f"{package}: not allowed {sorted(at_once - allowed)}, unused {sorted(allowed - at_once)}"
    assert later == lazy, f"{package}, lazily: not allowed {sorted(later - lazy)}, unused {sorted(lazy - later)}"


def test_every_arrow_goes_up_the_table_and_lazy_ones_do_too() -> None:
    rows = list(ALLOWED)
    arrows = {package: {*ALLOWED[package].split(), *LAZY.get(package, "").split()} for package in rows}
    graphlib.TopologicalSorter(arrows).prepare()  # CycleError when there is a circle
    for package, names in arrows.items():
        later = set(rows[rows.index(package) :]) & names
        assert not later, f"{package} imports {sorted(later)}, which stand below it"


@pytest.mark.parametrize("package", ALLOWED)
def test_no_circle_within_a_package(package: str) -> None:
    graphlib.TopologicalSorter(modules_within(package)).prepare()  # CycleError when there is a circle


def test_every_package_says_in_one_line_what_lives_there() -> None:
    for package in [name for name in ALLOWED if (PACKAGE / name).is_dir()]:
        lines = (ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text("utf-8"))) or "").split(
            "\n\n"
        )
        assert lines[0].endswith("."), f"slimlm/{package}/__init__.py has no docstring"


def test_no_private_name_crosses_a_module() -> None:
    private = [
        (file, alias.name)
        for file, path in FILES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slimlm")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not private


def test_the_table_keeps_heavy_packages_where_they_belong() -> None:
    def reach(package: str) -> set[str]:
        names = set(ALLOWED.get(package, "").split())
        return names.union(*map(reach, names))

    outside = {package: reach(package) - ALLOWED.keys() for package in ALLOWED}
    assert not any(outside[package] for package in LIGHT)
    assert outside["charts"] == {"altair", "pandas"}
    assert outside["export"] == {"altair", "pandas", "jinja2"}
    assert outside["model"] == {"torch", "safetensors"}
    assert outside["probing"] == {"torch", "psutil", "safetensors"}
    assert outside["engines"] == {"numpy"}
    assert "torch" not in outside["ui"] | outside["app"] | outside["pages"]
    assert {package for package, names in outside.items() if "streamlit" in names} == {"ui", "app", "pages"}
    assert not {"ui", "app", "pages"} & {name for names in LAZY.values() for name in names.split()}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os.path, torch.nn as nn", {("torch", False)}),
        ("from slimlm.utils.formatting import parse_size", {("utils", False)}),
        ("from slimlm import ui, solve", {("ui", False), ("slimlm", False)}),
        ("import slimlm", {("slimlm", False)}),
        ("def f():\n    class C:\n        import altair", {("altair", True)}),
        ("if TYPE_CHECKING:\n    import pandas\nelse:\n    import json", {("pandas", True)}),
        ("class C:\n    if True:\n        import psutil", {("psutil", False)}),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", {("torch", False)}),
    ],
)
def test_imports_are_found(source: str, found: set[tuple[str, bool]]) -> None:
    assert set(walk(ast.parse(source))) == found


def test_relative_imports_are_refused() -> None:
    with pytest.raises(AssertionError, match="line 1: relative imports hide who imports whom"):
        list(walk(ast.parse("from . import utils")))


def loaded_after(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter has loaded after running some code."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import slimlm",
        "import slimlm; dir(slimlm)",
        "import slimlm; slimlm.format_param_table(slimlm.solve(slimlm.ModelConfig()))",
        "import slimlm; slimlm.alternatives(slimlm.ModelConfig())",
        "import slimlm.cli.design, slimlm.cli.sweep, slimlm.cli.rank, slimlm.cli.train, slimlm.cli.evaluate",
        "import slimlm.cli.sample, slimlm.cli.export, slimlm.cli.lr_find, slimlm.cli.app, slimlm.cli.sources",
        "import slimlm.cli.main, slimlm.notes, slimlm.core.published, slimlm.serialization.design_json",
        "import slimlm.serialization.fields, slimlm.serialization.presets, slimlm.compare.comparison",
        "import slimlm.interop.megatron, slimlm.interop.hf.export_config, slimlm.interop.hf.tensor_names",
        "import slimlm.costs, slimlm.sweep, slimlm.sweep.describe",
    ],
)
def test_light_use_loads_nothing_heavy(code: str) -> None:
    assert loaded_after(code) == set()


def test_torch_is_loaded_on_first_use_and_brings_no_page_or_chart() -> None:
    assert loaded_after("import slimlm\nassert 'torch' not in sys.modules\nslimlm.LanguageModel") & {
        "torch",
        "streamlit",
        "altair",
        "pandas",
    } == {"torch"}


def test_charts_load_neither_torch_nor_streamlit() -> None:
    found = loaded_after("import slimlm.charts, slimlm.charts.theme")
    assert "altair" in found
    assert not found & {"torch", "streamlit"}


def test_every_public_name_resolves() -> None:
    assert slimlm.__all__ == sorted(set(slimlm.__all__))
    assert all(hasattr(slimlm, name) for name in dir(slimlm))
    for name in slimlm.__all__:
        public = getattr(slimlm, name)
        assert public.__name__ == {"AskedGot": "TargetActual"}.get(name, name)
        assert public.__module__.startswith("slimlm.")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"^module 'slimlm' has no attribute 'LanguageModels'$"):
        _ = slimlm.LanguageModels
