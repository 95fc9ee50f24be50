"""The command `iikea evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app import auditing, console
from app.console import errors_as_exit_codes
from app.options import (
    AnswersAs,
    BaseUrl,
    Codes,
    Credentialed,
    DeciderModel,
    FallbackModel,
    Format,
    Json,
    Libraries,
    LocalOnly,
    PriceIn,
    PriceOut,
    ReaderModel,
    ReasonerModel,
    System,
)
from tools.safety.tracing import admit_tracing

if TYPE_CHECKING:
    from app.evaluation.asked import Asked
    from app.evaluation.running import Means

_INTERRUPTED = 130
_GOES_ON = "stopped; what was computed is kept. The same command goes on from here"

Records = Annotated[Path, typer.Option("--records", help="File or folder of records.")]
Split = Annotated[
    Literal["80-20", "paper", "loo"],
    typer.Option(
        help="By patient, those with two visits or more: `80-20`; `paper`, II-KEA's sizes; `loo`, one out."
    ),
]
Methods = Annotated[
    str | None,
    typer.Option(
        "--methods",
        metavar="A,B,...",
        help="Rows of the table: frequency, history_frequency, transition_sum, transition_noisy_or, "
        "history_transition, linear, default, without_causal, without_knowledge; score_NAME, graphs accepted "
        "by another score; all of these; retain, transformer (neural peers, see .env.example). Left out: "
        "all but the scores and the peers.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="`statistical` (no key, no network), or provider:model such as openai:gpt-4o-mini, whose cost "
        "is estimated first. It is asked in every role without a model of its own.",
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Test patients a split at most.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=100, help="Splits, of seeds 0, 1, 2 ...")]
Out = Annotated[
    Path,
    typer.Option("--out", help="Folder of all that is kept: outcomes, training stores, answers, the table."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers, on the same disk, compute instead. Needs the extra `cluster`.",
    ),
]
InFlight = Annotated[
    int,
    typer.Option(
        "--in-flight",
        min=1,
        max=256,
        help="Patients at a time that a service is asked about, each host by IIKEA_MAX_IN_FLIGHT requests.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, metavar="USD", help="Of the model, all runs of the folder together."),
]
Replay = Annotated[
    bool, typer.Option("--replay", help="Compute again from the stored answers, asking no model.")
]
Subgroups = Annotated[
    bool,
    typer.Option(
        "--subgroups",
        help="Show also how `default` does by age, sex and number of visits, as far as the records tell; "
        "without it the last method of the graph, or the last baseline. In --json it is always, for all.",
    ),
]


def evaluate(
    records: Records,
    format: Format = None,  # noqa: A002
    system: System = None,
    split: Split = "80-20",
    vocabulary: Codes = "full",
    methods: Methods = None,
    model: Model = "statistical",
    base_url: BaseUrl = "",
    local_only: LocalOnly = False,
    reader_model: ReaderModel = "",
    reasoner_model: ReasonerModel = "",
    decider_model: DeciderModel = "",
    fallback_model: FallbackModel = "",
    credentialed: Credentialed = None,
    answers_as: AnswersAs = "tool",
    library: Libraries = None,
    limit: Limit = None,
    seeds: Seeds = 1,
    out: Out = Path("evaluation-run"),
    workers: Workers = 1,
    scheduler: Scheduler = None,
    in_flight: InFlight = 8,
    max_cost: MaxCost = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    replay: Replay = False,
    subgroups: Subgroups = False,
    as_json: Json = False,
) -> None:
    """Predict the last visit of test patients from their earlier ones, by several methods, and compare.

    Every patient's outcome is kept in --out as it comes, and so is every answer of a language model: a run
    that was stopped, even killed, goes on with the same command and pays nothing twice.

    More methods, seeds or patients may be asked for later. Other data, another model or other code need
    another folder; the folder `answers` may be copied into it.
    """
    roles = {"reader_model": reader_model, "reasoner_model": reasoner_model, "decider_model": decider_model}
    with errors_as_exit_codes(as_json):
        admit_tracing()
        from app.evaluation.asked import Asked, parse_methods
        from app.evaluation.running import Means

        asked = Asked(
            records=records,
            format=format,
            system=system,
            split=split,
            vocabulary=vocabulary,
            methods=parse_methods(methods),
            n_seeds=seeds,
            limit=limit,
            out=out,
            model=model,
            other_models=roles | {"fallback_model": fallback_model},
            answer_form=answers_as,
            libraries=tuple(str(folder) for folder in library or ()),
            replay=replay,
            base_url=base_url,
            local_only=local_only,
            credentialed=credentialed,
        )
        asked_for = {"split": split, "vocabulary": vocabulary, "methods": list(asked.methods), "seeds": seeds}
        auditing.record_command("evaluate", records, model=model, **asked_for)
        means = Means(workers, scheduler, in_flight, max_cost, price_in, price_out)
        try:
            _run(asked, means, subgroups, as_json)
        except KeyboardInterrupt:
            console.err.print(_GOES_ON)
            raise SystemExit(_INTERRUPTED) from None


def _run(asked: "Asked", means: "Means", subgroups: bool, as_json: bool) -> None:
    from app.evaluation import showing
    from app.evaluation.running import evaluate as evaluated

    results = evaluated(asked, means)
    if as_json:
        console.print_json(results.table)
    else:
        showing.show(results.table, results.manifest)
        if subgroups:
            showing.show_subgroups(results.table, results.manifest)
        console.out.print(
            f"Kept in {console.plain(str(results.path.parent))}: the table is {results.path.name}."
        )
    if results.differs:
        console.err.print("[yellow]notice[/] the replay's table is another than the run's")
