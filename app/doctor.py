"""A look at the installation: what is there, what is missing, and the command that mends it."""

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple

from agents.settings import Settings
from tools import resources
from tools.records.faults import counted
from tools.safety.audit import audit_log
from tools.safety.destinations import HOSTS_SETTING
from tools.safety.errors import IikeaError
from tools.safety.tracing import admit_tracing

_INSTALL_BASE = "pip install -e . -c constraints.txt"
_SEE = "see the message"
_INSTALL = "pip install -e '.[{}]' -c constraints.txt"


class Finding(NamedTuple):
    """One thing looked at. What is optional may be missing."""

    what: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order a person would make them.

    Args:
        settings: of the run that would follow: its models, address, store and libraries.
    """
    named = settings.libraries or ("",)
    return [
        Finding("Python", True, platform.python_version()),
        *(
            _package(name)
            for name in ("langgraph", "langchain-openai", "langchain-chroma", "numba", "numpy", "pandas")
        ),
        _attempt("demo cohort", _demo_cohort, "pip install -e . -c constraints.txt, in a checkout"),
        *([_attempt("data set", lambda: _store(settings.store), _SEE)] if settings.store else []),
        *(_attempt("knowledge library", partial(_library, folder, settings), _SEE) for folder in named),
        _attempt("audit log", _audit_log, "name a file that can be written by IIKEA_AUDIT_LOG"),
        _attempt("tracing", _tracing, "unset LANGSMITH_TRACING, or set IIKEA_TRACING=anonymized"),
        _attempt("who may be asked", lambda: _reach(settings), _SEE),
        *_models(settings),
        _extra("embeddings", "sentence_transformers", "dense embeddings", "libraries are searched by words"),
        _extra("docx", "docx", "Word documents", "not installed"),
        _extra("parquet", "pyarrow", "Parquet records", "not installed"),
        _extra("cluster", "distributed", "fitting on a cluster", "not installed"),
        _extra("treatment", "sklearn", "chained equations (MICE)", "not installed"),
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


def _store(store: str) -> str:
    dataset = resources.open_dataset(store)
    kind = "credentialed, models near only" if dataset.credentialed else "not credentialed"
    return f"{counted(dataset.n_patients, 'patient')}, {counted(dataset.n_codes, 'code')}, {kind}"


def _library(folder: str, settings: Settings) -> str:
    from agents.endpoints import why_near

    library = resources.open_library(folder, why_near(settings))
    return f"{library.title}, {counted(len(library.passages), 'passage')}, searched by {library.described}"


def _audit_log() -> str:
    log = audit_log()
    log.require_place()
    return str(log.path)


def _tracing() -> str:
    admit_tracing()
    return "off, or of the structure of runs only"


def _reach(settings: Settings) -> str:
    from agents.endpoints import why_near

    why = why_near(settings)
    listed = os.environ.get(HOSTS_SETTING) or "none"
    who = f"this machine and listed hosts only, for {why}" if why else "any host that a model is on"
    return f"{who}; listed in {HOSTS_SETTING}: {listed}"


def _models(settings: Settings) -> list[Finding]:
    """Whether each model answers, and in which forms: one finding where it asks nobody or stays away."""
    from agents.providers import require_admissible

    names = list(dict.fromkeys(settings.models.values()))
    try:
        require_admissible(settings)
    except IikeaError as error:
        return [Finding(f"model {', '.join(names)}", False, str(error), _SEE)]
    known: dict[str, list[str]] = {}
    found = [finding for name in names for finding in _model(name, settings, known)]
    return [*found, _common(list(known.values()))] if len(known) > 1 else found


def _model(name: str, settings: Settings, known: dict[str, list[str]]) -> list[Finding]:
    """One model; the forms that a service knows are added to `known`."""
    from agents.endpoints import STATISTICAL, endpoint_of
    from agents.probing import probe

    what = f"model {name}"
    if name == STATISTICAL:
        return [Finding(what, True, "built in, needs no key and no network")]
    try:
        probed = probe(name, settings)
    except IikeaError as error:
        return [Finding(what, False, str(error), _SEE)]
    forms = known[name] = [one.form for one in probed if one.seconds is not None]
    told = "; ".join(
        f"{one.form}: {one.problem}" if one.seconds is None else f"{one.form} in {one.seconds:.2g} s"
        for one in probed
    )
    address = endpoint_of(name, settings.base_url).address
    answered = Finding(what, True, f"answered, at {address or 'a host that its client knows'}")
    heading = "forms of answers" if len(settings.models) == 1 else f"forms of answers, {name}"
    if not forms:
        return [answered, Finding(heading, False, told, "name another model")]
    return [answered, Finding(heading, True, f"{told}; use --answers-as {forms[0]}")]


def _common(known: list[list[str]]) -> Finding:
    """All models of a run are asked in one form."""
    forms = [form for form in known[0] if all(form in others for others in known)]
    if not forms:
        return Finding("one form for all", False, "none that every model knows", "name other models")
    return Finding("one form for all", True, f"use --answers-as {forms[0]}")
