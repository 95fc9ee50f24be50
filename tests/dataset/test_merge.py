import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, cohort, dataset, histories
from tools.dataset import merge as merging
from tools.dataset.arrays import ArrayWriter
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.merge import merge
from tools.records.cohort import Concept, Vocabulary
from tools.safety.errors import InputError

sites = st.lists(histories, min_size=1, max_size=4)


def used(patients):
    return tuple(sorted({key for patient in patients for visit in patient for key in visit}))


def saved(folder, patients):
    """A store of the patients, whose vocabulary is only what they have."""
    dataset(patients, used(patients)).save(folder)
    return folder


def assert_equal(found, expected):
    assert found.vocabulary.keys == expected.vocabulary.keys
    for name, values in expected.columns._asdict().items():
        np.testing.assert_array_equal(getattr(found.columns, name), values, err_msg=name)
        assert getattr(found.columns, name).dtype == values.dtype
    assert found.hash == expected.hash


@pytest.fixture(params=["whole", "in small pieces"])
def pieces(request, monkeypatch):
    """Joins in blocks so small that every array of a small store is cut."""
    if request.param == "in small pieces":
        monkeypatch.setattr(merging, "_CELLS", 8)
        monkeypatch.setattr(merging, "_ENTRIES", 2)


@settings(max_examples=30)
@given(shards=sites)
def test_joined_stores_equal_the_store_of_all_patients(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("merge")
    stores = [saved(folder / str(number), patients) for number, patients in enumerate(shards)]
    everyone = [patient for patients in shards for patient in patients]
    assert_equal(merge(stores, folder / "joint"), dataset(everyone, used(everyone)))
    assert ClinicalDataset.open(folder / "joint", verify=True).n_patients == len(everyone)


@settings(max_examples=12)
@given(shards=st.lists(histories, min_size=3, max_size=3))
def test_joining_is_associative(shards, tmp_path_factory):
    folder = tmp_path_factory.mktemp("merge")
    a, b, c = (saved(folder / str(number), patients) for number, patients in enumerate(shards))
    merge([a, b], folder / "ab")
    merge([b, c], folder / "bc")
    left, right = merge([folder / "ab", c], folder / "l"), merge([a, folder / "bc"], folder / "r")
    assert left.hash == right.hash == merge([a, b, c], folder / "abc").hash


def test_pieces_do_not_show(pieces, tmp_path):
    drawn = np.random.default_rng(1).random((3, 20, 4, len(KEYS))) < 0.4
    codes = [[[{KEYS[c] for c in np.flatnonzero(v)} for v in p] for p in patients] for patients in drawn]
    stores = [saved(tmp_path / str(number), patients) for number, patients in enumerate(codes)]
    everyone = [patient for patients in codes for patient in patients]
    assert_equal(merge(stores, tmp_path / "joint"), dataset(everyone))


def test_a_code_that_two_sites_name_keeps_its_first_name(tmp_path):
    for site in ("here", "there"):
        named = Vocabulary([Concept(system="ICD9CM", code="4019", display=site)])
        of_site = cohort([[{"4019"}, {"4019"}]], ("4019",)).model_copy(update={"vocabulary": named})
        ClinicalDataset.build(of_site).save(tmp_path / site)
    stores = [tmp_path / "here", tmp_path / "there"]
    for order in (stores, stores[::-1]):
        assert merge(order, tmp_path / "joint").vocabulary.concept("4019").display == order[0].name


def test_where_the_records_came_from_is_kept(tmp_path):
    for number, source in enumerate(("mimic4", "csv", "mimic4")):
        of_site = cohort([[{"4019"}]]).model_copy(update={"source": source})
        ClinicalDataset.build(of_site).save(tmp_path / str(number))
    first = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "01")
    assert first.source == merge([tmp_path / "01", tmp_path / "2"], tmp_path / "012").source == "csv+mimic4"


def test_a_damaged_store_is_refused_and_nothing_is_written(tmp_path):
    stores = [saved(tmp_path / name, [[{"4019"}, {"4280"}]]) for name in "ab"]
    codes = np.load(stores[1] / "codes.npy")
    np.save(stores[1] / "codes.npy", codes[::-1])
    with pytest.raises(InputError, match="'codes' has changed"):
        merge(stores, tmp_path / "joint")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_full_disk_leaves_the_old_store(tmp_path, monkeypatch):
    stores = [saved(tmp_path / name, [[{"4019"}, {"4280"}]]) for name in "ab"]

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(InputError, match="No space left"):
        merge(stores, stores[0])
    monkeypatch.undo()
    assert ClinicalDataset.open(stores[0], verify=True).n_patients == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_store_may_be_joined_into_itself(tmp_path):
    stores = [saved(tmp_path / name, [[{"4019"}, {"4280"}]]) for name in "ab"]
    assert merge(stores, stores[0]).n_patients == 2


def test_no_store_and_no_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="one or more"):
        merge([], tmp_path / "joint")
    with pytest.raises(InputError, match="iikea records fit"):
        merge([tmp_path / "nothing"], tmp_path / "joint")


@pytest.mark.parametrize(
    ("marked", "asked", "expected"), [((), False, False), ((1,), False, True), ((), True, True)]
)
def test_a_joint_store_is_credentialed_if_any_part_is(marked, asked, expected, tmp_path):
    stores = []
    for number in range(2):
        data = dataset([[{"4019"}, {"4280"}]])
        data.credentialed = number in marked
        data.save(tmp_path / str(number))
        stores.append(tmp_path / str(number))
    assert merge(stores, tmp_path / "joint", credentialed=asked).credentialed == expected
