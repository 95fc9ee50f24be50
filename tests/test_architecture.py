"""The house rules that a program can check: who may import whom, sizes, names, forbidden constructs.

A rule is a function from a source tree to its complaints. Each is run on this repository, where it must find
nothing, and on small trees that break it, where it must find the fault.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import networkx as nx
import pytest

from app.house import PACKAGES, ROOT

MAY_IMPORT = {
    "prompts": {"prompts"},
    "tools": {"tools"},
    "agents": {"agents", "tools", "prompts"},
    "graph": {"graph", "agents", "tools"},
    "app": set(PACKAGES),
}
ROOMS = {*PACKAGES, "tests", "benchmarks", "notebooks"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "base", "manager"}
CODE_RUNNING_FORMATS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 80

Rule = Callable[[Path], list[str]]


def sources(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((root / package).rglob("*.py"))


def trees(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sources(root):
        yield path.relative_to(root), ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Full names of what a file imports, late imports included; submodules by their own name."""
    package = path.with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                yield submodule if submodule in modules else source


def import_graph(root: Path) -> "nx.DiGraph[str]":
    files = list(trees(root))
    modules = {module_name(path) for path, _ in files}
    edges = [(module_name(path), name) for path, tree in files for name in imports(path, tree, modules)]
    return nx.DiGraph(edges)


def imports_upward(root: Path) -> list[str]:
    return [
        f"{importer} imports {imported}"
        for importer, imported in import_graph(root).edges
        if (room := imported.partition(".")[0]) in ROOMS
        and room not in MAY_IMPORT[importer.partition(".")[0]]
    ]


def import_cycles(root: Path) -> list[str]:
    return [" -> ".join(sorted(cycle)) for cycle in nx.simple_cycles(import_graph(root))]


def files_too_long(root: Path) -> list[str]:
    files = [*sources(root), *root.glob("*.py"), *root.glob("benchmarks/**/*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    return [f"{path.relative_to(root)}: {n} lines" for path, n in lengths.items() if n > MAX_FILE_LINES]


def functions_too_long(root: Path) -> list[str]:
    return [
        f"{path}: {node.name}"
        for path, tree in trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]


def forbidden_constructs(root: Path) -> list[str]:
    return [
        f"{path}:{node.lineno}: {fault}"
        for path, tree in trees(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and (fault := construct(node, path.parts[0]))
    ]


def construct(node: ast.AST, room: str) -> str | None:
    match node:
        case ast.Assert():
            return "assert"
        case ast.Call(func=ast.Name(id="exec" | "eval" as name)):
            return name
        case ast.Call(func=ast.Name(id="print")) if room != "app":
            return "print"
        case ast.Call(keywords=keywords) if any(
            keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False" for keyword in keywords
        ):
            return "allow_pickle"
        case ast.Import(names=names):
            found = {alias.name.partition(".")[0] for alias in names} & CODE_RUNNING_FORMATS
            return ", ".join(sorted(found)) or None
        case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in CODE_RUNNING_FORMATS:
            return module
    return None


def banned_names(root: Path) -> list[str]:
    parts = {part for path in sources(root) for part in path.relative_to(root).with_suffix("").parts}
    return sorted(parts & BANNED_NAMES)


RULES = [
    imports_upward,
    import_cycles,
    files_too_long,
    functions_too_long,
    forbidden_constructs,
    banned_names,
]

SOUND = {
    "prompts/library.py": "import json\n",
    "tools/causal/dag.py": "import networkx\nfrom tools.safety import errors\n",
    "tools/safety/errors.py": "class InputError(Exception): ...\n",
    "tools/safety/__init__.py": "",
    "agents/model.py": "from prompts import library\nfrom tools.causal.dag import Edge\n",
    "graph/diagnosis.py": "from agents import model\nfrom . import state\n",
    "graph/state.py": "network.eval()\nnumpy.load(path, allow_pickle=False)\n",
    "app/cli.py": "from graph.diagnosis import graph\nfrom tools import causal\nprint('done')\n",
}

BROKEN: list[tuple[Rule, dict[str, str]]] = [
    (imports_upward, {"tools/a.py": "from agents.model import ask"}),
    (imports_upward, {"tools/a.py": "import prompts.library"}),
    (imports_upward, {"tools/a.py": "def late():\n    from graph import cycle"}),
    (imports_upward, {"prompts/a.py": "from tools.safety.errors import InputError"}),
    (imports_upward, {"agents/a.py": "from graph import state"}),
    (imports_upward, {"graph/a.py": "from app.cli import app"}),
    (imports_upward, {"app/a.py": "from tests.fakes import model_server"}),
    (import_cycles, {"tools/a.py": "from tools import b", "tools/b.py": "import tools.a"}),
    (import_cycles, {"graph/a.py": "from .b import x", "graph/b.py": "from .a import y"}),
    (
        import_cycles,
        {
            "tools/x/a.py": "from tools.x.b import f",
            "tools/x/b.py": "from ..y.c import g",
            "tools/y/c.py": "def late():\n    from tools.x import a",
        },
    ),
    (files_too_long, {"agents/a.py": "x = 1\n" * 401}),
    (files_too_long, {"benchmarks/a.py": "x = 1\n" * 401}),
    (functions_too_long, {"agents/a.py": "def f():\n" + "    x = 1\n" * 80}),
    (forbidden_constructs, {"tools/a.py": "assert x"}),
    (forbidden_constructs, {"tools/a.py": "exec(text)"}),
    (forbidden_constructs, {"tools/a.py": "x = eval(text)"}),
    (forbidden_constructs, {"tools/a.py": "print(1)"}),
    (forbidden_constructs, {"tools/a.py": "import pickle"}),
    (forbidden_constructs, {"tools/a.py": "from joblib.memory import Memory"}),
    (forbidden_constructs, {"tools/a.py": "numpy.load(path, allow_pickle=True)"}),
    (banned_names, {"tools/utils.py": ""}),
    (banned_names, {"agents/helpers/__init__.py": ""}),
]


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES)
def test_the_house_is_in_order(rule: Rule):
    assert rule(ROOT) == []


def test_every_package_has_source():
    assert {path.relative_to(ROOT).parts[0] for path in sources(ROOT)} == set(PACKAGES)


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_tree_passes(rule: Rule, tmp_path: Path):
    assert rule(plant(tmp_path, SOUND)) == []


@pytest.mark.parametrize(("rule", "files"), BROKEN)
def test_a_broken_tree_is_found_out(rule: Rule, files: dict[str, str], tmp_path: Path):
    assert len(rule(plant(tmp_path, {**SOUND, **files}))) == 1
