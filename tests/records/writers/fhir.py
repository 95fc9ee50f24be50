"""Writes cohorts as FHIR R4: bundles as Synthea exports them, or bulk data."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.records.writers.people import told
from tools.records.cohort import Cohort, Patient, Vocabulary
from tools.records.files.opening import zstd

Json = dict[str, Any]
URIS = {
    "ICD9CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "SNOMED": "http://snomed.info/sct",
}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
GENDERS = {"F": "female", "M": "male", None: "unknown"}
CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}


def write(cohort: Cohort, folder: Path) -> Path:
    """A folder of transaction bundles, one a patient, whose references are `urn:uuid:`."""
    folder.mkdir(parents=True, exist_ok=True)
    for patient in cohort:
        entries = [_entry(r) for r in resources(patient, cohort.vocabulary, _uuid_of)]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        save(folder / f"{_uuid(patient.id)}.json", json.dumps(bundle, indent=2))
    return folder


def write_bulk(cohort: Cohort, folder: Path, files_a_type: int = 2, ending: str = ".ndjson") -> Path:
    """A folder of bulk data, a resource a line, in so many files a type; references are `Type/id`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {"Patient": [], "Encounter": [], "Condition": []}
    for patient in cohort:
        for resource in resources(patient, cohort.vocabulary, "{}/{}".format):
            lines[resource["resourceType"]].append(json.dumps(resource))
    for type_, of_type in lines.items():
        for number in range(files_a_type):
            content = "".join(f"{line}\n" for line in of_type[number::files_a_type])
            save(folder / f"{type_}.{number:03d}{ending}", content)
    return folder


def save(path: Path, text: str) -> Path:
    """A text file, compressed as its name says."""
    import gzip

    packed = {".gz": gzip.compress, ".zst": zstd.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(text.encode()))
    return path


def resources(patient: Patient, vocabulary: Vocabulary, refer: Any) -> Iterator[Json]:
    """The Patient, an Encounter a visit and a Condition a code, with what exporters write besides."""
    who = told(patient)
    yield {
        "resourceType": "Patient",
        "id": patient.id,
        "gender": GENDERS[who.sex],
        "birthDate": who.birth.isoformat(),
        "name": [{"family": "Doe"}],
    }
    subject = {"reference": refer("Patient", patient.id)}
    for number, visit in enumerate(patient.visits):
        begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=visit.time)
        id_ = f"{patient.id}-{number:04d}"
        yield {
            "resourceType": "Encounter",
            "id": id_,
            "status": "finished",
            "class": CLASS,
            "subject": subject,
            "period": {"start": begin.isoformat(), "end": (begin + timedelta(hours=1)).isoformat()},
        }
        for key in visit.codes:
            concept = vocabulary.concept(key)
            coding = {"system": URIS.get(concept.system, concept.system), "code": concept.dotted}
            shown = {"display": concept.display} if concept.named_by == "record" else {}
            yield {
                "resourceType": "Condition",
                "id": f"{id_}-{key.replace(':', '-')}",
                "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                "verificationStatus": {"coding": [{"system": VERIFIED, "code": "confirmed"}]},
                "code": {"coding": [coding | shown]},
                "subject": subject,
                "encounter": {"reference": refer("Encounter", id_)},
                "onsetDateTime": begin.isoformat(),
                "recordedDate": begin.isoformat(),
            }


def _uuid(id_: str) -> str:
    return str(uuid5(NAMESPACE_URL, id_))


def _uuid_of(_: str, id_: str) -> str:
    return f"urn:uuid:{_uuid(id_)}"


def _entry(resource: Json) -> Json:
    type_ = resource["resourceType"]
    return {
        "fullUrl": _uuid_of(type_, resource["id"]),
        "resource": resource,
        "request": {"method": "POST", "url": type_},
    }
