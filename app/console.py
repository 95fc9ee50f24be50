"""How the command line speaks: tables for people, JSON for machines, errors as exit codes."""

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tools.reporting.words import printable
from tools.safety.errors import BudgetExceeded, IikeaError, InputError, ProviderError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:  # noqa: ANN401
    """One JSON document on standard output: keys sorted, ASCII only, the same bytes in any locale."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")


def busy(what: str) -> AbstractContextManager[object]:
    """Says what is being done while a block runs, where standard error is a terminal."""
    return err.status(what) if err.is_terminal else nullcontext()


def can_ask() -> bool:
    """Whether a person at a terminal can be asked."""
    return sys.stdin.isatty() and err.is_terminal


@contextmanager
def errors_as_exit_codes(as_json: bool) -> Iterator[None]:
    """Prints a foreseen error and ends the process with its exit code; other errors pass.

    Exit codes: 2 bad input, 3 model service, 4 budget, 1 anything else foreseen.
    """
    try:
        yield
    except IikeaError as error:
        if as_json:
            print_json({"error": describe(error)})
        else:
            err.print(f"[bold red]error[/] {escape(str(error))}")
            if isinstance(error, InputError) and error.faults:
                err.print(fault_table(error))
        raise typer.Exit(error.exit_code) from None


def describe(error: IikeaError) -> dict[str, Any]:
    """An error as JSON."""
    described: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, InputError):
        described |= {"field": error.field, "rule": error.rule, "row": error.row}
        described["faults"] = [fault._asdict() for fault in error.faults]
    if isinstance(error, ProviderError):
        described |= {"status": error.status, "retry_after_s": error.retry_after_s}
    if isinstance(error, BudgetExceeded):
        described |= {"budget": error.kind, "used": error.used, "limit": error.limit}
    return described


def fault_table(error: InputError) -> Table:
    """The faults of an input as a table of row, column and rule."""
    table = Table("row", "column", "rule", title=f"first {len(error.faults)} faults", title_justify="left")
    for fault in error.faults:
        table.add_row(str(fault.row), escape(fault.column), escape(fault.rule))
    return table


def plain(text: str) -> str:
    """Untrusted text for a terminal: no control characters, no markup."""
    return escape(printable(text))
