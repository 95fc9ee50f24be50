"""What breaks the rules of FHIR, or is no FHIR at all, is told by place and never by value."""

import json

import pytest

from tests.records.fhir_samples import (
    condition,
    encounter,
    patient,
)
from tests.records.writers import fhir as writer
from tools.records.check import check
from tools.records.faults import RecordFaults
from tools.records.read import read_cohort

CANARY = "Zaphod-Beeblebrox"
UUID = "urn:uuid:0b2f4f4e-7d3a-4d0e-9a27-6a1c1f7f0a11"


def faults(path):
    with pytest.raises(RecordFaults) as caught:
        read_cohort(path)
    assert CANARY not in f"{caught.value} {caught.value.faults}"
    return [(fault.row, fault.column.partition(": ")[2]) for fault in caught.value.faults]


def without(resource, name):
    return {key: value for key, value in resource.items() if key != name}


BROKEN = {
    "no patient id": (without(patient(), "id"), "Patient.id"),
    "an id that is a number": (patient(7), "Patient.id"),
    "an id that is not printable": (patient("a\ud800"), "Patient.id"),
    "no encounter id": (encounter(id_=None), "Encounter.id"),
    "no subject": (encounter(subject=None), "Encounter.subject"),
    "a subject that is text": (encounter() | {"subject": "Patient/p"}, "Encounter.subject"),
    "a subject by name": (encounter() | {"subject": {"display": CANARY}}, "Encounter.subject"),
    "a group": (encounter(subject="Group/p"), "Encounter.subject"),
    "a search": (encounter(subject=f"Patient?identifier={CANARY}"), "Encounter.subject"),
    "a contained patient": (encounter(subject="#p"), "Encounter.subject"),
    "nobody": (encounter("f", subject=f"Patient/{CANARY}"), "Encounter.subject"),
    "an unknown uuid": (condition(subject=UUID), "Condition.subject"),
    "another's encounter": (condition(subject="Patient/q"), "Condition.subject"),
    "no such encounter": (condition(encounter=f"Encounter/{CANARY}"), "Condition.encounter"),
    "a patient as encounter": (condition(encounter="Patient/p"), "Condition.encounter"),
    "no date": (encounter("f", CANARY), "Encounter.period.start"),
    "no day of the calendar": (encounter("f", "2019-02-29"), "Encounter.period.start"),
    "no time of the clock": (encounter("f", "2019-02-28T25:00:00Z"), "Encounter.period.start"),
    "a week": (encounter("f", "2019-W05"), "Encounter.period.start"),
    "a number for a date": (encounter("f", 2019), "Encounter.period.start"),
    "a list of periods": (encounter("f") | {"period": []}, "Encounter.period"),
    "no end": (encounter("f", "2019", CANARY), "Encounter.period.end"),
    "another begin": (encounter("e", "2020-01-02"), "Encounter.id"),
    "no onset": (condition(encounter=None, onsetDateTime=CANARY), "Condition.onsetDateTime"),
    "no record": (condition(encounter=None, recordedDate="99"), "Condition.recordedDate"),
    "not a code": (condition(CANARY), "Condition.code.coding.code"),
    "a code that is a number": (condition(4019), "Condition.code.coding.code"),
    "codings that are no list": (condition(code={"coding": {}}), "Condition.code.coding"),
    "codings that are text": (condition(code={"coding": [CANARY]}), "Condition.code.coding"),
    "a code that is text": (condition() | {"code": CANARY}, "Condition.code"),
    "a system that is no name": (condition(system="http://x/" + CANARY * 9), "Condition.code.coding.system"),
    "a status that is a number": (condition(verificationStatus=1), "Condition.verificationStatus"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_faults_are_told_by_entry_or_line_and_element(bundle, bulk, fault):
    resource, element = BROKEN[fault]
    good = [patient(), patient("q"), encounter(), condition()]
    assert faults(bundle(*good, resource)) == [(5, element)]
    line = 1 + sum(other["resourceType"] == resource["resourceType"] for other in good)
    (place,) = faults(bulk(*good, resource))
    assert place == (line, element)


def test_r1_of_many_faults_the_first_are_listed(bulk):
    broken = [condition(f"{CANARY}{n}") for n in range(10_000)]
    path = bulk(patient(), encounter(), *broken)
    assert faults(path) == [(row, "Condition.code.coding.code") for row in range(1, 51)]
    found = check(path)
    assert (found.format, found.fault_count, found.patients) == ("fhir", 10_000, 0)
    assert found.faults[0].column == "Condition.ndjson: Condition.code.coding.code"


def test_the_name_of_a_bundles_file_is_not_told(bundle):
    bundle(patient(), encounter(), name="1.json")
    path = bundle(condition("x"), name=f"2-{CANARY}.json").parent
    with pytest.raises(RecordFaults, match=r"bundle 2: Condition\.code\.coding\.code"):
        read_cohort(path)
    assert faults(path) == [(1, "Condition.code.coding.code")]


DEEP = '{"resourceType": "Bundle", "x": ' + "[" * 100_000
TEXTS = {
    "broken": '{"resourceType": "Bundle", "entry": [',
    "too deep": DEEP,
    "not an object": '["resourceType"]',
    "no type": '{"a": "resourceType"}',
    "a huge number": '{"resourceType": "Bundle", "x": ' + "1" * 5000 + "}",
    "entries that are no list": '{"resourceType": "Bundle", "entry": {"a": 1}}',
    "an entry that is text": f'{{"resourceType": "Bundle", "entry": ["{CANARY}"]}}',
    "a resource that is a list": '{"resourceType": "Bundle", "entry": [{"resource": []}]}',
    "a bundle in a bundle": '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Bundle"}}]}',
}


@pytest.mark.parametrize("kind", TEXTS)
def test_json_that_is_no_bundle_is_a_fault(tmp_path, kind):
    ((row, element),) = faults(writer.save(tmp_path / "b.json", TEXTS[kind]))
    assert row == 1
    assert element in {"(JSON)", "Bundle.entry", "Bundle.entry.resource"}


def test_lines_that_are_no_resource_are_faults(bulk):
    path = bulk(patient(), encounter(), condition())
    lines = [
        json.dumps(condition()),
        "",
        "{",
        '{"resourceType": 1}',
        "[" * 100_000,
        "null",
        json.dumps(patient()),
    ]
    (path / "Condition.2.ndjson").write_text("\n".join(lines))
    assert faults(path) == [(row, "(JSON)") for row in (3, 4, 5, 6)]
    (path / "Condition.2.ndjson").write_bytes(b'{"resourceType": "Condition\xff"}\n')
    assert faults(path) == [(1, "(file)")]


def test_damaged_files_are_faults(bulk, bundle, tmp_path):
    path = bulk(patient(), encounter(), condition())
    whole = writer.save(tmp_path / "Condition.2.ndjson.gz", json.dumps(condition()) * 50).read_bytes()
    (path / "Condition.2.ndjson.gz").write_bytes(whole[:-9])
    assert faults(path) == [(1, "(file)")]


def test_what_is_too_long_is_a_fault(bulk, bundle, monkeypatch):
    from tools.records.formats.fhir import bulk as fhir_bulk
    from tools.records.formats.fhir import bundle as fhir_bundle

    monkeypatch.setattr(fhir_bulk, "_LONGEST_LINE", 40)
    monkeypatch.setattr(fhir_bundle, "_LONGEST_BUNDLE", 40)
    path = bulk(patient(), encounter(), condition())
    assert faults(path) == [(1, "(file)"), (1, "(file)")]
    assert faults(bundle(patient(), encounter(), condition())) == [(1, "(file)")]


def test_what_is_of_another_type_is_left_out_and_told(bulk, bundle, tmp_path):
    path = bulk(patient(), encounter(), condition())
    writer.save(path / "ConditionDefinition.ndjson", '{"resourceType": "ConditionDefinition"}\n' * 2)
    writer.save(path / "Observation.ndjson", "not looked at")
    (path / "deeper").mkdir()
    assert "2 lines of another resourceType than the file is named for, left out" in read_cohort(path).notices
    assert "1 folder in the folder, not looked into" in read_cohort(path).notices
    single = tmp_path / "bundles" / "p.json"
    single.parent.mkdir()
    writer.save(single, json.dumps(patient()))
    writer.save(single.with_name("q.json"), bundle(patient(), encounter(), condition()).read_text())
    assert "1 file that is a resource but no Bundle, left out" in read_cohort(single.parent).notices
