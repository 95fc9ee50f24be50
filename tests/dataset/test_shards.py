import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS
from tests.dataset.shard_files import rows, write, write_shards
from tools.dataset import shards as sharding
from tools.dataset.arrays import ArrayWriter
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.shards import fit_shards
from tools.records.faults import RecordFaults
from tools.records.read import read_cohort
from tools.safety.errors import InputError

CANARY = "Zaphod-Beeblebrox"
patient = st.lists(st.frozensets(st.sampled_from(KEYS), min_size=1, max_size=4), min_size=1, max_size=4)
cohorts = st.lists(st.lists(patient, min_size=1, max_size=5), min_size=1, max_size=4)
SHARDS = [
    [[{"4019"}, {"4280"}], [{"25000"}]],
    [[{"4019", "5856"}, {"5856"}, {"496"}]],
    [[{"0389"}, {"4019"}]],
]


@pytest.fixture
def folder(tmp_path):
    return write_shards(tmp_path / "shards", SHARDS)


@pytest.fixture
def counted(monkeypatch):
    """Names of the shards that are read."""
    names, read = [], sharding.parquet.read

    def reading(path, system):
        names.append(path.name)
        return read(path, system)

    monkeypatch.setattr(sharding.parquet, "read", reading)
    return names


@settings(max_examples=20)
@given(shards=cohorts)
def test_shards_give_the_store_of_all_records_read_at_once(shards, tmp_path_factory):
    folder = write_shards(tmp_path_factory.mktemp("fit") / "shards", shards)
    found = fit_shards(folder, folder.parent / "store")
    whole = ClinicalDataset.build(read_cohort(folder))
    assert found.hash == whole.hash
    assert (found.vocabulary.concepts, found.source) == (whole.vocabulary.concepts, "parquet")
    assert ClinicalDataset.open(folder.parent / "store", verify=True).hash == whole.hash
    assert sorted(path.name for path in folder.parent.iterdir()) == ["shards", "store"]


def test_the_order_in_which_shards_are_done_does_not_matter(folder, tmp_path):
    def backwards(count, files):
        return [count(file) for file in reversed(files)]

    assert fit_shards(folder, tmp_path / "a").hash == fit_shards(folder, tmp_path / "b", run=backwards).hash


def test_progress_is_told_by_shard(folder, tmp_path):
    told = []
    fit_shards(folder, tmp_path / "store", progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_patient_in_two_shards_is_refused_by_the_names_of_the_shards(folder, tmp_path):
    write(folder / "shard-07.parquet", [(CANARY, 1, "4019")])
    write(folder / "shard-05.parquet", [(f" {CANARY}", 2, "4280")])
    with pytest.raises(
        InputError, match=r"shard-05\.parquet and shard-07\.parquet hold visits of one patient"
    ) as e:
        fit_shards(folder, tmp_path / "store")
    assert CANARY not in str(e.value)
    assert not (tmp_path / "store").exists()


def test_the_same_file_twice_is_a_patient_in_two_shards(folder, tmp_path):
    (folder / "copy.parquet").write_bytes((folder / "shard-00.parquet").read_bytes())
    with pytest.raises(InputError, match=r"copy\.parquet and shard-00\.parquet"):
        fit_shards(folder, tmp_path / "store")


def test_faults_of_all_shards_are_told_and_nothing_is_loaded(folder, tmp_path):
    write(folder / "shard-01.parquet", [("p", 1, "4019"), ("p", 1, CANARY)])
    write(folder / "shard-02.parquet", [("q", 1, CANARY)] * 70)
    with pytest.raises(RecordFaults) as refused:
        fit_shards(folder, tmp_path / "store")
    assert refused.value.count == 71
    assert len(refused.value.faults) == 50
    assert [(f.row, f.column) for f in refused.value.faults[:2]] == [
        (2, "shard-01.parquet: code"),
        (1, "shard-02.parquet: code"),
    ]
    assert CANARY not in f"{refused.value} {refused.value.faults}"
    assert not (tmp_path / "store").exists()


def test_a_shard_that_cannot_be_read_is_named(folder, tmp_path):
    (folder / "shard-01.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"shard-01\.parquet: not a readable parquet file"):
        fit_shards(folder, tmp_path / "store")


def test_a_second_run_reads_only_what_is_new(folder, tmp_path, counted):
    good = (folder / "shard-01.parquet").read_bytes()
    (folder / "shard-01.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError):
        fit_shards(folder, tmp_path / "store")
    (folder / "shard-01.parquet").write_bytes(good)
    write(folder / "shard-02.parquet", rows([[{"5856"}]], 900))
    counted.clear()
    found = fit_shards(folder, tmp_path / "store")
    assert counted == ["shard-01.parquet", "shard-02.parquet"]
    assert found.hash == ClinicalDataset.build(read_cohort(folder)).hash
    assert not (tmp_path / ".store.parts").exists()


@pytest.mark.parametrize("damage", ["store/codes.npy", "store/manifest.json", "patients.npy"])
def test_a_part_that_was_damaged_meanwhile_is_counted_again(damage, folder, tmp_path, counted):
    write(folder / "shard-03.parquet", [("q", 1, CANARY)])
    with pytest.raises(InputError):
        fit_shards(folder, tmp_path / "store")
    for part in (tmp_path / ".store.parts").iterdir():
        content = bytearray((part / damage).read_bytes())
        content[-2] ^= 1
        (part / damage).write_bytes(content if damage != "patients.npy" else content[:-8])
    (folder / "shard-03.parquet").unlink()
    counted.clear()
    found = fit_shards(folder, tmp_path / "store")
    assert len(counted) == 3
    assert found.hash == ClinicalDataset.build(read_cohort(folder)).hash


def test_another_system_is_another_part(tmp_path, counted):
    folder = write_shards(tmp_path / "shards", [[[{"V1234"}]]], system=None)
    write(folder / "bad.parquet", [("q", 1, "")], system=None)
    for system in ("ICD9CM", "ICD10CM", "ICD9CM"):
        with pytest.raises(RecordFaults):
            fit_shards(folder, tmp_path / "store", system)
    assert counted.count("shard-00.parquet") == 2


def test_a_folder_that_is_no_store_is_refused_before_anything_is_read(folder, tmp_path, counted):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("ten years of work")
    with pytest.raises(InputError, match="other files"):
        fit_shards(folder, tmp_path / "thesis")
    assert counted == []


def test_a_full_disk_is_refused_and_leaves_the_old_store(folder, tmp_path, monkeypatch):
    before = fit_shards(folder, tmp_path / "store").hash

    def full(*_args):
        raise OSError(28, "No space left on device")

    write(folder / "shard-03.parquet", rows([[{"5856"}]], 900))
    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(InputError, match="No space left"):
        fit_shards(folder, tmp_path / "store")
    monkeypatch.undo()
    assert ClinicalDataset.open(tmp_path / "store", verify=True).hash == before


KILLED = """
import sys, time
from tools.dataset import shards
from tools.dataset.shards import fit_shards

def slowly(count, files):
    for file in files:
        yield count(file)
        print("counted", flush=True)
        time.sleep(60 if file == files[1] else 0)

fit_shards(sys.argv[1], sys.argv[2], run=slowly)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_run_leaves_no_store_and_the_next_one_goes_on(folder, tmp_path, counted):
    command = [sys.executable, "-c", KILLED, folder, tmp_path / "store"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert [run.stdout.readline(), run.stdout.readline()] == ["counted\n"] * 2
        time.sleep(0.1)
        run.send_signal(signal.SIGKILL)
    assert not (tmp_path / "store").exists()
    found = fit_shards(folder, tmp_path / "store")
    assert counted == ["shard-02.parquet"]
    assert found.hash == ClinicalDataset.build(read_cohort(folder)).hash


def test_no_patient_id_is_kept(folder, tmp_path):
    write(folder / "shard-01.parquet", [(CANARY, 1, "4019")])
    (folder / "bad.parquet").write_bytes(b"")
    with pytest.raises(InputError):
        fit_shards(folder, tmp_path / "store")
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "shards" not in path.parts]
    assert files
    assert not any(CANARY.encode() in path.read_bytes() for path in files)


def test_marks_of_different_ids_differ():
    marks = sharding._mark([f"{number}" for number in range(5_000)])
    assert marks.shape == (2, 5_000)
    assert all(len(np.unique(word)) == 5_000 for word in marks)


@pytest.mark.parametrize("credentialed", [False, True])
def test_shards_are_credentialed_as_it_is_said(credentialed, folder, tmp_path):
    assert fit_shards(folder, tmp_path / "store", credentialed=credentialed).credentialed == credentialed
