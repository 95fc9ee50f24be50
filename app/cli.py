"""The command line, `iikea`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from app import commands, fitting
from app.answering import Answers
from app.asking import Asked, Labels
from app.auditing import audit
from app.console import errors_as_exit_codes
from app.evaluating import evaluate
from app.knowledge import knowledge
from app.options import (
    AnswersAs,
    BaseUrl,
    Codes,
    CommentChecked,
    Credentialed,
    Csv,
    DeciderModel,
    DryRun,
    FallbackModel,
    Fhir,
    Format,
    History,
    Json,
    LabelsFile,
    Libraries,
    LocalOnly,
    MaxCalls,
    MaxIterations,
    MaxSeconds,
    MaxTokens,
    MaxUsd,
    Model,
    PredictionTime,
    PriceIn,
    PriceOut,
    ReaderModel,
    ReasonerModel,
    Record,
    Replay,
    Report,
    Resamples,
    Results,
    Score,
    Seed,
    Subject,
    SubjectId,
    System,
    Visits,
    WithoutCausal,
    WithoutKnowledge,
)

app = typer.Typer(
    name="iikea",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Causal reasoning over health records by agents that show their work.\n\n"
    "Start with [bold]iikea demo[/]. With your own records: [bold]iikea records check[/], "
    "[bold]iikea records fit[/], then [bold]iikea predict[/]. With your own documents: "
    "[bold]iikea knowledge add[/].\n\n"
    "Exit codes: 0 done, 1 audit log, 2 bad input, 3 model service, 4 budget.",
)
records = typer.Typer(no_args_is_help=True, help="Look at records, and fit a data set from them.")
app.add_typer(records, name="records")
app.add_typer(knowledge, name="knowledge")
app.add_typer(audit, name="audit")
app.command()(evaluate)

Records = Annotated[Path, typer.Argument(help="File or folder of records.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the HTML report; made if missing.")] = Path(
        "demo-report"
    ),
    model: Model = "statistical",
    base_url: BaseUrl = "",
    local_only: LocalOnly = False,
    as_json: Json = False,
) -> None:
    """Predict the next diagnoses of a simulated patient, and write the report."""
    with errors_as_exit_codes(as_json):
        commands.demo(out, {"model": model, "base_url": base_url, "local_only": local_only}, as_json)


@records.command("check")
def check(path: Records, format: Format = None, system: System = None, as_json: Json = False) -> None:  # noqa: A002
    """Say what records hold: patients, visits, code systems, share of codes named, faults by row."""
    with errors_as_exit_codes(as_json):
        commands.check(path, format, system, as_json)


@records.command("convert")
def convert(
    path: Records,
    out: Annotated[Path, typer.Option("--out", help="Folder to make, in the layout of MEDS 0.4.")],
    format: Format = None,  # noqa: A002
    system: System = None,
    as_json: Json = False,
) -> None:
    """Write the diagnoses of any records as MEDS; a notice says what MEDS cannot hold."""
    with errors_as_exit_codes(as_json):
        commands.convert(path, out, format, system, as_json)


@records.command("simulate")
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made if missing.")],
    patients: Annotated[int, typer.Option("--patients", help="How many.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Of the random numbers.")] = 7,
    frailty: Annotated[
        float, typer.Option("--frailty", help="Variance of what makes some patients ill more often.")
    ] = 0.25,
    format: Annotated[  # noqa: A002
        Literal["csv", "meds"], typer.Option("--format", help="What the records are written as.")
    ] = "csv",
    as_json: Json = False,
) -> None:
    """Write records of invented patients, and the causal graph that they were drawn from.

    The records are a long CSV table (patient, time, code, system), or MEDS 0.4. The same numbers give
    the same bytes.
    """
    with errors_as_exit_codes(as_json):
        commands.simulate(out, patients, seed, frailty, format, as_json)


@records.command("fit")
def fit(
    path: Records,
    store: Annotated[Path, typer.Option("--store", help="Folder to write the data set to.")],
    format: Format = None,  # noqa: A002
    system: System = None,
    vocabulary: Codes = "full",
    workers: Annotated[
        int,
        typer.Option("--workers", min=1, help="Processes that count parquet shards; more than 1 need Dask."),
    ] = 1,
    credentialed: Credentialed = None,
    as_json: Json = False,
) -> None:
    """Count transitions and diagnoses of all patients into a store that predictions use.

    Shards of a folder of parquet files are read one by one, in memory that does not grow with their number;
    all visits of a patient must be in one of them. A run that was interrupted goes on where it stopped.

    Where codes are mapped to another vocabulary, a table says how many had one target, several or none;
    predictions from the store are in that vocabulary, histories too.
    """
    with errors_as_exit_codes(as_json):
        fitting.fit(path, store, format, system, vocabulary, workers, credentialed, as_json)


@records.command("merge")
def merge(
    stores: Annotated[
        list[Path], typer.Argument(metavar="STORE...", help="Data sets to join, in this order.")
    ],
    store: Annotated[Path, typer.Option("--store", help="Folder to write the joint data set to.")],
    as_json: Json = False,
) -> None:
    """Join data sets of several sites or shards into one, as if all patients had been counted together.

    Nobody may be in two of the data sets: they hold no patient ids, so that this cannot be checked. A data
    set holds each patient's visits as codes, without ids or dates: guard it as you guard the records.
    """
    with errors_as_exit_codes(as_json):
        fitting.merge(stores, store, as_json)


@app.command()
def predict(
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Data set made by `records fit`. Left out: the demo cohort."),
    ] = None,
    patient: Annotated[str | None, typer.Option("--patient", help="Patient id in --records.")] = None,
    records: Annotated[Path | None, typer.Option("--records", help="Records that hold the patient.")] = None,
    credentialed: Credentialed = None,
    visits: Visits = None,
    history: History = None,
    comment: Annotated[str, typer.Option("--comment", help="What you want looked at first.")] = "",
    comment_checked: CommentChecked = False,
    library: Libraries = None,
    model: Model = "statistical",
    base_url: BaseUrl = "",
    local_only: LocalOnly = False,
    reader_model: ReaderModel = "",
    reasoner_model: ReasonerModel = "",
    decider_model: DeciderModel = "",
    fallback_model: FallbackModel = "",
    answers_as: AnswersAs = "tool",
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=100, help="Predictions.")] = 10,
    max_iterations: MaxIterations = 5,
    max_calls: MaxCalls = 60,
    max_tokens: MaxTokens = None,
    max_usd: MaxUsd = None,
    max_seconds: MaxSeconds = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    score: Score = "noisy_or_bic",
    resamples: Resamples = 20,
    without_knowledge: WithoutKnowledge = False,
    without_causal: WithoutCausal = False,
    seed: Seed = 0,
    format: Format = None,  # noqa: A002
    system: System = None,
    report: Report = None,
    fhir: Fhir = None,
    subject: Subject = None,
    csv: Csv = None,
    labels: LabelsFile = None,
    subject_id: SubjectId = None,
    prediction_time: PredictionTime = None,
    results: Results = None,
    dry_run: DryRun = False,
    record: Record = None,
    replay: Replay = None,
    as_json: Json = False,
) -> None:
    """Predict a patient's next diagnoses, with the causal graph, reasons and sources behind them."""
    roles = {"reader_model": reader_model, "reasoner_model": reasoner_model, "decider_model": decider_model}
    models = {"model": model, "fallback_model": fallback_model}
    where = {"base_url": base_url, "local_only": local_only}
    limits = {"max_iterations": max_iterations, "max_calls": max_calls, "max_tokens": max_tokens}
    prices = {"max_usd": max_usd, "max_seconds": max_seconds, "price_in": price_in, "price_out": price_out}
    how = {"answer_form": answers_as, "top_k": top_k, "seed": seed}
    graphs = {"score": score, "resamples": resamples}
    left_out = {"without_knowledge": without_knowledge, "without_causal": without_causal}
    data = {"store": str(store or ""), "libraries": [str(folder) for folder in library or ()]}
    settings = {**models, **where, **roles, **data, **how, **graphs, **limits, **prices, **left_out}
    with errors_as_exit_codes(as_json):
        asked = Asked(history, patient, records, format, system, visits, credentialed)
        kept = commands.Kept(report, results, fhir, subject, csv, Labels(labels, subject_id, prediction_time))
        answers = Answers(record, replay, dry_run)
        noted = commands.Comment(comment, comment_checked)
        commands.predict(asked, noted, settings, kept, answers, as_json)


@app.command()
def doctor(
    model: Model = "statistical",
    base_url: BaseUrl = "",
    local_only: LocalOnly = False,
    reader_model: ReaderModel = "",
    reasoner_model: ReasonerModel = "",
    decider_model: DeciderModel = "",
    fallback_model: FallbackModel = "",
    store: Annotated[
        Path | None, typer.Option("--store", help="Data set whose patients the model would be asked about.")
    ] = None,
    library: Libraries = None,
    as_json: Json = False,
) -> None:
    """Say what is installed, what is missing, who would be asked, and the command that mends it."""
    settings = {
        "model": model,
        "reader_model": reader_model,
        "reasoner_model": reasoner_model,
        "decider_model": decider_model,
        "fallback_model": fallback_model,
        "base_url": base_url,
        "local_only": local_only,
        "store": str(store or ""),
        "libraries": [str(folder) for folder in library or ()],
    }
    with errors_as_exit_codes(as_json):
        commands.doctor(settings, as_json)
