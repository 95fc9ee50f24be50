"""What an evaluation is asked for, and the methods there are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from agents.endpoints import STATISTICAL
from agents.settings import Settings
from tools.causal.scores import ScoreName
from tools.evaluation.neural import Peer
from tools.records.mapping import VocabularyName
from tools.safety.errors import InputError

BASELINES = (
    *("frequency", "history_frequency", "transition_sum", "transition_noisy_or", "history_transition"),
    "linear",
)
PEERS: dict[str, Peer] = {"retain": "RETAIN", "transformer": "Transformer"}
DEFAULT = "default"
SCORE = "score_"
ABLATIONS = ("without_causal", "without_knowledge")
USUAL = (*BASELINES, DEFAULT, *ABLATIONS)
ALL = (*USUAL, *(f"{SCORE}{score}" for score in get_args(ScoreName)))
_KEPT_OF_RECORDS = 100  # predictions a patient that are kept, and calibrated
_KEPT_OF_MODELS = 20  # that a language model is asked for


class Asked(NamedTuple):
    """An evaluation as it is asked for.

    Attributes:
        records: to evaluate on.
        format: of the records; told from the files when None.
        system: code system, see `tools.records.read.read_cohort`.
        split: `80-20`, `paper` or `loo`.
        vocabulary: that the codes are mapped to, see `tools.records.mapping`.
        methods: rows of the table.
        n_seeds: splits; seeds count from 0.
        limit: of test patients a split; None for all.
        out: folder of everything that is kept.
        model: that the graph's agents ask in every role without one of its own.
        other_models: models of roles, and the fallback, by the setting of `agents.settings.Settings`.
        answer_form: of the model, see `agents.settings.Settings`.
        libraries: folders, the most trusted first; none for the demo library.
        replay: whether to ask no model and take stored answers alone.
        base_url: see `agents.settings.Settings`.
        local_only: likewise.
        credentialed: whether third parties must not see the records; None to guess.
    """

    records: Path
    format: str | None
    system: str | None
    split: str
    vocabulary: VocabularyName
    methods: tuple[str, ...]
    n_seeds: int
    limit: int | None
    out: Path
    model: str = STATISTICAL
    other_models: Mapping[str, str] = MappingProxyType({})
    answer_form: str = "tool"
    libraries: tuple[str, ...] = ()
    replay: bool = False
    base_url: str = ""
    local_only: bool = False
    credentialed: bool | None = None

    @property
    def asks_a_service(self) -> bool:
        """Whether a language model may be asked."""
        return bool(self.services)

    @property
    def services(self) -> tuple[str, ...]:
        """The models that may be asked but for the statistical one, each once."""
        named = dict.fromkeys(self.agents.models.values())
        return tuple(name for name in named if name != STATISTICAL)

    @property
    def agents(self) -> Settings:
        """Of the agents, as far as they say who is asked."""
        whom = {"model": self.model, "base_url": self.base_url, "local_only": self.local_only}
        return Settings.model_validate(whom | dict(self.other_models))

    @property
    def settings(self) -> dict[str, Any]:
        """Of the graph's run, but for its data and what the method switches off."""
        return {
            "model": self.model,
            **self.other_models,
            "base_url": self.base_url,
            "local_only": self.local_only,
            "answer_form": self.answer_form,
            "libraries": list(self.libraries),
            "top_k": _KEPT_OF_RECORDS if self.agents.model_of("decider") == STATISTICAL else _KEPT_OF_MODELS,
            "resamples": 0,
        }


def parse_methods(text: str | None) -> tuple[str, ...]:
    """Methods by name, in the order of the table; the usual ones when None, all but the peers for `all`.

    Raises:
        InputError: a name is unknown.
    """
    if text is None:
        return USUAL
    named = [name.strip() for name in text.split(",") if name.strip()]
    if named == ["all"]:
        return ALL
    known = (*ALL, *PEERS)
    if not named or not set(named) <= set(known):
        raise InputError("methods", f"unknown; name some of {', '.join(known)}, separated by commas, or all")
    return tuple(method for method in known if method in named)


def of_graph(methods: Sequence[str]) -> tuple[str, ...]:
    """Those that run the diagnosis graph."""
    return tuple(method for method in methods if method not in {*BASELINES, *PEERS})


def switches(method: str) -> dict[str, Any]:
    """Settings by which a method of the graph differs from the default."""
    if method.startswith(SCORE):
        return {"score": method.removeprefix(SCORE)}
    return {} if method == DEFAULT else {method: True}
