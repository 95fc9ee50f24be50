"""The set-up commands on a machine where Python only writes down how it is called."""

import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from app.house import ROOT

FAKE_PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$*" in
  *ensurepip*) exit {without_venv} ;;
  *version_info*) exit {too_old} ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/iikea ;;
  "-m pip install -c"*) exit {install} ;;
esac
"""


class Machine:
    """A copy of the Makefile beside a stand-in for Python that only writes down how it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        self.python(install=0)

    def python(self, *, without_venv: int = 0, too_old: int = 0, install: int = 0) -> None:
        text = FAKE_PYTHON.format(log=self.log, without_venv=without_venv, too_old=too_old, install=install)
        for path in (self.folder / "fake", self.folder / ".venv/bin/python"):
            if path.parent.exists():
                path.write_text(text)
                path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def make(self, *goals: str, python: str = "./fake") -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        command = ["make", *goals, f"PYTHON={python}"]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False, env=environment
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("fault", "python", "message"),
    [
        ({}, "./absent", "not found"),
        ({"too_old": 1}, "./fake", "older than 3.11"),
        ({"without_venv": 1}, "./fake", "python3-venv"),
    ],
)
def test_an_unfit_python_is_refused_before_anything_is_written(machine, fault, python, message):
    machine.python(**fault)
    done = machine.make("demo", python=python)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (machine.folder / ".venv").exists()


def test_the_demo_installs_the_base_once_and_again_when_requirements_change(machine):
    assert machine.make("demo").returncode == 0
    assert "python -m pip install -c constraints.txt -e ." in machine.calls
    assert machine.calls[-1] == "iikea demo --out demo-report"
    machine.make("demo")
    assert machine.calls == ["iikea demo --out demo-report"]
    later = (machine.folder / ".venv/installed-base").stat().st_mtime + 5
    os.utime(machine.folder / "pyproject.toml", (later, later))
    machine.make("demo")
    assert "python -m pip install -c constraints.txt -e ." in machine.calls


def test_a_failed_install_is_tried_again(machine):
    machine.python(install=1)
    assert machine.make("demo").returncode == 2
    assert not (machine.folder / ".venv/installed-base").exists()
    machine.python(install=0)
    assert machine.make("demo").returncode == 0


def test_the_tests_install_their_extras_and_run_every_check(machine):
    done = machine.make("--dry-run", "test")
    assert '-e ".[bench,cluster,dev,docx,embeddings,server]"' in done.stdout
    on_all_cores = "python -m pytest --numprocesses=logical --dist=loadfile"
    for check in ("ruff check .", "ruff format --check .", "mypy", on_all_cores):
        assert f".venv/bin/{check}\n" in done.stdout


@pytest.mark.parametrize(
    ("extras", "with_torch"),
    [("dev", False), ("dev,server", False), ("embeddings", True), ("dev,embeddings", True), ("all", True)],
)
def test_torch_is_installed_by_pip_before_what_needs_it(machine, extras, with_torch):
    assert machine.make(f".venv/installed-{extras}").returncode == 0
    installed = [
        call.partition("constraints.txt ")[2] for call in machine.calls if " -c constraints.txt " in call
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [line for line in project["optional-dependencies"]["embeddings"] if line.startswith("torch==")]
    assert installed[-1] == f"-e .[{extras}]"
    assert [line for line in installed if "torch" in line] == (pins if with_torch else [])


def test_the_demo_needs_no_torch(machine):
    machine.make("demo")
    assert not [call for call in machine.calls if "torch" in call]


def test_make_alone_explains_itself(machine):
    done = machine.make()
    assert done.returncode == 0
    for goal in ("make demo", "make test", "make constraints", "make clean"):
        assert goal in done.stdout
    assert not machine.calls


@pytest.mark.parametrize("named", [None, "elsewhere"])
def test_continuous_integration_finds_the_real_records_beside_the_repository(named, tmp_path):
    script = tmp_path / "repository/.ci/run"
    records = tmp_path / "shared/data"
    tools = tmp_path / "tools"
    for folder in (script.parent, records, tools):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", script)
    for name, body in {"chromium": "", "make": 'echo "$PWD: make $* on $IIKEA_REAL_DATA"'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", **({"IIKEA_REAL_DATA": named} if named else {})}
    done = subprocess.run([script], capture_output=True, text=True, timeout=30, check=True, env=environment)
    assert done.stdout == f"{tmp_path / 'repository'}: make test on {named or records}\n"
