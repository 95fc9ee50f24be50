"""Small libraries for tests."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "knowledge"

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
