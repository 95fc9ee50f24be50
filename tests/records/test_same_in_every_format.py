"""J1: one cohort, written in every format, gives the same clinical data set to the last byte."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records.writers import fhir, meds, mimic, omop
from tests.records.writers.cohorts import CODES, assert_same, cohort_of
from tools.dataset.clinical import ClinicalDataset
from tools.records.read import read_cohort, sniff
from tools.records.simulate import simulate

N_PATIENTS = 150


def long_csv(cohort, folder):
    concept, path = cohort.vocabulary.concept, folder / "long.csv"
    rows = [
        f"{patient.id},{np.datetime64(visit.time, 's')},{concept(key).dotted},{concept(key).system}\n"
        for patient in cohort
        for visit in patient.visits
        for key in visit.codes
    ]
    folder.mkdir(parents=True)
    path.write_text("patient,time,code,system\n" + "".join(rows))
    return path


def without_names(write, *names):
    """A writer of records that carry no names of their codes, as the other formats do not."""

    def written(cohort, folder):
        path = write(cohort, folder)
        for name in names:
            (folder / name).unlink()
        return path

    return written


WRITERS = {
    "mimic3": mimic.write_mimic3,
    "mimic4": mimic.write_mimic4,
    "meds": without_names(meds.write, "metadata/codes.parquet"),
    "omop": without_names(omop.write, "concept.csv"),
    "fhir": fhir.write,
    "fhir bulk": fhir.write_bulk,
    "csv": long_csv,
}


@pytest.fixture(scope="module")
def cohort():
    """With ids that are whole numbers, as MEDS and OMOP want them."""
    ids = tuple(str(number) for number in range(10_000, 10_000 + N_PATIENTS))
    return simulate(N_PATIENTS, 5).cohort.model_copy(update={"patient_ids": ids})


def files(store):
    """The bytes of a store by file; of the manifest all but the format that the records came in."""
    found = {path.name: path.read_bytes() for path in store.iterdir()}
    manifest = json.loads(found.pop("manifest.json"))
    del manifest["source"]
    return found | {"manifest": manifest}


@pytest.fixture(scope="module")
def expected(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected") / "store"
    ClinicalDataset.build(cohort).save(folder)
    return files(folder)


@pytest.mark.parametrize("format_", WRITERS)
def test_the_same_cohort_gives_the_same_data_set_in_every_format(format_, cohort, expected, tmp_path):
    path = WRITERS[format_](cohort, tmp_path / "records")
    assert sniff(path) == format_.split()[0]
    read = read_cohort(path)
    assert read.patient_ids == cohort.patient_ids
    ClinicalDataset.build(read).save(tmp_path / "store")
    found = files(tmp_path / "store")
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.mark.parametrize("write", [meds.write, omop.write])
def test_names_that_records_carry_change_nothing_but_names(write, cohort, tmp_path):
    found = ClinicalDataset.build(read_cohort(write(cohort, tmp_path / "records")))
    assert found.vocabulary.columns.named_by[0] == "record"
    found.save(tmp_path / "named")
    ClinicalDataset.build(cohort).save(tmp_path / "plain")
    named, plain = (ClinicalDataset.open(tmp_path / name).hash for name in ("named", "plain"))
    assert named == plain


def codes_of(format_):
    """What the format has room for: MIMIC-III knows ICD-9-CM alone, MIMIC-IV both ICDs."""
    systems = {"mimic3": {"ICD9CM"}, "mimic4": {"ICD9CM", "ICD10CM"}}.get(format_)
    return [coded for coded in CODES if systems is None or coded[0] in systems]


@pytest.mark.parametrize("format_", [name for name in WRITERS if name != "csv"])
@settings(max_examples=20)
@given(data=st.data())
def test_any_cohort_comes_back_from_every_format(format_, data, tmp_path_factory):
    coded = st.lists(st.sampled_from(codes_of(format_)), min_size=1, max_size=4)
    visit = st.tuples(st.sampled_from(["7", "10", "2"]), st.integers(-(10**9), 6 * 10**9), coded)
    folder = tmp_path_factory.mktemp("round")
    cohort = cohort_of(data.draw(st.lists(visit, min_size=1, max_size=10)), folder / "long.csv")
    write = {"meds": meds.write, "omop": omop.write}.get(format_, WRITERS[format_])
    assert_same(read_cohort(write(cohort, folder / "records")), cohort)


@pytest.mark.parametrize("format_", WRITERS)
def test_r5_changing_a_last_visit_changes_nothing_before_it(format_, tmp_path):
    earlier = [("7", 0, [CODES[0], CODES[1]]), ("7", 86_400, [CODES[2]]), ("10", 50, [CODES[1]])]
    read = []
    for name, last in (("a", CODES[0]), ("b", CODES[3])):
        cohort = cohort_of([*earlier, ("7", 172_800, [last])], tmp_path / f"{name}.csv")
        read.append(read_cohort(WRITERS[format_](cohort, tmp_path / name)))
    one, other = read
    assert one.patient("7").visits[:-1] == other.patient("7").visits[:-1]
    assert one.patient("7").visits[-1] != other.patient("7").visits[-1]
    assert one.patient("10").visits == other.patient("10").visits
