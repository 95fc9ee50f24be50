"""The FHIR Bundle against the R4B models, and what it must say."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.example import example, hostile, refused
from tools.reporting import fhir
from tools.safety.errors import InputError

RESULT, REFUSED = example(), refused()
WHEN = datetime(2026, 11, 30, 7, 37, tzinfo=UTC)
LANGUAGE_MODEL = RESULT.model_copy(update={"model": "openai:gpt-4o-mini"})
STATISTICAL = RESULT.model_copy(update={"model": "statistical"})


def parts(result, subject="Patient/123", when=WHEN):
    """The RiskAssessment and the Provenance of a Bundle that the R4B models accept."""
    made = fhir.risk_assessment(result, subject, when)
    bundle = Bundle.model_validate(json.loads(json.dumps(made)))
    assert [entry.resource.get_resource_type() for entry in bundle.entry] == ["RiskAssessment", "Provenance"]
    assert {entry.fullUrl for entry in bundle.entry} == {f"urn:uuid:{e.resource.id}" for e in bundle.entry}
    return tuple(entry["resource"] for entry in made["entry"])


@settings(deadline=None, max_examples=30)
@given(st.text(min_size=1, max_size=20), st.sampled_from([None, "Patient/1"]))
def test_every_result_is_valid_r4b_and_the_same_each_time(text, subject):
    for result in (hostile(text), example(comment=text, predictions=(), knowledge=None)):
        made = json.dumps(parts(result, subject))
        assert not any(f"\\u{n:04x}" in made for n in (*range(9), 11, 12, *range(14, 32)))
        assert fhir.risk_assessment(result, subject, WHEN) == fhir.risk_assessment(result, subject, WHEN)


def test_probabilities_of_the_records_are_percentages():
    assessment, _ = parts(STATISTICAL)
    assert len(assessment["prediction"]) == len(RESULT.predictions)
    for made, prediction in zip(assessment["prediction"], RESULT.predictions, strict=True):
        assert made["probabilityDecimal"] == pytest.approx(100 * prediction.probability, abs=1e-4)
        assert made["rationale"] == prediction.reason
        assert not {"qualitativeRisk", "whenPeriod", "whenRange"} & set(made)
        (coding,) = made["outcome"]["coding"]
        assert coding["system"] == "http://hl7.org/fhir/sid/icd-9-cm"
        assert (coding["code"], coding["display"]) == (prediction.dotted, prediction.display)


def test_those_of_a_language_model_are_qualitative_only():
    assessment, _ = parts(LANGUAGE_MODEL)
    bounds = {"negligible": (0, 0.01), "low": (0.01, 0.1), "moderate": (0.1, 0.5), "high": (0.5, 1.001)}
    for made, prediction in zip(assessment["prediction"], RESULT.predictions, strict=True):
        assert "probabilityDecimal" not in made
        low, high = bounds[made["qualitativeRisk"]["coding"][0]["code"]]
        assert low <= prediction.probability < high
    assert any("not calibrated" in note["text"] for note in assessment["note"])


def test_the_basis_is_the_history():
    assessment, _ = parts(STATISTICAL)
    conditions = {condition["id"]: condition for condition in assessment["contained"]}
    assert [basis["reference"][1:] for basis in assessment["basis"]] == list(conditions)
    said = {c["code"]["coding"][0]["code"] for c in conditions.values()}
    assert said == {RESULT.diseases[code].dotted for visit in RESULT.history for code in visit}
    assert all(condition["subject"] == assessment["subject"] for condition in conditions.values())


def test_the_provenance_says_what_made_it_of_what():
    assessment, provenance = parts(STATISTICAL)
    assert provenance["target"] == [{"reference": f"urn:uuid:{assessment['id']}"}]
    devices = {device["id"]: device for device in provenance["contained"]}
    agents = {agent["type"]["coding"][0]["code"]: agent["who"]["reference"] for agent in provenance["agent"]}
    assert set(agents) == {"assembler", "author"}
    assert devices[agents["author"][1:]]["deviceName"][0]["name"] == "statistical"
    for device in devices.values():
        assert device["version"][0]["value"] == RESULT.versions["ii-kea"]
    digests = [entity["what"]["identifier"]["value"] for entity in provenance["entity"]]
    assert digests == [RESULT.data.hash, *(library.version for library in RESULT.knowledge.libraries)]
    for resource in (assessment, provenance):
        (label,) = resource["meta"]["security"]
        assert (label["system"].rpartition("/")[2], label["code"]) == ("v3-ObservationValue", "AIAST")


@pytest.mark.parametrize(
    ("system", "code", "uri"),
    [
        ("ICD10CM", "I50.9", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("SNOMED", "44054006", "http://snomed.info/sct"),
        ("LOCAL", "x", None),
    ],
)
def test_codes_carry_the_uri_of_their_system(system, code, uri):
    first = RESULT.predictions[0].model_copy(update={"system": system, "dotted": code, "display": "A name"})
    assessment, _ = parts(STATISTICAL.model_copy(update={"predictions": (first,)}))
    outcome = assessment["prediction"][0]["outcome"]
    if uri is None:
        assert outcome == {"text": "A name (LOCAL x)"}
    else:
        assert outcome["coding"] == [{"system": uri, "code": code, "display": "A name"}]


@pytest.mark.parametrize(
    "subject", ["Patient/123", "https://ehr.example/fhir/Patient/a-b.C", "urn:uuid:" + "0" * 36, None]
)
def test_a_subject_is_named_or_said_to_be_absent(subject):
    assessment, _ = parts(STATISTICAL, subject)
    assert assessment["subject"].get("reference") == subject
    assert ("extension" in assessment["subject"]) == (subject is None)


@pytest.mark.parametrize(
    "subject", ["", "123", "Patient/", "Patient/1 2", "patient/1", "Patient/" + "1" * 65]
)
def test_what_is_no_reference_is_refused(subject):
    with pytest.raises(InputError, match="Patient/ID"):
        fhir.risk_assessment(STATISTICAL, subject, WHEN)


def test_a_time_without_an_offset_is_utc():
    assert (
        fhir.risk_assessment(RESULT, None, datetime(2026, 1, 2))["timestamp"] == "2026-01-02T00:00:00+00:00"
    )


def test_a_refusal_is_no_risk_assessment(tmp_path):
    with pytest.raises(InputError, match="no RiskAssessment can be made"):
        fhir.write(REFUSED, None, WHEN, tmp_path / "r.json")
    assert not list(tmp_path.iterdir())


def test_the_file_is_private_and_whole(tmp_path):
    path = tmp_path / "r.json"
    fhir.write(STATISTICAL, "Patient/1", WHEN, path)
    assert path.stat().st_mode & 0o777 == 0o600
    written = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    assert written["entry"][0]["resource"]["subject"] == {"reference": "Patient/1"}
    with pytest.raises(InputError, match="its folder does not exist"):
        fhir.write(STATISTICAL, None, WHEN, tmp_path / "nowhere" / "r.json")
