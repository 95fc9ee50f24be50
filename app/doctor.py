"""A look at the installation: what is there, what is missing, and the command that mends it."""

import platform
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tools import resources
from tools.records.faults import counted
from tools.safety.errors import IikeaError
from tools.safety.tracing import refuse_open_tracing

_INSTALL_BASE = "pip install -e . -c constraints.txt"
_INSTALL = "pip install -e '.[{}]' -c constraints.txt"


class Finding(NamedTuple):
    """One thing looked at. What is optional may be missing."""

    what: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False


def examine(model: str, libraries: Sequence[Path] = ()) -> list[Finding]:
    """Every check, in the order a person would make them."""
    named = [str(folder) for folder in libraries] or [""]
    return [
        Finding("Python", True, platform.python_version()),
        *(
            _package(name)
            for name in ("langgraph", "langchain-openai", "langchain-chroma", "numba", "numpy", "pandas")
        ),
        _attempt("demo cohort", _demo_cohort, "pip install -e . -c constraints.txt, in a checkout"),
        *(_attempt("knowledge library", partial(_library, folder), "see the message") for folder in named),
        _attempt("tracing", _tracing, "unset LANGSMITH_TRACING"),
        _attempt(f"model {model}", lambda: _model(model), "see the message"),
        _extra("embeddings", "sentence_transformers", "dense embeddings", "libraries are searched by words"),
        _extra("docx", "docx", "Word documents", "not installed"),
        _extra("parquet", "pyarrow", "Parquet records", "not installed"),
        _extra("cluster", "distributed", "fitting on a cluster", "not installed"),
        _extra("server", "langgraph_api", "langgraph dev", "not installed"),
        _program("chromium", "browser tests"),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", _INSTALL_BASE)


def _extra(extra: str, module: str, what: str, without: str) -> Finding:
    if find_spec(module) is not None:
        return Finding(what, True, f"extra '{extra}' is installed", optional=True)
    return Finding(what, False, without, _INSTALL.format(extra), optional=True)


def _program(name: str, what: str) -> Finding:
    path = shutil.which(name)
    remedy = "" if path else f"apt-get install {name}"
    return Finding(what, path is not None, path or f"no {name}", remedy, optional=True)


def _attempt(what: str, attempt: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what, True, attempt())
    except IikeaError as error:
        return Finding(what, False, str(error), remedy)


def _demo_cohort() -> str:
    dataset = resources.open_dataset()
    return f"{dataset.n_patients:,} simulated patients, {len(dataset.vocabulary)} codes"


def _library(folder: str) -> str:
    library = resources.open_library(folder)
    return f"{library.title}, {counted(len(library.passages), 'passage')}, searched by {library.described}"


def _tracing() -> str:
    refuse_open_tracing()
    return "off, or with inputs and outputs hidden"


def _model(name: str) -> str:
    from langchain_core.messages import HumanMessage

    from agents.providers import STATISTICAL, open_model, request

    model = open_model(name)
    if name == STATISTICAL:
        return "built in, needs no key and no network"
    request(model, [HumanMessage("Answer with the word ready.")])
    return "answered"
