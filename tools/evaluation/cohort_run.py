"""Many patients through one computation: so many at a time, each kept as it comes, within a budget."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Generic, NamedTuple, TypeVar

from tools.evaluation.ledger import Ledger, Outcome
from tools.safety.errors import BudgetExceeded, InputError

W = TypeVar("W")


class Task(NamedTuple, Generic[W]):
    """A few patients of one ledger.

    Attributes:
        ledger: that their outcomes are added to.
        n_patients: how many.
        work: what is computed.
    """

    ledger: Ledger
    n_patients: int
    work: W


class Budget:
    """Keeps what is spent below a limit: no patient is started who could pass it.

    A patient not yet finished is taken to cost as much as the dearest so far.

    Args:
        limit_usd: in all; None for no limit.
        spent_usd: so far.
        dearest_usd: a first guess of what the dearest patient costs.
    """

    def __init__(
        self, limit_usd: float | None = None, spent_usd: float = 0.0, dearest_usd: float = 0.0
    ) -> None:
        self.limit_usd, self.spent_usd, self.dearest_usd = limit_usd, spent_usd, dearest_usd

    def admits(self, n_patients: int) -> bool:
        """Whether so many unfinished patients fit in."""
        return self.limit_usd is None or self.expected(n_patients) <= self.limit_usd

    def expected(self, n_patients: int) -> float:
        """What will have been spent when so many unfinished patients are finished, USD."""
        return self.spent_usd + n_patients * self.dearest_usd

    def spend(self, cost_usd: float) -> None:
        """Books a finished patient."""
        self.spent_usd += cost_usd
        self.dearest_usd = max(self.dearest_usd, cost_usd)


def run(
    tasks: Iterable[Task[W]],
    compute: Callable[[W], Sequence[Outcome]],
    executor: Executor,
    in_flight: int,
    budget: Budget | None = None,
    progress: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
) -> None:
    """Computes tasks and adds their outcomes to their ledgers as they come.

    When anything ends the run early, an interrupt too, no further task is started, those in flight are
    finished and kept, and what ended the run is raised.

    Args:
        tasks: taken one by one as there is room, so they may be made on the way.
        compute: runs in the executor.
        executor: threads, processes, or a cluster's.
        in_flight: tasks at one time, 1 or more.
        budget: what may be spent; nothing is counted without one.
        progress: told of outcomes when they have been kept.

    Raises:
        BudgetExceeded: another patient could pass the limit.
        InputError: a worker was lost.
    """
    _Run(compute, executor, in_flight, budget or Budget(), progress).all(tasks)


class _Run(Generic[W]):
    def __init__(
        self,
        compute: Callable[[W], Sequence[Outcome]],
        executor: Executor,
        in_flight: int,
        budget: Budget,
        progress: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self.compute, self.executor, self.in_flight = compute, executor, in_flight
        self.budget, self.progress = budget, progress
        self.pending: dict[Future[Sequence[Outcome]], Task[W]] = {}

    def all(self, tasks: Iterable[Task[W]]) -> None:
        try:
            for task in tasks:
                while len(self.pending) >= self.in_flight or (self.pending and not self._fits(task)):
                    self._await_one()
                if not self._fits(task):
                    raise BudgetExceeded("model cost, USD", self.budget.spent_usd, self._limit())
                self.pending[self.executor.submit(self.compute, task.work)] = task
            while self.pending:
                self._await_one()
        except BrokenExecutor:
            rule = "one was lost, for want of memory perhaps; start again with fewer, it goes on from here"
            raise InputError("workers", rule) from None
        finally:
            self._finish()

    def _fits(self, task: Task[W]) -> bool:
        return self.budget.admits(sum(t.n_patients for t in self.pending.values()) + task.n_patients)

    def _limit(self) -> float:
        return self.budget.limit_usd or 0.0

    def _await_one(self) -> None:
        done, _ = wait(self.pending, return_when=FIRST_COMPLETED)
        for future in done:
            self._keep(self.pending.pop(future), future.result())

    def _finish(self) -> None:
        """Keeps what is still computed; what has not begun is left, what fails is left to the next run."""
        for future in list(self.pending):
            if not future.cancel() and future.exception() is None:
                self._keep(self.pending[future], future.result())
            del self.pending[future]

    def _keep(self, task: Task[W], outcomes: Sequence[Outcome]) -> None:
        task.ledger.append(outcomes)
        for outcome in outcomes:
            self.budget.spend(outcome.cost_usd)
        self.progress(outcomes)
