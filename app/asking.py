"""Whose next visit a command asks for, read from its options and records."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from app import console
from tools.reporting.writing import require_place
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from tools.reporting.labels import LabelKey

_CUT = (
    "no more than the first {} visits were used; a store fitted on records with this patient has seen the "
    "others, so fit it without the patient to test a prediction"
)


class Known(NamedTuple):
    """What is known of the patient that is asked for.

    Attributes:
        visits: codes by visit, oldest first.
        notices: what should be said of them.
        patient: id in the records; None of a history.
        time_s: of the last visit, seconds since 1970; None where it has no date.
        later: codes of the visit that came next, None where it is not known.
        credentialed: whether third parties must not see the records.
    """

    visits: list[list[str]]
    notices: list[str]
    patient: str | None = None
    time_s: int | None = None
    later: list[str] | None = None
    credentialed: bool = False


class Asked(NamedTuple):
    """Whose next visit is asked for: a history in codes, or a patient of some records.

    `credentialed` is whether third parties must not see them; None to guess.
    """

    history: str | None = None
    patient: str | None = None
    records: Path | None = None
    format: str | None = None
    system: str | None = None
    visits: int | None = None
    credentialed: bool | None = None

    def read(self) -> Known:
        """The visits to predict from.

        Raises:
            InputError: it is not said whose, or the records do not hold the patient.
        """
        if self.history is not None:
            if self.patient or self.records:
                raise InputError("history", "give --history, or --patient with --records, not both")
            from tools.records.history import split_history

            visits = split_history(self.history)[: self.visits]
            return Known(visits, [], credentialed=bool(self.credentialed))
        if not (self.patient and self.records):
            raise InputError("patient", "say whose: --history CODES, or --patient ID with --records PATH")
        return self._recorded(self.patient, self.records)

    def _recorded(self, patient: str, records: Path) -> Known:
        from tools.dataset.credentialed import is_credentialed
        from tools.records.read import read_cohort

        with console.busy("reading records"):
            cohort = read_cohort(records, self.format, self.system)
        concept = cohort.vocabulary.concept
        visits = cohort.patient(patient).visits
        named = [[f"{concept(key).system}:{concept(key).code}" for key in visit.codes] for visit in visits]
        used, after = visits[: self.visits], named[len(visits[: self.visits]) :]
        return Known(
            visits=[codes for codes in named[: len(used)] if codes],
            notices=[_CUT.format(self.visits)] if self.visits else [],
            patient=patient,
            time_s=used[-1].time if used and cohort.clock == "seconds" else None,
            later=next((codes for codes in after if codes), None),
            credentialed=is_credentialed(self.credentialed, cohort.source, cohort.n_patients),
        )


class Labels(NamedTuple):
    """Where predictions go as MEDS labels, and what is said of whose and when they are.

    Attributes:
        path: the file; None for none.
        subject_id: instead of the patient's id.
        prediction_time: ISO 8601, instead of the time of the last visit that was used.
    """

    path: Path | None = None
    subject_id: int | None = None
    prediction_time: str | None = None

    def require_place(self) -> None:
        """Check before the work that they can be written, and that what is said is of use.

        Raises:
            InputError: a file cannot be named so, pyarrow is not installed, there is no file, or the
                id is none of MEDS.
        """
        if self.path is not None:
            from tools.reporting.labels import require_parquet, subject_id_of

            require_place(self.path, "labels")
            require_parquet()
            if self.subject_id is not None and subject_id_of(str(self.subject_id)) is None:
                raise InputError("subject_id", "not a whole number of 64 bits, as MEDS has them")
            return
        for field, said in (("subject_id", self.subject_id), ("prediction_time", self.prediction_time)):
            if said is not None:
                raise InputError(field, "goes into the labels; name their file by --labels too")

    def key(self, known: Known, store: str) -> "LabelKey | None":
        """Whose labels and when; None where none are asked for.

        Args:
            known: of the patient.
            store: of the data set whose vocabulary predictions are in.

        Raises:
            InputError: the id or the time is not known, or is none that MEDS has.
        """
        if self.path is None:
            return None
        from tools.reporting.labels import LabelKey

        return LabelKey(self._subject(known), self._time(known), _in_vocabulary(known.later, store))

    def _subject(self, known: Known) -> int:
        if self.subject_id is not None:
            return self.subject_id
        step = "name a whole number by --subject-id"
        if known.patient is None:
            raise InputError("subject_id", f"a history does not say whose it is; {step}")
        from tools.reporting.labels import subject_id_of

        found = subject_id_of(known.patient)
        if found is None:
            raise InputError("subject_id", f"the patient's id is no whole number of 64 bits; {step}")
        return found

    def _time(self, known: Known) -> int:
        if self.prediction_time is None:
            if known.time_s is None:
                step = "name the time of the last visit by --prediction-time, such as 2024-05-31T08:30:00"
                raise InputError("prediction_time", f"the visits have no dates; {step}")
            return known.time_s
        import pandas as pd

        from tools.records.files.times import seconds

        times, readable = seconds(pd.Series([self.prediction_time]))
        if not readable[0]:
            raise InputError("prediction_time", "not an ISO date or time such as 2024-05-31T08:30:00")
        return int(times[0])


def _in_vocabulary(codes: list[str] | None, store: str) -> frozenset[str] | None:
    """The keys that codes have in a data set, of a heading where it has no more; others are left out.

    None where a code is of a system that the data set has none of: what it would be there is not known.
    """
    if codes is None:
        return None
    from tools import resources
    from tools.records.history import read_history

    vocabulary = resources.open_dataset(store).vocabulary
    if not {code.rpartition(":")[0] for code in codes} <= set(vocabulary.systems):
        return None
    [keys] = read_history([codes], vocabulary).visits
    return frozenset(keys)
