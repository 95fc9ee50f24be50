"""A library that brings a package of the same name as one of ours is found out before it does harm."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.house import PACKAGES, ROOT

CHECK = "from app.house import check; check()"


def run_python(code: str, *first_on_path: Path) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path[:0] = {[str(place) for place in first_on_path]!r}"
    return subprocess.run(
        [sys.executable, "-c", f"{path}\n{code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(params=["package", "module"])
def foreign(request, tmp_path):
    """Makes a foreign package or module of a given name, and returns its file."""

    def make(name: str) -> Path:
        file = tmp_path / name / "__init__.py" if request.param == "package" else tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
        return file

    return make


def test_the_check_is_silent_in_an_environment_of_its_own(tmp_path):
    (tmp_path / "agents").mkdir()
    done = run_python(CHECK, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "app"])
def test_a_shadowed_package_is_named_with_its_file_and_the_remedy(package, foreign, tmp_path):
    file = foreign(package)
    done = run_python(CHECK, tmp_path)
    assert done.returncode == 2
    first, remedy = done.stderr.splitlines()
    assert f"'{package}'" in first
    assert str(file) in first
    assert "-m venv" in remedy


@pytest.mark.parametrize(
    "door", ["from app.main import main; main()", "import pytest; pytest.main(['--co'])"]
)
def test_the_command_and_the_tests_check_first(door, tmp_path):
    (tmp_path / "agents.py").write_text("")
    done = run_python(f"import agents\n{door}", tmp_path)
    assert done.returncode == 2
    assert "'agents' is shadowed" in done.stderr
    assert "Traceback" not in done.stderr
