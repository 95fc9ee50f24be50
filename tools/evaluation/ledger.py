"""What was computed for each patient, a line at a time, so that a killed run goes on where it stopped."""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.safety.errors import InputError
from tools.safety.files import PRIVATE


class Outcome(BaseModel):
    """What a method answered for one patient. No code of the patient's last visit is in it but by prediction.

    Attributes:
        row: of the patient in the cohort.
        codes: predicted, best first, each once; keys of the training store's vocabulary.
        probabilities: that each follows, likewise.
        length: of the list that the method itself proposes.
        refusal: kind of refusal, empty where there was none; then nothing is predicted.
        edges: of the accepted graph; None without one.
        held_out_gain: see `tools.evaluation.graphs.Graphs.gains`; None likewise.
        calls: model requests.
        fell_back: whether the fallback answered, for a model whose service stayed away.
        tokens_in: read by the model, of all answers that were used, stored ones too.
        tokens_out: written by it, likewise.
        cost_usd: of the answers that were paid for now; stored ones cost nothing again.
        seconds: wall clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    row: int = Field(ge=0)
    codes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    length: int = Field(default=0, ge=0)
    refusal: str = ""
    edges: int | None = None
    held_out_gain: float | None = None
    calls: int = 0
    fell_back: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0

    @model_validator(mode="after")
    def _has_a_probability_for_each_code(self) -> "Outcome":
        if len(self.codes) != len(self.probabilities) or len(set(self.codes)) != len(self.codes):
            raise ValueError("codes once each, with one probability each")
        return self


class Ledger:
    """Outcomes of one method on one split in a private file, one JSON document a line, only ever added to.

    A line that a killed writer left unfinished is dropped when the ledger is opened. One process may write.

    Args:
        path: in a folder that exists; the file is made with the first outcome.

    Raises:
        InputError: a whole line is no outcome, or the file cannot be read or mended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._rows = {outcome.row for outcome in self._read(self._mended())}
        except OSError as error:
            raise InputError("out", f"{path.name}: cannot be read ({error.strerror})") from None

    @property
    def rows(self) -> frozenset[int]:
        """Patients that have an outcome."""
        return frozenset(self._rows)

    def outcomes(self) -> dict[int, Outcome]:
        """All outcomes by row; of a patient computed twice, the first."""
        found: dict[int, Outcome] = {}
        for outcome in self._read(self.path.read_bytes() if self.path.exists() else b""):
            found.setdefault(outcome.row, outcome)
        return found

    def append(self, outcomes: Iterable[Outcome]) -> None:
        """Adds outcomes in one write.

        Raises:
            OSError: the disk refuses.
        """
        added = list(outcomes)
        text = "".join(f"{outcome.model_dump_json()}\n" for outcome in added)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        self._rows |= {outcome.row for outcome in added}

    def _mended(self) -> bytes:
        """The file's whole lines; what stands behind the last of them is cut off the file."""
        if not self.path.exists():
            return b""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        return whole

    def _read(self, content: bytes) -> Iterable[Outcome]:
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                yield Outcome.model_validate_json(line)
            except ValidationError:
                rule = f"{self.path.name} is damaged there; remove the file to compute its patients again"
                raise InputError("out", rule, number) from None
