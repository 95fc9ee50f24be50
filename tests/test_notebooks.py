"""Every notebook runs from its folder, with no key and no network, and is kept without its outputs."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

from app.house import ROOT
from tests.server.offline import environment, hosts_reached_for

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TIMEOUT_S = 300

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def files() -> dict[Path, int]:
    """The files that a notebook could spoil, with their time of writing."""
    return {
        path: path.stat().st_mtime_ns for room in ("notebooks", "data") for path in (ROOT / room).rglob("*")
    }


@pytest.fixture
def python3(tmp_path, monkeypatch):
    """The kernel `python3` is this interpreter, whatever kernels the user has."""
    write_kernel_spec(str(tmp_path / "kernels" / "python3"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return "python3"


def execute(notebook: nbformat.NotebookNode, kernel: str, home: Path) -> None:
    client = NotebookClient(
        notebook, timeout=TIMEOUT_S, kernel_name=kernel, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute(env=environment(home))


def test_there_is_a_notebook():
    assert NOTEBOOKS


@each_notebook
def test_a_notebook_runs_and_writes_only_temporary_files(path, python3, tmp_path):
    before = files()
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, python3, tmp_path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert files() == before
    assert hosts_reached_for(tmp_path) == set()


@each_notebook
def test_a_notebook_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_kernel_is_this_interpreter_without_the_users_settings(python3, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-no-key")
    source = "import os, sys\n[sys.executable, os.getcwd(), os.environ.get('OPENAI_API_KEY')]"
    cell = nbformat.v4.new_code_cell(source)
    execute(nbformat.v4.new_notebook(cells=[cell]), python3, tmp_path)
    assert cell.outputs[0]["data"]["text/plain"] == repr([sys.executable, os.fspath(FOLDER), None])
