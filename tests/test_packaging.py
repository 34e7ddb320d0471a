"""The wheel: what it holds and requires, and that it runs outside the checkout."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from slimlm import ModelConfig, format_param_table, solve, verdict
from slimlm.export import html_report, notebook

ROOT = Path(__file__).parent.parent

EXECUTE = """
import nbclient
import nbformat

book = nbformat.read("design.ipynb", as_version=4)
nbclient.NotebookClient(book, kernel_name="python3", timeout=300).execute()
nbformat.write(book, "design.ipynb")
"""


class Environment(NamedTuple):
    """A virtual environment with slimlm installed, and a folder beside it to work in."""

    scripts: Path
    packages: Path
    work: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands as on a machine without the checkout."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER"))}
        return subprocess.run(
            [self.scripts / command[0], *command[1:]],
            cwd=self.work,
            env=variables | {"HOME": str(self.work)},  # no kernel or package of the user's
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def printed(self, *command: str) -> str:
        """Return what a command prints that succeeds without a warning."""
        done = self.run(*command)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet", "--no-deps", "--no-index"]
    subprocess.run(command, check=True)


def installed(wheel: Path, folder: Path) -> Environment:
    venv.create(folder / "venv", with_pip=False)
    scheme = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    scripts, packages = (Path(sysconfig.get_path(name, "venv", vars=scheme)) for name in ("scripts", "purelib"))
    pip("--python", scripts / "python", "install", "--no-compile", wheel)
    (folder / "work").mkdir()
    return Environment(scripts, packages, folder / "work")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """slimlm without any package that it requires."""
    return installed(wheel, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """slimlm with the packages of the environment that runs the tests, which need no second installation."""
    environment = installed(wheel, tmp_path_factory.mktemp("full"))
    running = "\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (environment.packages / "running.pth").write_text(running, encoding="utf-8")
    return environment


OPTIONAL = {canonicalize_name(name) for name in ("ipywidgets", "anywidget", "lm_eval", "ray")}
"""Packages that only the widget for notebooks, the adapter for lm_eval and the engine for clusters need."""

LOADED_BY_OTHERS = {canonicalize_name("uvloop")}
"""Packages that a required package loads when they are there: Streamlit takes uvloop as its event loop."""


def pins(file: str = "requirements.txt") -> dict[NormalizedName, Requirement]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}


def metadata(wheel: Path) -> Metadata:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT) for path in (ROOT / "slimlm").rglob("*") if path.is_file()}
    assert held == {path.as_posix() for path in files if "__pycache__" not in path.parts}
    assert {".csv", ".css", ".jinja"} < {Path(name).suffix for name in held}


def test_every_pin_satisfies_a_requirement_of_the_wheel_and_every_requirement_is_pinned(wheel: Path) -> None:
    required = {canonicalize_name(needed.name): needed for needed in metadata(wheel).requires_dist or ()}
    optional = {name for name, needed in required.items() if "extra" in str(needed.marker)}
    pinned = pins() | {name: pin for name, pin in pins("tests/requirements.txt").items() if name in optional}
    assert optional == OPTIONAL
    assert pinned.keys() == required.keys()
    for name, pin in pinned.items():
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert required[name].specifier.contains(exact.version), name


def imported() -> Iterator[str]:
    """Names of the modules that the package and the pages import at any place."""
    for path in (ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "slimlm").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


def test_the_requirements_are_what_is_imported() -> None:
    top = {name.partition(".")[0] for name in imported()} - sys.stdlib_module_names - {"slimlm"}
    installed_as = packages_distributions()
    assert {canonicalize_name(installed_as[name][0]) for name in top} - OPTIONAL == pins().keys() - LOADED_BY_OTHERS


def test_the_oldest_python_is_the_one_that_types_and_style_are_checked_for(wheel: Path) -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    oldest = str(metadata(wheel).requires_python).removeprefix(">=")
    assert oldest == tools["mypy"]["python_version"]
    assert f"py{oldest.replace('.', '')}" == tools["ruff"]["target-version"]


def test_the_command_runs_without_any_other_package(bare: Environment) -> None:
    design = solve(ModelConfig(total_params=10_000_000))
    printed = bare.printed("slimlm", "design", "10M")
    assert printed.startswith(f"{verdict(design)}\n\n{format_param_table(design)}\n\nDesign notes\n")
    assert bare.printed("python", "-m", "slimlm", "design", "10M") == printed
    assert "Qwen3-0.6B" in bare.printed("slimlm", "published")


def test_the_package_is_imported_from_where_it_is_installed(bare: Environment) -> None:
    found = bare.printed("python", "-c", "import slimlm, sys; print(slimlm.__file__, *sys.path, sep='\\n')").split()
    assert found[0] == str(bare.packages / "slimlm" / "__init__.py")
    assert str(ROOT) not in found


def test_a_model_without_torch_is_refused_in_a_sentence(bare: Environment) -> None:
    done = bare.run("python", "-c", "from slimlm import LanguageModel")
    assert "slimlm.LanguageModel needs torch, which is not installed; `pip install torch` would work" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("command", [("slimlm",), ("python", "-m", "slimlm")], ids=["script", "module"])
def test_the_page_is_said_to_be_in_the_checkout(command: tuple[str, ...], full: Environment) -> None:
    done = full.run(*command, "app", "--server.port", "8502")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "slimlm: the page is not part of the installed package; "
        "`slimlm app` in a checkout of slimlm's repository would work\n"
    )


def test_a_report_is_rendered_from_the_installed_templates(full: Environment) -> None:
    code = "from slimlm import ModelConfig, solve\nfrom slimlm.export import html_report\n"
    page = full.printed("python", "-c", f"{code}print(html_report(solve(ModelConfig())), end='')")
    assert page == html_report(solve(ModelConfig()))


def outputs(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what a cell printed and the value that it showed, by type."""
    shown: dict[str, Any] = {}
    for output in cell["outputs"]:
        shown |= output.get("data", {}) | ({"text": output["text"]} if "text" in output else {})
    return {kind: "".join(lines) for kind, lines in shown.items()}


def test_a_downloaded_notebook_runs_in_any_folder(full: Environment) -> None:
    design = solve(ModelConfig())
    book = json.loads(notebook(design))
    book["cells"].append(book["cells"][-1] | {"id": "place", "source": "import slimlm\n\nprint(slimlm.__file__)"})
    saved = full.work / "design.ipynb"
    saved.write_text(json.dumps(book), encoding="utf-8")
    done = full.run("python", "-c", EXECUTE)  # Jupyter's kernel may warn about its own settings
    assert done.returncode == 0, done.stderr
    _, _, table, chart, model, place = json.loads(saved.read_text(encoding="utf-8"))["cells"]
    assert outputs(table)["text"] == format_param_table(design) + "\n"
    assert "10.05M parameters" in outputs(chart)["image/svg+xml"]
    assert outputs(model)["text/plain"] == "torch.Size([1, 32, 16000])"
    assert outputs(place)["text"] == f"{full.packages / 'slimlm' / '__init__.py'}\n"
