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

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "slimlm"

HEAVY = {"torch", "streamlit", "altair", "pandas", "numpy"}

_LIGHT = (
    "accounting architecture config design fields files foreign frameworks hf knobs markdown nearby notes options "
    "packages presets price published recipe record search solver specimen table units words"
)
_CHART = "altair pandas accounting architecture config design nearby specimen units words"

ALLOWED = {
    "units": "",
    "files": "",
    "foreign": "files",
    "packages": "",
    "fields": "units",
    "architecture": "fields",
    "config": "architecture fields",
    "accounting": "architecture",
    "words": "accounting architecture units",
    "design": "accounting architecture config words",
    "price": "accounting architecture design",
    "heads": "architecture config",
    "level": "config design",
    "search": "architecture config design heads level price",
    "solver": "accounting config design search units",
    "nearby": "config design search solver units",
    "table": "accounting architecture config design units words",
    "record": "accounting architecture config design foreign",
    "knobs": "config fields units",
    "markdown": "",
    "presets": "config",
    "published": "accounting architecture units",
    "hf/defaults": "",
    "hf/families": "foreign hf/defaults",
    "hf/plain": "hf/defaults hf/families",
    "hf/gated": "hf/defaults hf/families",
    "hf/remarks": "architecture foreign hf/families",
    "hf/config_in": "accounting architecture foreign hf/gated hf/plain hf/families hf/remarks",
    "hf/native": "accounting architecture",
    "hf/config_out": "architecture hf/native",
    "hf": "hf/config_in hf/config_out",
    "hf/tensors": "",
    "frameworks": "accounting architecture",
    "costs/checks": "",
    "costs/compute": "accounting architecture costs/checks",
    "costs/memory": "accounting architecture costs/checks",
    "costs/activations": "accounting architecture costs/checks costs/memory",
    "costs/laws": "costs/checks",
    "costs/hardware": "accounting architecture costs/checks costs/compute costs/memory",
    "costs/settings": "accounting architecture costs/activations costs/hardware costs/laws costs/memory fields",
    "costs/units": "units",
    "costs/rows": (
        "accounting architecture costs/activations costs/compute costs/hardware costs/laws costs/memory "
        "costs/settings costs/units units"
    ),
    "costs": "costs/hardware costs/rows costs/settings",
    "sweep/values": "knobs units",
    "sweep/metrics": (
        "architecture costs/activations costs/compute costs/memory costs/settings costs/units design units"
    ),
    "sweep/grid": "accounting config design fields knobs search solver sweep/metrics sweep/values units",
    "sweep/reading": "config design knobs sweep/grid sweep/values units words",
    "sweep/table": "knobs sweep/grid sweep/metrics",
    "sweep": "sweep/grid sweep/metrics sweep/table sweep/values",
    "charts/ticks": "",
    "charts/places": "",
    "notes/remarks": "published units",
    "notes/attention": "architecture costs/memory design published notes/remarks units",
    "notes/budget": "design published notes/remarks units",
    "notes/shape": "architecture design published notes/remarks units",
    "notes/rules": "design notes/attention notes/budget notes/remarks notes/shape",
    "notes": "notes/remarks notes/rules",
    "specimen": "accounting architecture config design fields foreign hf published record solver units words",
    "pins": "accounting architecture config design foreign knobs published solver specimen units",
    "starts": "config pins published",
    "comparison": "architecture costs costs/units knobs pins specimen units words",
    "comparison_tables": "comparison costs markdown report",
    "options": "config fields units",
    "recipe": "architecture design fields options solver specimen units",
    "__init__": "accounting architecture config design nearby packages solver table units",
    "command_request": "config fields options units",
    "command_sweep": (
        "architecture command_request files knobs packages sweep/grid sweep/metrics sweep/table sweep/values"
    ),
    "__main__": f"command_request command_sweep {_LIGHT}",
    "layers": "torch accounting",
    "drawing": "torch",
    "model": "torch accounting architecture config design drawing layers solver table",
    "machine": "torch psutil architecture drawing model",
    "streaming": "torch accounting architecture drawing machine model",
    "estimating": "accounting architecture machine streaming",
    "findings": "torch",
    "progress": "units",
    "hf/weights": "torch hf/tensors model",
    "pretrained": (
        "torch safetensors accounting architecture config design files foreign hf/config_out hf/tensors hf/weights "
        "model"
    ),
    "probing": (
        "torch accounting architecture design estimating findings machine model progress streaming table units"
    ),
    "shape_check": "torch accounting architecture model table",
    "charts/theme": "altair pandas",
    "charts/live": "charts/theme",
    "charts/allocation": f"{_CHART} charts/theme",
    "charts": "charts/allocation charts/layer_profile charts/tradeoff",
    "charts/layer_profile": f"{_CHART} charts/allocation charts/theme",
    "charts/tradeoff": f"{_CHART} charts/allocation charts/places charts/theme",
    "charts/heatmap_layers": "altair charts/theme",
    "charts/heatmap": (
        "charts/allocation charts/heatmap_layers sweep/grid sweep/metrics sweep/reading sweep/values "
        "charts/theme charts/ticks words"
    ),
    "charts/pareto": (
        "altair charts/allocation charts/heatmap charts/heatmap_layers charts/places sweep/grid sweep/metrics "
        "sweep/reading sweep/values charts/theme charts/ticks"
    ),
    "report": (
        "accounting config design fields markdown nearby notes recipe notes/remarks solver specimen table units words"
    ),
    "card": (
        "altair accounting architecture charts/allocation config design charts/layer_profile charts/theme packages "
        "units words"
    ),
    "export": f"altair card charts/allocation charts/layer_profile report charts/theme charts/tradeoff {_LIGHT}",
    "charts/comparison": "altair accounting charts/allocation comparison pins charts/theme units words",
    "charts/profiles": "altair charts/allocation charts/comparison pins charts/theme units words",
    "compare_export": "card charts/comparison charts/profiles comparison comparison_tables report",
    "ui/precedence": "streamlit",
    "ui/queue": "words",
    "ui/downloads": "streamlit markdown packages",
    "ui/guard": "streamlit markdown packages",
    "ui/workshop": f"streamlit ui/guard ui/queue {_LIGHT}",
    "ui/sweep_controls": "streamlit knobs markdown sweep/metrics sweep/values",
    "ui/sweep_measuring": "streamlit architecture markdown sweep/grid ui/guard units words ui/workshop",
    "ui/sweep_panels": (
        "streamlit config charts/heatmap markdown ui/downloads ui/panels charts/pareto ui/pinning sweep/grid "
        "sweep/metrics sweep/reading sweep/table sweep/values ui ui/sweep_controls ui/sweep_measuring charts/theme "
        "units words"
    ),
    "ui/address": "streamlit config fields knobs ui/pinning units",
    "ui/pinning": "streamlit architecture config markdown pins published specimen",
    "ui/widgets": "streamlit config fields knobs markdown ui/address units",
    "ui/frame": f"streamlit ui/address ui/widgets ui/workshop {_LIGHT}",
    "ui": "ui/frame",
    "ui/panels": (
        "streamlit charts/allocation charts/layer_profile markdown ui/pinning charts/theme charts/tradeoff "
        f"ui/downloads ui/frame ui/workshop {_LIGHT}"
    ),
    "ui/figures": "streamlit pyarrow charts/live charts/theme",
    "ui/handover": "streamlit architecture frameworks hf markdown",
    "ui/picker": "streamlit hf markdown published specimen units",
    "ui/cost_panels": "streamlit architecture comparison_tables costs fields markdown units",
    "ui/compare_panels": (
        "streamlit charts/comparison comparison comparison_tables ui/cost_panels ui/downloads hf markdown ui/picker "
        "ui/pinning pins published starts"
    ),
    "ui/inspection": (
        "streamlit architecture markdown packages ui/guard ui/panels ui/picker published specimen ui/frame units words"
    ),
}
"""Module → what it may import while it is imported itself: modules of slimlm, and other packages."""

LAZILY = {
    "__init__": "export frameworks hf layers model pretrained probing published",
    "__main__": "card charts/allocation export model probing report",
    "report": "card charts/allocation charts/layer_profile charts/theme charts/tradeoff",
    "card": "vl_convert",
    "export": "model vl_convert",
    "ui/workshop": "estimating machine probing progress",
    "sweep/metrics": "probing",
    "command_sweep": "probing",
    "ui/sweep_measuring": "estimating probing",
    "ui/sweep_panels": "card",
    "ui/frame": "charts/allocation card export probing report",
    "ui/panels": "card export probing report",
    "ui/compare_panels": "compare_export",
    "ui/inspection": "shape_check",
}
"""Module → what it may besides import inside a function, or for type checkers alone."""

PAGES = {
    "ui",
    "ui/address",
    "ui/compare_panels",
    "ui/cost_panels",
    "ui/downloads",
    "ui/figures",
    "ui/guard",
    "ui/handover",
    "ui/inspection",
    "ui/panels",
    "ui/picker",
    "ui/precedence",
    "ui/pinning",
    "ui/sweep_controls",
    "ui/sweep_measuring",
    "ui/sweep_panels",
    "ui/frame",
    "ui/widgets",
    "ui/workshop",
}
"""The modules that know Streamlit: only pages, and each other, import them."""

LIGHT = {"__init__", "__main__", "comparison", "comparison_tables", "costs", "pins", "starts", "sweep", *_LIGHT.split()}

PATHS = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().removesuffix("/__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
MODULES = sorted(PATHS)
"""Every module, those of a package with its name before theirs: "hf/native"."""


def module_of(path: str, name: str) -> str:
    """Return the module that `from path import name` loads."""
    package = path.removeprefix("slimlm").strip(".").replace(".", "/")
    inside = f"{package}/{name}".lstrip("/")
    return inside if inside in MODULES else package or "__init__"


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
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a module imports at once and what it imports later."""
    found = set(walk(ast.parse(PATHS[module].read_text(encoding="utf-8"))))
    return frozenset(name for name, lazy in found if not lazy), frozenset(name for name, lazy in found if lazy)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_the_table_allows(module: str) -> None:
    assert module in ALLOWED, f"slimlm/{module}.py is new: say in ALLOWED (and LAZILY) what it may import"
    at_once, later = imports(module)
    allowed = set(ALLOWED[module].split())
    assert at_once <= allowed, f"slimlm/{module}.py must not import {sorted(at_once - allowed)}"
    allowed |= set(LAZILY.get(module, "").split())
    assert later <= allowed, f"slimlm/{module}.py must not import {sorted(later - allowed)} in a function either"


def test_the_table_runs_in_one_direction() -> None:
    arrows = {module: {*names.split(), *LAZILY.get(module, "").split()} for module, names in ALLOWED.items()}
    order = graphlib.TopologicalSorter(arrows)
    assert set(order.static_order()) >= ALLOWED.keys()  # CycleError when there is a circle


def test_the_table_keeps_heavy_packages_where_they_belong() -> None:
    def reach(module: str) -> set[str]:
        names = set(ALLOWED.get(module, "").split())
        return names.union(*map(reach, names))

    outside = {module: reach(module) - ALLOWED.keys() for module in ALLOWED}
    assert not any(outside[module] for module in LIGHT)
    assert outside["charts"] == outside["charts/layer_profile"] == outside["charts/tradeoff"] == {"altair", "pandas"}
    assert not outside["export"] & {"streamlit", "torch"}
    assert not outside["ui"] & {"torch", "altair"}, "the page answers before the chart and the model are loaded"
    assert {module for module, names in ALLOWED.items() if PAGES & set(names.split())} <= PAGES
    assert {module for module, names in outside.items() if "streamlit" in names} == PAGES
    assert not PAGES & {name for names in LAZILY.values() for name in names.split()}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os.path, torch.nn as nn", {("torch", False)}),
        ("from slimlm.units import parse_size", {("units", False)}),
        ("from slimlm import units, solve", {("units", False), ("__init__", False)}),
        ("import slimlm", {("__init__", False)}),
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
        list(walk(ast.parse("from . import units")))


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
        "import slimlm.__main__, slimlm.notes, slimlm.published, slimlm.record, slimlm.knobs, slimlm.presets",
        "import slimlm.frameworks, slimlm.hf.config_out, slimlm.hf.tensors",
        "import slimlm.sweep, slimlm.sweep.reading",
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
        assert public.__name__ == name
        assert public.__module__.startswith("slimlm.")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"^module 'slimlm' has no attribute 'LanguageModels'$"):
        _ = slimlm.LanguageModels
