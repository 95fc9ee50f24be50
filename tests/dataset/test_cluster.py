import sys

import pytest

from tests.dataset.shard_files import write, write_shards
from tools.dataset.cluster import fit_on_cluster, local_client
from tools.dataset.shards import fit_shards
from tools.records.faults import RecordFaults
from tools.safety.errors import InputError

SHARDS = [[[{"4019"}, {"4280"}], [{"25000"}]], [[{"4019", "5856"}, {"5856"}]], [[{"0389"}, {"4019"}]]]


@pytest.fixture(scope="module")
def client():
    with local_client(2) as client:
        yield client


def test_workers_listen_to_this_machine_only(client):
    workers = client.scheduler_info()["workers"]
    assert len(workers) == 2
    assert all(address.startswith("tls://127.0.0.1:") for address in workers)
    assert client.scheduler_info()["address"].startswith("tls://127.0.0.1:")


def test_the_store_is_the_same_bit_for_bit(client, tmp_path):
    folder = write_shards(tmp_path / "shards", SHARDS)
    told = []
    found = fit_on_cluster(folder, tmp_path / "c", client, progress=lambda *at: told.append(at))
    assert found.hash == fit_shards(folder, tmp_path / "s").hash
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "s", "shards"]


def test_faults_come_back_from_the_workers(client, tmp_path):
    folder = write_shards(tmp_path / "shards", SHARDS)
    write(folder / "shard-01.parquet", [("p", 1, "not a code")])
    with pytest.raises(RecordFaults) as refused:
        fit_on_cluster(folder, tmp_path / "store", client)
    assert [fault.column for fault in refused.value.faults] == ["shard-01.parquet: code"]


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[cluster\]'"), local_client(2):
        pass


def test_less_than_one_worker_is_refused():
    with pytest.raises(InputError, match="1 or more"), local_client(0):
        pass
