"""A prediction as FHIR R4B: a RiskAssessment, and the Provenance that says what made it of what.

Both are labelled as asserted by a machine. Plain dicts: what FHIR asks of them, the tests check.
"""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tools.records.concepts.codes import ICD9CM, ICD10CM, SNOMED
from tools.reporting.result import DiagnosisResult, Disease, Prediction
from tools.reporting.words import percent_range
from tools.reporting.writing import write_result
from tools.safety.errors import InputError

Json = dict[str, Any]
SOFTWARE = "ii-kea"
CALIBRATED = (
    "statistical"  # the mind whose probabilities are the records' own; a language model's are opinions
)
_URIS = {
    ICD9CM: "http://hl7.org/fhir/sid/icd-9-cm",
    ICD10CM: "http://hl7.org/fhir/sid/icd-10-cm",
    SNOMED: "http://snomed.info/sct",
}
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_ASSERTED_BY_MACHINE = {
    "system": f"{_TERMINOLOGY}v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_EMPTY: tuple[Any, ...] = ("", [], {})
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_RISKS = ((0.01, "negligible"), (0.1, "low"), (0.5, "moderate"), (2.0, "high"))
_SUBJECT = re.compile(
    r"(?:https?://[^\s?#]+/)?[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}|urn:uuid:[0-9a-f-]{36}", re.ASCII
)


def require_subject(subject: str) -> None:
    """Check a reference to a patient.

    Raises:
        InputError: it is none.
    """
    if not _SUBJECT.fullmatch(subject):
        raise InputError("subject", "not a reference; give Patient/ID, its URL, or urn:uuid:...")


def risk_assessment(result: DiagnosisResult, subject: str | None, when: datetime) -> Json:
    """A result as a FHIR R4B Bundle of type collection: one RiskAssessment and its Provenance.

    Probabilities are percentages, as FHIR has them. Those of a language model are not calibrated: they are
    given as qualitative risks only. The history is the basis, as contained Conditions.

    Args:
        result: with or without predictions.
        subject: reference to the patient, such as `Patient/123`; None where nobody is to be named.
        when: of the prediction; UTC where it has no offset.

    Returns:
        The Bundle; the same arguments give the same one.

    Raises:
        InputError: the result is a refusal, or the subject is no reference.
    """
    if result.refusal:
        kind = result.refusal.kind
        raise InputError("fhir", f"the result is a refusal ({kind}), of which no RiskAssessment can be made")
    if subject is not None:
        require_subject(subject)
    moment = (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat(timespec="seconds")
    contents = json.dumps([result.model_dump(mode="json"), subject, moment], sort_keys=True)
    seed = uuid5(NAMESPACE_URL, sha256(contents.encode()).hexdigest())
    assessed, traced = uuid5(seed, "RiskAssessment"), uuid5(seed, "Provenance")
    made = {
        assessed: _assessment(result, _who(subject), moment),
        traced: _provenance(result, f"urn:uuid:{assessed}", moment),
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": moment,
        "entry": [
            {"fullUrl": f"urn:uuid:{id_}", "resource": _clean(resource) | {"id": str(id_)}}
            for id_, resource in made.items()
        ],
    }


def write(result: DiagnosisResult, subject: str | None, when: datetime, path: Path) -> None:
    """Write the Bundle as JSON.

    Raises:
        InputError: see `risk_assessment`; or the file cannot be written.
    """
    bundle = json.dumps(risk_assessment(result, subject, when), ensure_ascii=False, indent=2, allow_nan=False)
    write_result(path, f"{bundle}\n", "fhir")


def _clean(value: Any) -> Any:  # noqa: ANN401
    """JSON without what FHIR forbids: control characters in texts, and elements that are empty."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c in "\t\n\r" else " " for c in value).strip()
    if isinstance(value, dict):
        return {name: kept for name, of in value.items() if (kept := _clean(of)) not in _EMPTY}
    if isinstance(value, list):
        return [kept for of in value if (kept := _clean(of)) not in _EMPTY]
    return value


def _who(subject: str | None) -> Json:
    if subject is not None:
        return {"reference": subject}
    return {"extension": [{"url": _ABSENT, "valueCode": "unknown"}], "display": "not named"}


def _assessment(result: DiagnosisResult, who: Json, moment: str) -> Json:
    conditions = _history(result, who)
    return {
        "resourceType": "RiskAssessment",
        "meta": {"security": [_ASSERTED_BY_MACHINE]},
        "status": "final",
        "method": {"text": _method(result)},
        "code": {"text": "Diagnoses of the next visit"},
        "subject": who,
        "occurrenceDateTime": moment,
        "prediction": [_prediction(result, prediction) for prediction in result.predictions],
        "note": [{"text": text} for text in _notes(result)],
        "contained": conditions,
        "basis": [{"reference": f"#{condition['id']}"} for condition in conditions],
    }


def _history(result: DiagnosisResult, who: Json) -> list[Json]:
    """Each disease of the history once, with the visits that had it."""
    visits: dict[str, list[int]] = {}
    for number, visit in enumerate(result.history, start=1):
        for code in visit:
            visits.setdefault(code, []).append(number)
    return [
        {
            "resourceType": "Condition",
            "id": f"history-{place}",
            "code": _concept(result.diseases[code]),
            "subject": who,
            "note": [{"text": f"at visit {', '.join(map(str, at))} of {len(result.history)}"}],
        }
        for place, (code, at) in enumerate(visits.items(), start=1)
    ]


def _concept(disease: Disease | Prediction) -> Json:
    """System, dotted code and name. Of systems without a URI known here, the name and the code as text."""
    uri = _URIS.get(disease.system)
    if uri is None:
        return {"text": f"{disease.display} ({disease.system} {disease.dotted})"}
    coding = {"system": uri, "code": disease.dotted, "display": disease.display}
    return {"coding": [coding], "text": disease.display}


def _deciders(result: DiagnosisResult) -> str:
    return ", ".join(result.deciders)


def _is_calibrated(result: DiagnosisResult) -> bool:
    return set(result.deciders) == {CALIBRATED}


def _prediction(result: DiagnosisResult, prediction: Prediction) -> Json:
    if _is_calibrated(result):
        risk: Json = {"probabilityDecimal": round(100 * prediction.probability, 4)}
    else:
        risk = {"qualitativeRisk": _risk(prediction.probability)}
    return {"outcome": _concept(prediction), **risk, "rationale": prediction.reason}


def _risk(probability: float) -> Json:
    code = next(code for below, code in _RISKS if probability < below)
    display = f"{code.capitalize()} likelihood"
    return {"coding": [{"system": f"{_TERMINOLOGY}risk-probability", "code": code, "display": display}]}


def _method(result: DiagnosisResult) -> str:
    data = result.data
    return (
        f"{SOFTWARE}, model {_deciders(result)}: the next visit from the history of codes, by the records "
        f"of {data.patients:,} patients ({data.source})"
    )


def _notes(result: DiagnosisResult) -> list[str]:
    """What a reader must know of the numbers, and their intervals."""
    told = ["Not a medical device.", *result.notices, *result.assumptions]
    if not _is_calibrated(result):
        told.append(
            "The risks are a language model's judgement and not calibrated: negligible below 1 %, low below "
            "10 %, moderate below 50 %, high above."
        )
    else:
        intervals = [f"{p.dotted} {percent_range(p.interval)}" for p in result.predictions if p.interval]
        told += [f"95 % intervals: {'; '.join(intervals)}"] if intervals else []
    return told


def _provenance(result: DiagnosisResult, target: str, moment: str) -> Json:
    software = {"id": "software", "deviceName": [{"name": SOFTWARE, "type": "model-name"}]}
    model = {
        "id": "model",
        "deviceName": [{"name": _clean(_deciders(result)) or "not named", "type": "model-name"}],
    }
    number = result.versions.get(SOFTWARE, "unknown")
    version = {"version": [{"type": {"text": SOFTWARE}, "value": number}]}
    return {
        "resourceType": "Provenance",
        "meta": {"security": [_ASSERTED_BY_MACHINE]},
        "contained": [{"resourceType": "Device"} | device | version for device in (software, model)],
        "target": [{"reference": target}],
        "occurredDateTime": moment,
        "recorded": moment,
        "agent": [_agent("assembler", "software"), _agent("author", "model")],
        "entity": [_entity(*source) for source in _sources(result)],
    }


def _agent(role: str, device: str) -> Json:
    coding = {"system": f"{_TERMINOLOGY}provenance-participant-type", "code": role}
    return {"type": {"coding": [coding]}, "who": {"reference": f"#{device}", "type": "Device"}}


def _sources(result: DiagnosisResult) -> list[tuple[str, str]]:
    """Name and hash of the data set and of every library."""
    data = result.data
    named = f"data set: {data.source}, {data.patients:,} patients, {data.visits:,} visits"
    libraries = result.knowledge.libraries if result.knowledge else ()
    return [(named, data.hash), *((f"knowledge library: {lib.title}", lib.version) for lib in libraries)]


def _entity(display: str, digest: str) -> Json:
    identifier = {"type": {"text": "SHA-256"}, "value": digest}
    return {"role": "source", "what": {"identifier": identifier, "display": display}}
