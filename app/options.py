"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_MODEL = "Model"
_BUDGET = "Budget, and answers kept"
_METHOD = "Method"
_WRITTEN = "What is written"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="mimic3, mimic4, meds, omop, fhir, csv, diabetes130 or parquet. Guessed when left out.",
    ),
]
System = Annotated[
    str | None,
    typer.Option(
        "--system", help="Code system of csv or parquet without that column, or of omop: ICD9CM or ICD10CM."
    ),
]
Codes = Annotated[
    Literal["full", "category", "ccs", "icd9"],
    typer.Option(
        "--vocabulary",
        help="`full` codes; their three-character `category`; groups (`ccs`: CCS of ICD-9-CM, CCSR of "
        "ICD-10-CM); `icd9`: ICD-10-CM mapped to ICD-9-CM by GEM, all targets kept.",
    ),
]
Fhir = Annotated[
    Path | None,
    typer.Option(
        "--fhir",
        help="Write a FHIR R4B Bundle: a RiskAssessment and its Provenance.",
        rich_help_panel=_WRITTEN,
    ),
]
Subject = Annotated[
    str | None,
    typer.Option(
        "--subject",
        help="Whose the RiskAssessment is: Patient/ID. Left out: not named.",
        rich_help_panel=_WRITTEN,
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--csv", help="Write the predictions as a table for spreadsheets.", rich_help_panel=_WRITTEN
    ),
]
LabelsFile = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="Write the predictions as MEDS labels (parquet), a row a predicted code.",
        rich_help_panel=_WRITTEN,
    ),
]
SubjectId = Annotated[
    int | None,
    typer.Option(
        "--subject-id",
        metavar="NUMBER",
        show_default=False,
        help="Whose the labels are. Left out: the patient's id, if it is a whole number.",
        rich_help_panel=_WRITTEN,
    ),
]
PredictionTime = Annotated[
    str | None,
    typer.Option(
        "--prediction-time",
        metavar="ISO",
        help="When the labels are of, UTC unless it says otherwise. Left out: the last visit that was used.",
        rich_help_panel=_WRITTEN,
    ),
]
Libraries = Annotated[
    list[Path] | None,
    typer.Option(
        "--library",
        envvar="IIKEA_LIBRARY",
        help="Folder of a library; several, the most trusted first. Left out: the demo library.",
    ),
]
BaseUrl = Annotated[
    str,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="OpenAI-compatible server (Ollama, vLLM, llama.cpp, LM Studio) of models openai:NAME, on this "
        "machine or a host of IIKEA_MODEL_HOSTS. Left out: OPENAI_BASE_URL, else OpenAI.",
        rich_help_panel=_MODEL,
    ),
]
AnswersAs = Annotated[
    Literal["tool", "json_schema", "json_object", "text"],
    typer.Option(
        "--answers-as",
        help="How models answer: calling a `tool`; held by their service to a `json_schema` or to JSON "
        "(`json_object`); as `text`. `iikea doctor --model NAME` tells which of them a model knows.",
        rich_help_panel=_MODEL,
    ),
]
LocalOnly = Annotated[
    bool,
    typer.Option(
        "--local-only",
        help="Ask models and embeddings on this machine or hosts of IIKEA_MODEL_HOSTS only; "
        "IIKEA_LOCAL_ONLY=1 and credentialed records mean it always.",
        rich_help_panel=_MODEL,
    ),
]
Credentialed = Annotated[
    bool | None,
    typer.Option(
        "--credentialed/--no-credentialed",
        help="Whether third parties must not see the records: then only models near may be asked. Left "
        "out: guessed, yes for MIMIC-III and MIMIC-IV larger than their demos.",
    ),
]
Visits = Annotated[int | None, typer.Option("--visits", min=1, help="Use only the patient's first N visits.")]
History = Annotated[
    str | None,
    typer.Option("--history", help='Codes by visit, oldest first: "250.00 401.9; 428.0".'),
]
CommentChecked = Annotated[
    bool,
    typer.Option(
        "--comment-checked",
        help="You have looked at the comment: it may go out, though it holds a date or a number.",
    ),
]
ReaderModel = Annotated[
    str,
    typer.Option(
        "--reader-model",
        metavar="MODEL",
        help="Writes the query and reads, instead of --model.",
        rich_help_panel=_MODEL,
    ),
]
ReasonerModel = Annotated[
    str,
    typer.Option(
        "--reasoner-model",
        metavar="MODEL",
        help="Proposes and amends the graph, instead of --model.",
        rich_help_panel=_MODEL,
    ),
]
DeciderModel = Annotated[
    str,
    typer.Option(
        "--decider-model",
        metavar="MODEL",
        help="Makes the predictions, instead of --model.",
        rich_help_panel=_MODEL,
    ),
]
FallbackModel = Annotated[
    str,
    typer.Option(
        "--fallback-model",
        metavar="MODEL",
        help="Asked where the service of another stays away; the result says so.",
        rich_help_panel=_MODEL,
    ),
]
Score = Annotated[
    str,
    typer.Option(
        "--score",
        metavar="NAME",
        help="What graphs are accepted by: noisy_or_bic, logistic_bic, auto, heldout, bic, aic, bdeu, k2 "
        "or loglik, by which no edge can lose.",
        rich_help_panel=_METHOD,
    ),
]
Resamples = Annotated[
    int,
    typer.Option(
        "--resamples",
        min=0,
        max=200,
        help="Random halves of the patients behind each edge's confidence; 0: none.",
        rich_help_panel=_METHOD,
    ),
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results",
        envvar="IIKEA_RESULTS",
        help="Keep the result as JSON in this folder.",
        rich_help_panel=_WRITTEN,
    ),
]
Seed = Annotated[
    int,
    typer.Option(min=0, help="Of the resamples, and for models that take a seed.", rich_help_panel=_METHOD),
]
WithoutKnowledge = Annotated[
    bool, typer.Option("--without-knowledge", help="Ablation: read nothing.", rich_help_panel=_METHOD)
]
WithoutCausal = Annotated[
    bool, typer.Option("--without-causal", help="Ablation: no causal graph.", rich_help_panel=_METHOD)
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write a self-contained HTML report.", rich_help_panel=_WRITTEN),
]
PriceIn = Annotated[
    float | None,
    typer.Option(
        "--price-in",
        min=0,
        metavar="USD",
        help="A million tokens that the model reads.",
        rich_help_panel=_BUDGET,
    ),
]
PriceOut = Annotated[
    float | None,
    typer.Option(
        "--price-out", min=0, metavar="USD", help="A million tokens that it writes.", rich_help_panel=_BUDGET
    ),
]
MaxCalls = Annotated[
    int, typer.Option("--max-calls", min=1, help="Model requests at most.", rich_help_panel=_BUDGET)
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        min=1,
        metavar="N",
        help="Tokens of model services at most, both ways.",
        rich_help_panel=_BUDGET,
    ),
]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        "--max-usd",
        min=0,
        metavar="USD",
        help="Cost of model services at most, by list prices or --price-in and --price-out.",
        rich_help_panel=_BUDGET,
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option("--max-seconds", metavar="S", help="Time that the run may work.", rich_help_panel=_BUDGET),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Ask nobody: show the first prompts, and about how much would be asked and cost.",
        rich_help_panel=_BUDGET,
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="DIR",
        help="Keep every model answer there; ask for none that it has.",
        rich_help_panel=_BUDGET,
    ),
]
Replay = Annotated[
    Path | None,
    typer.Option(
        "--replay",
        metavar="DIR",
        help="Take every model answer from there; ask nobody.",
        rich_help_panel=_BUDGET,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="`statistical` (no key, no network), or provider:model such as openai:gpt-4o-mini. "
        "Keys come from the environment alone, such as OPENAI_API_KEY.",
        rich_help_panel=_MODEL,
    ),
]
MaxIterations = Annotated[
    int,
    typer.Option(
        "--max-iterations", min=0, max=50, help="Amendments of the graph at most.", rich_help_panel=_METHOD
    ),
]
