"""A fresh machine can install it: what is asked for, what is pinned, what is shipped."""

import ast
import importlib
import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.house import PACKAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BASE = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
TESTED = ("bench", "cluster", "dev", "docx", "embeddings", "server")


def pins() -> Iterator[Requirement]:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield Requirement(line)


def installed_closure(requirements: Iterable[str]) -> set[str]:
    """Names of all distributions that the requirements bring with them, here."""
    seen: set[tuple[str, frozenset[str]]] = set()
    pending = [Requirement(line) for line in requirements]
    while pending:
        wanted = pending.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            further = importlib.metadata.requires(wanted.name) or []
        except PackageNotFoundError:
            continue
        for line in further:
            needed = Requirement(line)
            if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in {"", *wanted.extras}):
                pending.append(needed)
    return {name for name, _ in seen}


def test_the_base_needs_no_torch():
    closure = installed_closure(BASE)
    assert {"langgraph", "chromadb", "tokenizers"} <= closure
    assert not closure & {"torch", "sentence-transformers", "transformers", "langgraph-api"}
    assert "torch" in installed_closure([*BASE, *EXTRAS["embeddings"]])


STANDARD = sys.stdlib_module_names | {"compression"}  # which is of Python 3.14


def imported(path: Path) -> Iterator[str]:
    """Top-level names of the third-party modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in {name.partition(".")[0] for name in names}:
            if name not in STANDARD | {*PACKAGES, "tests", "benchmarks"}:
                yield name


@pytest.mark.parametrize(
    ("rooms", "extras"),
    [
        (PACKAGES, EXTRAS),
        (["tests", "benchmarks"], ["bench", "cluster", "dev", "docx", "embeddings", "server"]),
    ],
)
def test_every_import_is_a_declared_requirement(rooms, extras):
    declared = {
        Requirement(line).name for line in [*BASE, *(line for extra in extras for line in EXTRAS[extra])]
    }
    providers = importlib.metadata.packages_distributions()
    for path in [path for room in rooms for path in (ROOT / room).rglob("*.py")]:
        for name in imported(path):
            provided_by = {canonicalize_name(provider) for provider in providers.get(name, [name])}
            assert provided_by & set(map(canonicalize_name, declared)), f"{path.relative_to(ROOT)}: {name}"


def test_every_requirement_is_pinned_within_its_range():
    pinned = {}
    for pin in pins():
        pinned.setdefault(canonicalize_name(pin.name), []).append(next(iter(pin.specifier)).version)
    for line in [*BASE, *(line for name, extra in EXTRAS.items() if name != "all" for line in extra)]:
        asked = Requirement(line)
        versions = pinned[canonicalize_name(asked.name)]
        assert all(asked.specifier.contains(version) for version in versions), asked.name


def test_constraints_are_exact_and_name_no_index_file_or_local_build():
    for pin in pins():
        assert [specifier.operator for specifier in pin.specifier] == ["=="]
        assert not (pin.url or pin.extras)
        assert "+" not in str(pin.specifier)
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links|(?<![\w.])/\w", text)


def test_the_distribution_holds_the_five_packages_and_their_files():
    tool = PROJECT["tool"]["setuptools"]
    assert {name.removesuffix(".*") for name in tool["packages"]["find"]["include"]} == set(PACKAGES)
    globs = [
        f"{package.replace('.', '/')}/{glob}"
        for package, kept in tool["package-data"].items()
        for glob in kept
    ]
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix != ".py" and "__pycache__" not in name:
                assert any(fnmatch(name, glob) for glob in globs), f"{name} is left out of package-data"


def test_the_distribution_cannot_be_uploaded_by_accident():
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_graph_specs_are_module_paths_without_a_checkpointer():
    for spec in json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))["graphs"].values():
        module, _, attribute = spec.partition(":")
        graph = getattr(importlib.import_module(module), attribute)
        assert not graph.checkpointer


def test_pre_commit_hooks_are_tools_of_the_extra_dev():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"].split()[0] for repo in config["repos"] for hook in repo["hooks"]]
    names = {canonicalize_name(Requirement(line).name) for line in EXTRAS["dev"]}
    scripts = {
        script.name
        for name in names
        for script in importlib.metadata.distribution(name).entry_points
        if script.group == "console_scripts"
    }
    for entry in entries:
        folder, _, tool = entry.rpartition("/")
        assert folder == ".venv/bin"
        assert tool in scripts | {"ruff"}
