"""`iikea records fit` on parquet shards and `iikea records merge`."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from rich.console import Console

from app import console, fitting
from tests.causal.cohorts import dataset
from tests.dataset.shard_files import write, write_shards
from tools.dataset.clinical import ClinicalDataset
from tools.resources import DEMO_RECORDS

SHARDS = [
    [[{"4019"}, {"4280", "4019"}], [{"25000"}, {"25000"}]],
    [[{"4019", "5856"}, {"5856"}, {"496"}]],
    [[{"0389"}], [{"4019"}]],
]


@pytest.fixture
def folder(tmp_path):
    return write_shards(tmp_path / "shards", SHARDS)


def test_shards_are_recognised_counted_and_told(iikea, folder, tmp_path):
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s", "--json")
    everyone = dataset([patient for shard in SHARDS for patient in shard])
    assert (ended.code, ended.err) == (0, "")
    assert ended.json == {
        "store": str(tmp_path / "s"),
        "hash": everyone.hash,
        "patients": 5,
        "visits": 9,
        "transitions": 4,
        "codes": 6,
        "credentialed": False,
        "notices": [],
        "mapping": [],
    }
    assert "5 patients, 9 visits, 6 codes" in iikea("records", "fit", folder, "--store", tmp_path / "s").out
    assert iikea("records", "check", folder, "--json").json["patients"] == 5


@contextmanager
def threads(n_workers):
    """A cluster whose workers are threads, which start at once."""
    with (
        LocalCluster(
            n_workers=n_workers, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_several_workers_give_the_same_store(iikea, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("tools.dataset.cluster.local_client", threads)
    alone = iikea("records", "fit", folder, "--store", tmp_path / "a", "--json").json
    several = iikea("records", "fit", folder, "--store", tmp_path / "b", "--workers", 2, "--json").json
    assert several["hash"] == alone["hash"]


def test_joined_stores_equal_the_store_of_all_shards(iikea, folder, tmp_path):
    whole = iikea("records", "fit", folder, "--store", tmp_path / "whole", "--json").json
    stores = [tmp_path / f"site-{number}" for number in range(3)]
    for shard, store in zip(sorted(folder.iterdir()), stores, strict=True):
        assert iikea("records", "fit", shard, "--store", store).code == 0
    joint = iikea("records", "merge", *stores, "--store", tmp_path / "joint", "--json").json
    assert joint | {"store": whole["store"]} == whole
    assert ClinicalDataset.open(tmp_path / "joint", verify=True).hash == whole["hash"]
    told = iikea("records", "merge", stores[0], "--store", tmp_path / "one").out
    assert "Next: iikea predict" in " ".join(told.split())


def test_what_is_missing_in_the_records_is_said(iikea, tmp_path):
    folder = write_shards(tmp_path / "shards", [[[{"4019"}]]])
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s")
    assert "no patient has two visits" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--system", "ICD9CM"), "has a system column of its own"),
        (("--format", "mimic3"), "mimic3 needs"),
        (("--workers", "0"), "greater than or equal to 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(iikea, folder, tmp_path, arguments, words):
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "s").exists()


def test_several_workers_are_for_shards(iikea, tmp_path):
    ended = iikea("records", "fit", DEMO_RECORDS, "--store", tmp_path / "s", "--workers", 2, "--json")
    assert ended.code == 2
    assert ended.json["error"]["field"] == "workers"


def test_faults_end_with_their_places_and_no_store(iikea, folder, tmp_path):
    write(folder / "shard-01.parquet", [("p", 1, "Zaphod-Beeblebrox")])
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s", "--json")
    assert ended.code == 2
    assert ended.json["error"]["faults"][0]["column"] == "shard-01.parquet: code"
    assert "Zaphod" not in ended.out + ended.err
    assert not (tmp_path / "s").exists()


def test_a_store_that_is_none_is_not_joined(iikea, tmp_path):
    ended = iikea("records", "merge", tmp_path / "nothing", "--store", tmp_path / "s", "--json")
    assert ended.code == 2
    assert ended.json["error"]["field"] == "store"


def test_a_store_is_neither_counted_twice_nor_overwritten_by_the_joint_one(iikea, folder, tmp_path):
    store = tmp_path / "store"
    iikea("records", "fit", folder, "--store", store)
    copy = Path(shutil.copytree(store, tmp_path / "copy"))
    for stores, target, said in (
        ((store, copy), tmp_path / "joint", "the same"),
        ((store, store), tmp_path / "joint", "the same"),
        ((store,), store, "lost"),
    ):
        ended = iikea("records", "merge", *stores, "--store", target, "--json")
        assert ended.code == 2
        assert said in ended.out
    assert not (tmp_path / "joint").exists()
    assert store.is_dir()


def test_parquet_files_further_down_are_not_passed_over(iikea, folder, tmp_path):
    (folder / "year=2020").mkdir()
    shutil.copy(next(folder.glob("*.parquet")), folder / "year=2020")
    ended = iikea("records", "fit", folder, "--store", tmp_path / "store", "--json")
    assert ended.code == 2
    assert "folders of the folder" in ended.out


def test_progress_is_drawn_on_a_terminal_only(folder, tmp_path, monkeypatch, capsys):
    for drawn in (True, False):
        monkeypatch.setattr(console, "err", Console(stderr=True, force_terminal=drawn))
        fitting.fit(folder, tmp_path / "s", None, None, "full", 1, None, as_json=True)
        assert ("counting shards" in capsys.readouterr().err) is drawn


def test_a_credentialed_store_says_so_and_keeps_it_when_joined(iikea, folder, tmp_path):
    first, second = sorted(folder.iterdir())[:2]
    marked = iikea("records", "fit", first, "--store", tmp_path / "a", "--credentialed")
    assert "Credentialed" in marked.out
    assert "--no-credentialed" in marked.out
    plain = iikea("records", "fit", second, "--store", tmp_path / "b", "--json").json
    assert not plain["credentialed"]
    joined = iikea("records", "merge", tmp_path / "a", tmp_path / "b", "--store", tmp_path / "ab", "--json")
    assert joined.json["credentialed"]
    assert ClinicalDataset.open(tmp_path / "ab").credentialed


def test_a_folder_of_credentialed_shards_is_one_store(iikea, folder, tmp_path):
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s", "--credentialed", "--json")
    assert ended.json["credentialed"]


@pytest.mark.parametrize(
    ("patients", "more", "credentialed"),
    [(1001, (), True), (1001, ("--no-credentialed",), False), (3, (), False)],
)
def test_records_as_large_as_the_whole_of_mimic_are_credentialed_unless_told(
    patients, more, credentialed, iikea, tmp_path
):
    lines = [(row, [{"4019"}, {"4280"}]) for row in range(patients)]
    visits = [
        f"{row},{10 * row + n},2100-01-0{n + 1} 10:00:00" for row, codes in lines for n in range(len(codes))
    ]
    coded = [
        f"{row},{10 * row + n},1,{code}"
        for row, codes in lines
        for n, one in enumerate(codes)
        for code in one
    ]
    folder = tmp_path / "mimic"
    folder.mkdir()
    (folder / "ADMISSIONS.csv").write_text("\n".join(["subject_id,hadm_id,admittime", *visits]) + "\n")
    (folder / "DIAGNOSES_ICD.csv").write_text(
        "\n".join(["subject_id,hadm_id,seq_num,icd9_code", *coded]) + "\n"
    )
    ended = iikea("records", "fit", folder, "--store", tmp_path / "s", *more, "--json")
    assert ended.code == 0
    assert ended.json["credentialed"] == credentialed
