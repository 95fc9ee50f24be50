"""Small libraries for tests."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tools.knowledge.curation import curate
from tools.knowledge.details import Details, Outcome
from tools.knowledge.formats.limits import copy_source
from tools.knowledge.formats.markdown import read_markdown
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import Manifest, append_entry, write_manifest
from tools.knowledge.passage import Entry
from tools.knowledge.text import read_text

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "knowledge"
DAY = date(2026, 11, 25)
BY = Details(added_by="a tester", trusted=True)

FRONT_MATTER = {
    "title": '"Gout"',
    "codes": '["2749"]',
    "aliases": '["gouty arthritis"]',
    "licence": "CC0-1.0",
    "source": "test",
}


def markdown(*sections: tuple[str, str], **front_matter: str) -> str:
    """A document; front matter values are given as YAML, an empty one leaves the key out."""
    keys = {**FRONT_MATTER, **front_matter}
    head = "".join(f"{key}: {value}\n" for key, value in keys.items() if value)
    body = "".join(f"## {heading}\n\n{text}\n\n" for heading, text in sections)
    return f"---\n{head}---\n\n{body}"


def write(folder: Path, **files: str) -> Path:
    """Writes Markdown files by stem."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, text in files.items():
        (folder / f"{stem}.md").write_text(text, encoding="utf-8", newline="")
    return folder


def unindexed(folder: Path, manifest: Manifest | None = None, **files: str) -> KnowledgeLibrary:
    """A library of Markdown documents that was never indexed, as one that ships with an application."""
    write(folder / "sources")
    write_manifest(folder, manifest or Manifest(title=folder.name))
    for stem, text in files.items():
        path = write(folder / "given", **{stem: text}) / f"{stem}.md"
        digest = copy_source(path, folder / "sources" / path.name, path.name)
        front = read_markdown(read_text(path, path.name), path.name).front.model_dump(exclude_none=True)
        known: dict[str, Any] = {
            "title": stem,
            "licence": "CC0-1.0",
            "source": "test",
            "trusted": True,
        } | front
        entry = Entry(
            id=stem,
            file=path.name,
            media="markdown",
            sha256=digest,
            added_by="a tester",
            added_at=_NOW,
            **known,
        )
        append_entry(folder, entry)
    return KnowledgeLibrary(folder, DAY)


def curated(folder: Path, details: Details = BY, **files: str) -> dict[str, Outcome]:
    """Adds Markdown documents to a library, made if missing, and publishes its index."""
    given = write(folder.with_name(f"{folder.name}-given"), **files)
    with curate(folder, Manifest(title=folder.name)) as curator:
        outcomes = {stem: curator.add(given / f"{stem}.md", stem, details) for stem in files}
        curator.publish()
    return outcomes


def said(text: str, title: str = "Gout") -> str:
    """A document of one section with one text."""
    return markdown(("Overview", text), title=json.dumps(title))


def in_a_new_process(code: str, cwd: Path = ROOT, **environment: str) -> object:
    """What a Python program prints as JSON, run with another hash seed."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={"PATH": "", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file below a folder by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


_NOW = datetime(2026, 11, 23, tzinfo=UTC)
