import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNEL = """
    from tools.numerics.jit import compiled

    @compiled
    def triangle(n):
        total = 0
        for i in range(n + 1):
            total += i
        return total

    print(triangle(100), sum(triangle.stats.cache_hits.values()))
"""


def run(folder, **environment):
    """What the kernel prints in a process of its own: the sum, and how often its code came from the disk."""
    (folder / "kernel.py").write_text(textwrap.dedent(KERNEL))
    return subprocess.run(
        [sys.executable, "kernel.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def unwritable(tmp_path):
    """A path below a file: nobody can make a directory of it, not even root."""
    (tmp_path / "file").touch()
    return str(tmp_path / "file" / "cache")


def test_code_is_kept_for_the_next_process(tmp_path):
    printed = [run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kept")).stdout for _ in range(2)]
    assert printed == ["5050 0\n", "5050 1\n"]


def test_without_a_directory_to_write_to_the_kernel_still_runs(tmp_path, unwritable):
    (tmp_path / "__pycache__").touch()
    places = dict.fromkeys(("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"), unwritable)
    finished = run(tmp_path, **places)
    assert (finished.stdout, finished.returncode) == ("5050 0\n", 0), finished.stderr


def test_engines_import_without_numba():
    code = "import sys, tools.causal.noisy_or; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
