"""One evaluation from records to table: resumed where it stopped, alone in its folder."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import prompts
from agents.prices import Price, price_of, total_usd
from agents.providers import require_admissible
from agents.recording import StoredAnswers
from agents.settings import ROLES
from app import console
from app.evaluation import estimate, executors, peers, showing, table
from app.evaluation.asked import BASELINES, PEERS, Asked, of_graph, switches
from app.evaluation.folds import Fold, fold, store_hashes
from app.evaluation.patients import Case, Work, compute
from app.house import PACKAGES, ROOT
from tools.dataset.credentialed import is_credentialed
from tools.evaluation import manifest as manifests
from tools.evaluation.cohort_run import Budget, Task, run
from tools.evaluation.graphs import has_graphs
from tools.evaluation.ledger import Ledger
from tools.evaluation.manifest import LibraryRecord, RunManifest
from tools.evaluation.neural import peer_python
from tools.knowledge.lock import writing
from tools.records.cohort import Cohort
from tools.records.demographics import read_people
from tools.records.faults import counted
from tools.records.mapping import to_vocabulary
from tools.records.person import Person
from tools.records.read import read_cohort
from tools.safety.errors import BudgetExceeded, InputError
from tools.safety.files import write_whole

TABLE = "table.json"
_REPLAYED = "replayed"
_CREDENTIALED = (
    "the records are credentialed: models and embeddings near only; --no-credentialed if all may see them"
)
_MODELS = {"model", "reader_model", "reasoner_model", "decider_model", "fallback_model"}
_OF_NO_NUMBER = {"libraries", "base_url", "local_only", *_MODELS}
_CHUNK = 4  # patients sent to another process at a time


class Means(NamedTuple):
    """What an evaluation may use.

    Attributes:
        workers: processes of this machine.
        scheduler: address of a Dask scheduler; None for none.
        in_flight: patients at a time where a service is waited for.
        max_cost_usd: of the model in all runs of the folder; None for no limit.
        price_in: USD a million tokens read; None to look it up.
        price_out: of a million tokens written.
    """

    workers: int = 1
    scheduler: str | None = None
    in_flight: int = 8
    max_cost_usd: float | None = None
    price_in: float | None = None
    price_out: float | None = None


class Results(NamedTuple):
    """What an evaluation ends with.

    Attributes:
        table: see `app.evaluation.table.build`, and the manifest, JSON-native.
        manifest: of the run.
        path: file of the table.
        differs: whether a replay came to another table than the run in the folder.
    """

    table: dict[str, Any]
    manifest: RunManifest
    path: Path
    differs: bool


def evaluate(asked: Asked, means: Means) -> Results:
    """Computes what is missing in the folder, and the table of all.

    Raises:
        InputError: something asked for cannot be; another evaluation is writing to the folder, or it is
            another run's.
        BudgetExceeded: the estimate, or what is spent, would pass the limit.
        ProviderError: the model service failed.
    """
    prices = {
        name: price_of(name, means.price_in, means.price_out, asked.base_url)
        for name in asked.services or (asked.model,)
    }
    _refuse_early(asked)
    with console.busy("reading records"):
        cohort = read_cohort(asked.records, asked.format, asked.system)
        guarded = is_credentialed(asked.credentialed, cohort.source, cohort.n_patients)
        asked = asked._replace(credentialed=guarded)
        mapped = to_vocabulary(cohort, asked.vocabulary)
        people = read_people(asked.records, cohort)
    if mapped.losses:
        console.err.print(f"[yellow]notice[/] {console.plain(mapped.told)}")
    if guarded:
        console.err.print(f"[yellow]notice[/] {_CREDENTIALED}")
    with _alone(asked.out):
        return _Evaluation(asked, means, prices, mapped.cohort, people).run()


def _refuse_early(asked: Asked) -> None:
    """Refuses what cannot be before any record is read."""
    if asked.replay and not asked.asks_a_service:
        raise InputError("replay", "the statistical model needs none; leave it out")
    if of_graph(asked.methods):
        require_admissible(asked.agents)
    if PEERS.keys() & set(asked.methods):
        peer_python()
        if asked.split == "loo":
            raise InputError("methods", "leave-one-out would train a network a patient; use another split")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder, which is made if missing, against a second evaluation."""
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.enter_context(writing(folder, wait_s=0.0))
        except OSError as error:
            raise InputError("out", f"cannot be written to ({error.strerror}); name another folder") from None
        except InputError:
            rule = "another evaluation is writing to it; wait until it is done, or name another folder"
            raise InputError("out", rule) from None
        yield


class _Evaluation:
    def __init__(
        self,
        asked: Asked,
        means: Means,
        prices: Mapping[str, Price],
        cohort: Cohort,
        people: Mapping[str, Person],
    ) -> None:
        self.asked, self.means, self.prices, self.cohort, self.people = asked, means, prices, cohort, people
        data = manifests.cohort_hash(cohort)
        self.folds = fold(cohort, asked, data)
        with console.busy("counting training patients"):
            self.manifest = _manifest(asked, cohort, data, store_hashes(self.folds))
        manifests.settle(self.manifest, asked.out)
        self.kept = _emptied(asked.out / _REPLAYED) if asked.replay else asked.out
        (self.kept / "outcomes").mkdir(exist_ok=True, mode=0o700)
        self.answers = (asked.out / "answers").absolute() if asked.asks_a_service else None
        self.ledgers = {
            (method, seed): Ledger(self.kept / "outcomes" / f"{method}-{seed}.jsonl")
            for method in asked.methods
            if method not in BASELINES
            for seed in self.manifest.seeds
        }
        columns = cohort.vocabulary.columns
        self.spelled = [f"{system}:{code}" for system, code in zip(columns.system, columns.code, strict=True)]

    def run(self) -> Results:
        self._compute()
        self._train_peers()
        with console.busy("measuring"):
            truth = table.true_answers(self.cohort, self.folds, self.people)
            results = table.build(*self._found(), truth)
        document = {**results, "manifest": self.manifest.model_dump(mode="json")}
        content = (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()
        earlier = self.asked.out / TABLE
        self._tell_fallback()
        differs = self.asked.replay and earlier.exists() and earlier.read_bytes() != content
        write_whole(self.kept / TABLE, content)
        return Results(document, self.manifest, self.kept / TABLE, differs)

    def _compute(self) -> None:
        missing = sum(
            len(rows) for method in of_graph(self.asked.methods) for _, rows in self._missing(method)
        )
        if not missing:
            return
        budget = self._budget()
        requests = self.means.in_flight if self.asked.asks_a_service else 1
        with (
            executors.opened(self.means.workers, self.means.scheduler, requests) as workers,
            showing.progress(missing, budget.spent_usd) as told,
        ):
            run(self._tasks(), compute, workers.executor, workers.in_flight, budget, told)

    def _tell_fallback(self) -> None:
        found = [one for ledger in self.ledgers.values() for one in ledger.outcomes().values()]
        n_fell_back = sum(outcome.fell_back for outcome in found)
        if n_fell_back:
            said = f"of {counted(len(found), 'outcome')} {n_fell_back:,} rest on answers of the fallback too"
            console.err.print(f"[yellow]notice[/] {said}")

    def _train_peers(self) -> None:
        for method in (each for each in self.asked.methods if each in PEERS):
            missing = sum(len(rows) for _, rows in self._missing(method))
            with showing.progress(missing, 0.0) as told:
                ledgers = {one.seed: self.ledgers[method, one.seed] for one in self.folds}
                peers.train_missing(method, self.folds, ledgers, told)

    def _budget(self) -> Budget:
        """What is spent, after a word on what will be; refuses to start what would pass the limit."""
        if self.answers is None or self.asked.replay:
            return Budget()
        paid = StoredAnswers(self.answers).paid()
        spent = total_usd(self.prices, {name: paid[name] for name in paid if name in self.prices})
        estimates = [self._estimate(method) for method in of_graph(self.asked.methods)]
        expected = estimate.together([each for each in estimates if each.patients])
        console.err.print(console.plain(estimate.told(expected, self.prices)))
        limit = self.means.max_cost_usd
        if limit is not None and spent + expected.usd > limit:
            raise BudgetExceeded("model cost estimated for the whole run, USD", spent + expected.usd, limit)
        return Budget(limit, spent, expected.dearest_usd)

    def _estimate(self, method: str) -> estimate.Estimate:
        n_patients = sum(len(rows) for _, rows in self._missing(method))
        if not n_patients:
            return estimate.Estimate()
        works = (self._work(method, one, [row]) for one, rows in self._missing(method) for row in rows)
        with console.busy("rehearsing"):
            rehearsed = list(islice(works, estimate.REHEARSED))
            return estimate.rehearse(rehearsed, n_patients, self.means.in_flight)

    def _missing(self, method: str) -> Iterator[tuple[Fold, list[int]]]:
        for one in self.folds:
            rows = self.ledgers[method, one.seed].rows
            yield one, [row for row in one.test.tolist() if row not in rows]

    def _tasks(self) -> Iterator[Task[Work]]:
        alone = self.means.workers == 1 and self.means.scheduler is None
        for method in of_graph(self.asked.methods):
            for one, missing in self._missing(method):
                ledger, rows = self.ledgers[method, one.seed], iter(missing)
                while chunk := list(islice(rows, 1 if alone or self.asked.asks_a_service else _CHUNK)):
                    yield Task(ledger, len(chunk), self._work(method, one, chunk))

    def _work(self, method: str, one: Fold, rows: Sequence[int]) -> Work:
        settings = {
            **self.asked.settings,
            **switches(method),
            "store": str(one.store.absolute()),
            "seed": one.seed,
        }
        cases = tuple(Case(row, self._history(one, row)) for row in rows)
        return Work(settings, cases, self.answers, self.asked.replay, self.prices)

    def _history(self, one: Fold, row: int) -> list[list[str]]:
        """The patient's visits with a code, but the last of all."""
        place = one.test.searchsorted(row)
        visits = one.examples.history[int(place)]
        return [[self.spelled[column] for column in visit] for visit in visits if visit]

    def _found(self) -> tuple[table.Answers, table.GraphsOf]:
        """Rankings of every method, and the accepted graphs of those that make some; one of each a seed."""
        baselines = [method for method in self.asked.methods if method in BASELINES]
        fitted = [table.of_baselines(one, baselines) for one in self.folds] if baselines else []
        found = {method: table.by_seed(self.folds, [each[method] for each in fitted]) for method in baselines}
        graphs = {}
        for method in (each for each in self.asked.methods if each not in BASELINES):
            outcomes = {seed: self.ledgers[method, seed].outcomes() for seed in self.manifest.seeds}
            pairs = [(one, outcomes[one.seed]) for one in self.folds]
            found[method] = table.by_seed(self.folds, [table.of_outcomes(*pair) for pair in pairs])
            made = table.graphs_by_seed(self.folds, [table.graphs_of(*pair) for pair in pairs])
            if has_graphs(made):
                graphs[method] = made
        return found, graphs


def _manifest(asked: Asked, cohort: Cohort, data: str, stores: dict[int, str]) -> RunManifest:
    from graph.context import PROMPTS, DiagnosisContext
    from tools.resources import open_shelf

    settings = DiagnosisContext(**asked.settings).model_dump_json(exclude=_OF_NO_NUMBER)
    shelf = open_shelf(asked.libraries)
    return RunManifest(
        data=data,
        format=cohort.source,
        credentialed=bool(asked.credentialed),
        split=asked.split,
        vocabulary=asked.vocabulary,
        model=asked.model,
        roles=_roles(asked),
        settings=sha256(settings.encode()).hexdigest(),
        prompts={name: sha256(prompts.load(name).model_dump_json().encode()).hexdigest() for name in PROMPTS},
        libraries=tuple(
            LibraryRecord(title=one.title, version=one.version, retrieval=one.retrieval)
            for one in shelf.libraries
        ),
        versions=manifests.versions(),
        code=manifests.code_hash(*(ROOT / package for package in PACKAGES if package != "app")),
        methods=asked.methods,
        seeds=tuple(sorted(stores)),
        limit=asked.limit,
        stores=stores,
    )


def _roles(asked: Asked) -> dict[str, str]:
    """Models other than that of every role, by role; and the fallback."""
    agents = asked.agents
    named = {role: agents.model_of(role) for role in ROLES.values()}
    others = {role: name for role, name in named.items() if name != asked.model}
    return others | ({"fallback": agents.fallback_model} if agents.fallback_model else {})


def _emptied(folder: Path) -> Path:
    """A folder of ours, as new."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return folder
