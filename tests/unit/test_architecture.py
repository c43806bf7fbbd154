"""The rules of the house, each held by reading the code itself."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted((PROJECT / "playground").rglob("*.py"))
SHARED = {"errors", "intervals", "jobs", "messages", "settings", "system", "workspace"}
MAY_IMPORT = {  # room -> rooms of the playground it may know, besides itself and the shared ones
    "models": set(),
    "data": set(),
    "training": {"models"},
    "inference": {"models"},
    "rag": {"models"},
    "starter": set(),
    "votes": set(),
    "reading": {"data", "models"},
    "asking": {"data", "inference", "models", "rag", "training"},
    "services": {"asking", "data", "training", "inference", "models", "rag", "reading", "votes"},
    "demonstration": {"services", "rag"},
    "many": {"asking", "services", "data", "inference", "models", "rag"},
    "facts": {"services", "many", "rag", "training"},
    "ui": {"facts", "asking", "services", "training", "rag", "demonstration", "many"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:  # a relative import stays in its room
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(PROJECT / "playground").parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    known = {one.split(".")[1] for one in imports(path) if one.startswith("playground.")}
    allowed = SHARED | {here} | MAY_IMPORT.get(here, set())
    assert known <= allowed, f"{here} must not know {known - allowed}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_gradio_only_in_ui_and_torch_never_there(path: Path) -> None:
    top = {one.split(".")[0] for one in imports(path)}
    if room(path) == "ui":
        assert not top & {"torch", "transformers", "peft", "trl"}
    else:
        assert "gradio" not in top


def test_only_what_the_worker_builds_with_imports_trl() -> None:
    importers = {name(path) for path in MODULES if any(one.split(".")[0] == "trl" for one in imports(path))}
    assert importers == {"playground/training/building.py"}


def test_pdfium_is_reached_only_from_processes_that_can_be_killed() -> None:
    """It is not safe under threads and may crash on a stranger's file, so no module of the app's own process may lead to it."""
    known = {".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): imports(path) for path in MODULES}
    leading = {
        module for module, used in known.items() if {one.split(".")[0] for one in used} & {"pypdfium2", "pypdfium2_raw", "pdfplumber"}
    }
    assert {"playground.rag.readers.pdfs", "playground.rag.painter"} <= leading
    while more := {module for module, used in known.items() if used & leading} - leading:
        leading |= more
    assert "playground.rag.reader" in leading
    within = {"playground.rag.reader", "playground.rag.painter"}
    outside = {module for module in leading - within if not module.startswith("playground.rag.readers.")}
    assert not outside, f"{outside} must ask the reader or the painter, which run in a process of their own"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_one_job_a_module(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module says its job"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_dangerous(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not {one.split(".")[0] for one in imports(path)} & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), "asserts vanish under -O; raise an error that tells the user"
        if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
            assert isinstance(node.value, ast.Constant) and node.value.value is False
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "eval", "exec", "os.system"):
            raise AssertionError(f"{ast.unparse(node.func)} at line {node.lineno}")
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            raise AssertionError(f"bare except at line {node.lineno}")


def test_the_environment_is_read_in_one_place() -> None:
    readers = {name(path) for path in MODULES if re.search(r"os\.(environ|getenv)", path.read_text("utf-8"))}
    # the worker's parent hands it an environment; reading variables for our own decisions happens in settings alone
    assert readers <= {"playground/settings.py", "playground/training/launching.py", "playground/starter/pretrain.py"}


def test_starting_the_page_loads_nothing_heavy() -> None:
    code = "import sys; import app, playground.ui.app, playground.services; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    heavy = {"torch", "transformers", "trl", "peft", "datasets", "chromadb", "sentence_transformers", "bitsandbytes"}
    assert not heavy & set(loaded)


def test_requirements_pin_everything_imported_and_nothing_loosely() -> None:
    lines = [line.split("#")[0].strip() for line in (PROJECT / "requirements.txt").read_text().splitlines()]
    pins = [line for line in lines if line]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z,]+\])?==[0-9][0-9a-z.]*", pin) for pin in pins)
    pinned = {re.split(r"[=\[]", pin)[0].lower().replace("_", "-") for pin in pins}
    distributions = packages_distributions()
    for path in [*MODULES, PROJECT / "app.py"]:
        for one in {i.split(".")[0] for i in imports(path)} - set(sys.stdlib_module_names) - {"playground", "msvcrt"}:
            owners = {d.lower().replace("_", "-") for d in distributions.get(one, [])}
            assert owners & pinned, f"{name(path)} imports {one}, which requirements.txt does not pin"


def test_every_text_on_the_page_is_in_the_locale_file() -> None:
    tree = json.loads((PROJECT / "assets/locales/en.json").read_text("utf-8"))

    def flat(node: dict, prefix: str = "") -> dict[str, str]:
        found = {}
        for key, value in node.items():
            found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        return found

    known = flat(tree)
    for path in (PROJECT / "playground/ui").rglob("*.py"):
        for key in re.findall(r"""(?:say|label)\(\s*"([a-z_]+\.[a-z_.]+)\"""", path.read_text("utf-8")):
            assert key in known, f"{name(path)} asks for {key}"


def test_app_py_stays_short() -> None:
    assert len((PROJECT / "app.py").read_text().splitlines()) < 40


def test_top_level_is_as_agreed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    agreed = {"playground", "assets", "tests", "app.py", "requirements.txt", "README.md", "LICENSE", "packages.txt"}
    assert {top for top in tops if not top.startswith(".")} <= agreed
