"""FHIR as exporters write it: round trips, references, codings, order."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records.fhir_samples import (
    ICD9,
    ICD10,
    ONE,
    SNOMED,
    assert_same,
    coded,
    condition,
    encounter,
    patient,
    plainly,
)
from tests.records.writers import fhir as writer
from tools.records.read import read_cohort, sniff
from tools.safety.errors import InputError

in_fixtures = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


visit = st.tuples(
    st.sampled_from(["7", "10", "a-b.C"]),
    st.sampled_from(["1969-12-31 23:59:59", "2150-01-01", "2150-01-02 10:30:00"]),
    st.lists(
        st.sampled_from([("4019", 9), ("V1582", 9), ("V1582", 10), ("I509", 10), ("038", 9)]), max_size=4
    ),
)
LAYOUTS = {
    "bundles": writer.write,
    "bulk": writer.write_bulk,
    "bulk, gzip": lambda cohort, folder: writer.write_bulk(cohort, folder, 1, ".ndjson.gz"),
    "bulk, zstd": lambda cohort, folder: writer.write_bulk(cohort, folder, 3, ".ndjson.zst"),
}


@in_fixtures
@given(visits=st.lists(visit, min_size=1, max_size=12), layout=st.sampled_from(sorted(LAYOUTS)))
def test_what_is_written_is_read_as_from_mimic4(visits, layout, write_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    admissions = [(p, 95 + i, day) for i, (p, day, _) in enumerate(visits)]
    diagnoses = [(p, 95 + i, *code) for i, (p, _, codes) in enumerate(visits) for code in codes]
    write_table(folder / "m/admissions.csv", ("subject_id", "hadm_id", "admittime"), admissions)
    header = ("subject_id", "hadm_id", "icd_code", "icd_version")
    write_table(folder / "m/diagnoses_icd.csv", header, diagnoses)
    expected = read_cohort(folder / "m")
    written = LAYOUTS[layout](expected, folder / "f")
    assert sniff(written) == "fhir"
    assert_same(read_cohort(written), expected)


@in_fixtures
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["p1", "10", "9"]),
            st.integers(1, 4),
            st.sampled_from(
                [("SNOMED", "44054006"), ("SNOMED", "38341003"), ("ICD10CM", "I10"), ("LOCAL", "x.1")]
            ),
            st.sampled_from(["a name", "é", ""]),
        ),
        min_size=1,
    ),
    layout=st.sampled_from(sorted(LAYOUTS)),
)
def test_what_is_written_is_read_as_from_a_long_table(rows, layout, write_table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    header = ("patient", "time", "system", "code", "display")
    table = [(patient, f"2020-02-0{day}", *code, name) for patient, day, code, name in rows]
    expected = read_cohort(write_table(folder / "r.csv", header, table))
    assert_same(read_cohort(LAYOUTS[layout](expected, folder / "f")), expected)


@pytest.mark.parametrize("name", ["b.json", "B.JSON", "b.json.gz", "b.json.zst"])
def test_one_bundle_may_be_a_file(bundle, name):
    path = bundle(patient(), encounter(), condition(), name=name)
    assert sniff(path) == sniff(path.parent) == "fhir"
    assert plainly(read_cohort(path)) == plainly(read_cohort(path.parent)) == ONE


UUID = "urn:uuid:0b2f4f4e-7d3a-4d0e-9a27-6a1c1f7f0a11"
WAYS = {
    "type and id": ("Patient/p", None),
    "of a version": ("Patient/p/_history/v-3", None),
    "absolute": ("https://ehr.example/fhir/R4/Patient/p", None),
    "absolute, of a version": (
        "https://ehr.example/fhir/Patient/p/_history/2",
        "https://ehr.example/fhir/Patient/p",
    ),
    "fullUrl": (UUID, UUID),
    "another fullUrl": ("https://ehr.example/people?id=1", "https://ehr.example/people?id=1"),
    "uuid that is the id": ("urn:uuid:p", None),
}


@pytest.mark.parametrize("way", WAYS)
def test_references_lead_to_their_patient(bundle, way):
    reference, full_url = WAYS[way]
    named = [encounter(subject=reference), condition(subject=reference), patient()]
    path = bundle(*named, full_urls=("urn:uuid:e", "urn:uuid:c", full_url or "urn:uuid:x"))
    assert plainly(read_cohort(path)) == ONE


def test_a_new_resource_has_but_its_full_url(bundle):
    new = [{name: value for name, value in r.items() if name != "id"} for r in (patient(), encounter())]
    new[1]["subject"] = {"reference": "urn:uuid:1"}
    diagnosis = condition(subject="urn:uuid:1", encounter="urn:uuid:2")
    path = bundle(*new, diagnosis, full_urls=("urn:uuid:1", "urn:uuid:2"))
    assert plainly(read_cohort(path)) == {"1": ONE["p"]}


def test_bundles_may_refer_to_each_other_by_type_and_id(bundle):
    bundle(condition(), name="1.json")
    bundle(encounter(), name="2.json")
    bundle(patient(), {"resourceType": "Organization"}, name="3.json")
    path = bundle({"resourceType": "Practitioner", "id": "x"}, name="4.json").parent
    assert plainly(read_cohort(path)) == ONE


def test_r3_the_order_of_resources_does_not_matter(bundle):
    resources = [
        patient(),
        patient("q"),
        *(encounter(f"e{n}") for n in (9, 10, 100)),
        encounter("f", "2019-01-01"),
    ]
    resources += [condition(c, "x", f"Encounter/{e}") for c, e in (("1", "e10"), ("2", "e100"), ("3", "f"))]
    resources += [
        condition("4", "x", None, onsetDateTime="2020-01-01"),
        condition("5", "x", None, onsetDateTime="2021-01-01"),
    ]
    expected = read_cohort(bundle(*resources))
    assert [codes for _, codes in plainly(expected)["p"]] == [["3"], [], ["1"], ["2", "4"], ["5"]]
    for seed in range(5):
        mixed = [resources[i] for i in np.random.default_rng(seed).permutation(len(resources))]
        again = read_cohort(bundle(*mixed))
        assert_same(again, expected)
        assert again.notices == expected.notices


CODINGS = {
    "ICD-10-CM before all": (
        [(SNOMED, "1"), (ICD9, "4019"), (ICD10, "I10"), (ICD10, "I11.9")],
        "ICD10CM",
        "I10",
    ),
    "ICD-9-CM before SNOMED CT": ([("x", "a"), (SNOMED, "1"), (ICD9, "401.9")], "ICD9CM", "4019"),
    "SNOMED CT before others": ([("x", "a"), (SNOMED, "44054006")], "SNOMED", "44054006"),
    "any that is named": ([(None, "z"), ("urn:x", " a.1 "), ("y", "b")], "URN:X", "a.1"),
    "WHO's ICD-10 is another": (
        [("http://hl7.org/fhir/sid/icd-10", "I10")],
        "HTTP://HL7.ORG/FHIR/SID/ICD-10",
        "I10",
    ),
    "an OID": ([("urn:oid:2.16.840.1.113883.6.90", "I10")], "ICD10CM", "I10"),
    "leading zeros": ([(ICD9, " 038 ")], "ICD9CM", "038"),
    "a formula is text": ([("local", "=1+1")], "LOCAL", "=1+1"),
    "codings without a code": ([(ICD10, ""), (ICD10,), (ICD9, "4019")], "ICD9CM", "4019"),
}


@pytest.mark.parametrize("case", CODINGS)
def test_one_coding_is_chosen(bundle, case):
    codings, system, code = CODINGS[case]
    found = read_cohort(bundle(patient(), encounter(), condition(code=coded(*codings)))).vocabulary.concepts
    assert [(concept.system, concept.code) for concept in found] == [(system, code)]


@pytest.mark.parametrize(
    ("code", "display", "named_by"),
    [
        (coded((SNOMED, "1", "of the coding"), text="of the concept"), "of the coding", "record"),
        (coded((SNOMED, "1"), text="of\nthe  concept"), "of the concept", "record"),
        (coded((SNOMED, "1", "\ud800lone")), "lone", "record"),
        (coded((ICD9, "4019")), "Unspecified essential hypertension", "leaf"),
    ],
)
def test_names_are_of_the_coding_or_else_of_the_concept(bundle, code, display, named_by):
    (found,) = read_cohort(bundle(patient(), encounter(), condition(code=code))).vocabulary.concepts
    assert (found.display, found.named_by) == (display, named_by)


@pytest.mark.parametrize("resources", [[], [patient()], [{"resourceType": "Organization"}]])
def test_r4_without_a_visit_nothing_is_read(bundle, resources):
    with pytest.raises(InputError, match=r"no Encounter with a period\.start"):
        read_cohort(bundle(*resources))


def test_r4_bulk_data_without_its_types(bulk, tmp_path):
    path = bulk(
        patient(), condition(encounter=None, onsetDateTime="2020-01-01"), types=("Patient", "Condition")
    )
    assert plainly(read_cohort(path)) == ONE
    (path / "Condition.ndjson").unlink()
    assert sniff(path) == "fhir"
    with pytest.raises(InputError, match=r"no Condition\*\.ndjson"):
        read_cohort(path)


def test_other_json_is_not_taken_for_fhir(tmp_path):
    writer.save(tmp_path / "package.json", '{"name": "x"}')
    (tmp_path / "b.json.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="not of a known format"):
        sniff(tmp_path)
    with pytest.raises(InputError, match="fhir needs"):
        read_cohort(writer.save(tmp_path / "x.txt", "x"), format="fhir")
