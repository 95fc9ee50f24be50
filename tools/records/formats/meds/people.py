"""Sex and birth in MEDS: events such as `GENDER//F`, `Gender/M` and `MEDS_BIRTH`."""

from pathlib import Path

import numpy as np
import pandas as pd

from tools.records.build import UNKNOWN
from tools.records.cohort import DAY_S, Cohort
from tools.records.formats.meds.codes import parts_of
from tools.records.formats.meds.read import Batch, batches, labelled_shards
from tools.records.person import SEXES, Births, Person, Sex, agreed, people_born

_SEX_HEADS = {"GENDER", "SEX"}
_BIRTH_HEAD = "MEDS_BIRTH"
_KINDS: tuple[Sex, ...] = ("F", "M")
_BIRTH = len(_KINDS)


def read_people(path: Path, cohort: Cohort) -> dict[str, Person]:
    """Everyone in the cohort that was read from a folder of shards or a file.

    Raises:
        InputError: a shard cannot be read.
    """
    kinds: dict[str, int] = {}
    parts = [_told(batch, kinds) for file, label in labelled_shards(path) for batch in batches(file, label)]
    rows = pd.concat(parts, ignore_index=True)
    of_sex, of_birth = rows[rows["kind"] < _BIRTH], rows[rows["kind"] == _BIRTH].dropna(subset="day")
    sex = agreed(of_sex["subject"], of_sex["kind"].map(dict(enumerate(_KINDS))))
    birth = agreed(of_birth["subject"], of_birth["day"])
    return people_born(cohort, sex, Births(birth, birth))


def _told(batch: Batch, kinds: dict[str, int]) -> pd.DataFrame:
    """The rows of a batch that tell of sex or birth: subject, kind, and day since 1970 or NaN."""
    for text in batch.code.distinct:
        if text not in kinds:
            kinds[text] = _kind(text)
    kind = batch.code.numbered(np.array([kinds[text] for text in batch.code.distinct], dtype=np.int64))
    rows = np.flatnonzero((kind != UNKNOWN) & batch.subject.there)
    subjects = np.array((*batch.subject.distinct, ""), dtype=object)[batch.subject.at[rows]]
    day = np.where(batch.timed[rows], batch.time[rows] // DAY_S, np.nan)
    return pd.DataFrame({"subject": pd.Series(subjects, dtype=object), "kind": kind[rows], "day": day})


def _kind(text: str) -> int:
    """What a code tells: a place in `_KINDS`, `_BIRTH`, or nothing (`UNKNOWN`)."""
    head, *rest = parts_of(text)
    if head == _BIRTH_HEAD:
        return _BIRTH
    word = SEXES.get(rest[0].strip().lower()) if head.upper() in _SEX_HEADS and len(rest) == 1 else None
    return _KINDS.index(word) if word else UNKNOWN
