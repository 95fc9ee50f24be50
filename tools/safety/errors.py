"""The few typed errors of the application.

Messages name the thing, the rule and the next step, and never a patient's data or raw model text.
"""

from typing import ClassVar, NamedTuple


class Fault(NamedTuple):
    """One place where the input breaks a rule; the offending value is never kept."""

    row: int
    column: str
    rule: str


class IikeaError(RuntimeError):
    """Any failure the application foresees. `exit_code` is what a command line ends with.

    A RuntimeError, because the LangGraph server shows its clients the message of built-in types only.
    """

    exit_code: ClassVar[int] = 1


class InputError(IikeaError):
    """What the caller gave cannot be used.

    Args:
        field: the argument, file or column at fault.
        rule: the rule it breaks, with the next step.
        row: 1-based line of the file, where there is one.
        faults: every place found (capped by the reader), for tables.
    """

    exit_code = 2

    def __init__(self, field: str, rule: str, row: int | None = None, faults: tuple[Fault, ...] = ()) -> None:
        place = field if row is None else f"{field}, row {row}"
        super().__init__(f"{place}: {rule}")
        self.field = field
        self.rule = rule
        self.row = row
        self.faults = faults


class ModelOutputError(IikeaError):
    """The model's answer stayed unusable after the allowed repairs."""

    exit_code = 3

    def __init__(self, prompt: str, problems: list[str]) -> None:
        super().__init__(f"prompt '{prompt}': no usable answer: {'; '.join(problems)}")
        self.prompt = prompt
        self.problems = problems


class ProviderError(IikeaError):
    """The model service failed or refused.

    Args:
        message: names the host or the setting to mend, never a key.
        status: HTTP status, None when no answer came.
        retry_after_s: what the service asked for, seconds.
        stayed_away: whether it gave no answer, or none but that it cannot now: another may be asked.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        stayed_away: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.stayed_away = stayed_away


class BudgetExceeded(IikeaError):
    """A limit the user set has been reached.

    Args:
        kind: of the budget.
        used: of it so far.
        limit: of it.
        setting: that raises it, where it has a name.
    """

    exit_code = 4

    def __init__(self, kind: str, used: float, limit: float, setting: str = "the limit") -> None:
        super().__init__(f"budget '{kind}' used up: {used:g} of {limit:g}; raise {setting} to go on")
        self.kind = kind
        self.used = used
        self.limit = limit


class EngineError(IikeaError):
    """A computation came to no result that can be used.

    Args:
        engine: what computed.
        diagnostic: what it came to, with the next step.
    """

    exit_code = 2

    def __init__(self, engine: str, diagnostic: str) -> None:
        super().__init__(f"{engine}: {diagnostic}")
        self.engine = engine
        self.diagnostic = diagnostic
