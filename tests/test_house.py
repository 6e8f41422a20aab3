"""The rules of the house, checked on every file: who may import whom, one door per system, sizes, names."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from include.settings import ROOT

ROOMS = ("dags", "plugins/twin_airflow", "serving", "include", "ml")
MAY_IMPORT = {
    "dags": {"twin_airflow", "serving", "include", "ml"},
    "twin_airflow": {"twin_airflow", "serving", "include", "ml"},
    "serving": {"serving", "include", "ml"},
    "include": {"include", "ml"},
    "ml": {"ml"},
    "demo": {"demo", "serving", "include", "ml"},
}
OURS = {"dags", "twin_airflow", "serving", "include", "ml", "demo", "tests"}
# Which files may speak to a system; everybody else goes through them.
DOORS = {
    "pymongo": {
        *(
            "include/changes.py",
            "include/collections.py",
            "include/documents.py",
            "include/health.py",
        )
    },
    "weaviate": {
        *("include/vectors_weaviate.py", "include/colours_weaviate.py"),
        *("include/weaviate_server.py", "include/weaviate_setup.py"),
        "include/weaviate_online_store/",
    },
    "lancedb": {"include/vectors_lance.py", "include/colours_lance.py"},
    "feast": {
        *("include/features.py", "include/feature_store.py", "feature_repo/"),
        "include/feature_online.py",
        "include/weaviate_online_store/",
    },
    "great_expectations": {"include/validation.py"},
    "wandb": {"ml/tracking.py"},
    "airflow": {"dags/", "plugins/"},
    "openai": {"include/llm.py", "serving/ask.py"},
    "ray": {
        *("serving/app.py", "include/engine_ray.py", "include/jobs_ray.py"),
        "include/search_ray.py",
    },
    "optuna": {"include/search_ray.py"},
    "torch": {"ml/"},
    "transformers": {"ml/"},
    "trl": {"ml/"},
    "peft": {"ml/"},
    "xllamacpp": {"ml/llama"},
    "gguf": {"ml/gguf.py", "ml/gguf_tokenizer.py"},
    "llguidance": {"ml/constrain.py"},
    "huggingface_hub": {"ml/hub.py"},
    # A peer to be measured beside, that the package of the default embedder's weights happens to bring along.
    "sentence_transformers": set(),
}
# Too heavy to be imported by a module that somebody only looks at.
HEAVY = {
    *("torch", "transformers", "trl", "peft", "great_expectations", "feast", "wandb", "datasets"),
    *(
        "optuna",
        "sklearn",
        "trafilatura",
        "pandas",
        "pyarrow",
        "onnxruntime",
        "sentence_transformers",
    ),
    *("xllamacpp", "gguf", "llguidance"),
}
# Settings for people; the rest start programs, which need PATH and the like.
READS_ENVIRONMENT = {
    *("include/settings.py", "include/services.py"),
    *("include/install.py", "include/weaviate_setup.py", "include/running.py"),
    "include/containers.py",
}
BROAD_EXCEPT = {"serving/slot.py", "include/crawlers/reading.py"}
SAYS_NOTHING = {
    "utils",
    "util",
    "common",
    "base",
    "manager",
    "factory",
    "helpers",
    "helper",
    "misc",
}
FILE_LINES, FUNCTION_LINES = 300, 30


def sources() -> list[Path]:
    rooms = (*ROOMS, "demo", "feature_repo", "plugins")
    found = {
        p for room in rooms for p in (ROOT / room).rglob("*.py") if "__pycache__" not in p.parts
    }
    return sorted(found)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    first, *rest = path.relative_to(ROOT).parts
    return "twin_airflow" if first == "plugins" else first


every_file = pytest.mark.parametrize("path", sources(), ids=name)


@every_file
def test_imports_point_one_way(path):
    allowed = MAY_IMPORT.get(room_of(path), set())
    ours = {module.split(".")[0] for module in imports(parsed(path))} & OURS

    assert ours <= allowed | ({"twin_airflow"} if room_of(path) == "dags" else set())


@every_file
def test_every_system_has_one_door(path):
    for module in imports(parsed(path)):
        door = DOORS.get(module.split(".")[0])
        assert door is None or any(name(path).startswith(d) for d in door), (
            f"{module} in {name(path)}"
        )


@every_file
def test_heavy_libraries_are_imported_where_they_are_used(path):
    if name(path).startswith(("feature_repo/", "include/weaviate_online_store/")):
        return  # Feast's own declarations, and a part of Feast that only Feast imports
    at_top = [n for n in parsed(path).body if isinstance(n, ast.Import | ast.ImportFrom)]
    loaded = {module.split(".")[0] for node in at_top for module in imports(node)}

    assert not loaded & HEAVY


@every_file
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert lines <= FUNCTION_LINES, f"{node.name} has {lines} lines"


@every_file
def test_what_is_public_is_described(path):
    tree = parsed(path)
    assert ast.get_docstring(tree), "the module says nothing about itself"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} says nothing about itself"


@every_file
def test_names_say_something(path):
    assert not SAYS_NOTHING & set(path.relative_to(ROOT).with_suffix("").parts)
    classes = [n.name.lower() for n in ast.walk(parsed(path)) if isinstance(n, ast.ClassDef)]
    assert not [c for c in classes if c.endswith(("manager", "factory", "utils", "helper"))]


@every_file
def test_nothing_is_swallowed_or_printed(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            broad = caught in ("everything", "Exception", "BaseException")
            raised = any(isinstance(n, ast.Raise) for n in ast.walk(node))
            assert not broad or raised or name(path) in BROAD_EXCEPT, f"line {node.lineno}"
            assert not all(isinstance(n, ast.Pass) for n in node.body), f"line {node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert name(path) == "include/__main__.py", f"line {node.lineno}"


@every_file
def test_only_the_settings_read_the_environment(path):
    reads = re.search(r"\bos\.(environ|getenv)\b", path.read_text(encoding="utf-8"))
    writes_only = not re.search(
        r"os\.getenv|os\.environ(?!\[[^]]+\] = |\.setdefault)", path.read_text(encoding="utf-8")
    )

    assert not reads or writes_only or name(path) in READS_ENVIRONMENT


@pytest.mark.parametrize("path", sorted((ROOT / "dags").glob("*.py")), ids=name)
def test_a_dag_file_is_named_after_its_dag_and_holds_wiring_only(path):
    decorated = [
        node.name
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef)
        and any("dag" in ast.unparse(d) for d in node.decorator_list)
    ]

    assert decorated == [path.stem]
    assert len(path.read_text().splitlines()) <= 60


def test_every_file_with_thought_in_it_has_a_test_file():
    thought = [p for p in sources() if p.parent.name in ("ml", "include", "serving", "crawlers")]
    tested = " ".join(p.read_text() for p in (ROOT / "tests").glob("test_*.py"))
    missing = [
        name(p)
        for p in thought
        if p.stem != "__init__" and not re.search(rf"\b{p.stem.strip('_')}\b", tested)
    ]

    assert missing == []


def test_fine_tuning_is_done_by_trl_and_peft():
    """What their trainers lack is added by callbacks, collators and overridden methods, not by a loop of ours."""
    used = {
        (module, alias.name)
        for path in sorted((ROOT / "ml").glob("*.py"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (module := (node.module or "").split(".")[0])
        for alias in node.names
    }
    calls = [
        name(path)
        for path in sorted((ROOT / "ml").glob("*.py"))
        if re.search(r"\.backward\(\)", path.read_text()) and path.name != "tiny.py"
    ]

    assert {("trl", "SFTTrainer"), ("trl", "DPOTrainer"), ("peft", "LoraConfig")} <= used
    assert calls == [], f"{calls} train by themselves: let TRL's trainers do it"


def test_no_file_names_this_machine():
    kept = [
        p
        for p in ROOT.rglob("*")
        if p.is_file() and p.suffix in (".py", ".md", ".yaml", ".toml", ".txt")
    ]
    kept = [p for p in kept if not {".venv", "data", ".git"} & set(p.relative_to(ROOT).parts)]
    mine = re.compile(re.escape(str(Path.home())) + r"/|" + re.escape(str(ROOT)) + r"\b")

    assert [
        name(p) for p in kept if mine.search(p.read_text(encoding="utf-8", errors="ignore"))
    ] == []


def test_the_project_file_holds_tool_settings_only():
    assert set(tomllib.loads((ROOT / "pyproject.toml").read_text())) == {"tool"}
