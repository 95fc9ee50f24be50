"""Where a command takes the answers of its models from: their services, stored answers, or nobody."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools.safety.errors import InputError

if TYPE_CHECKING:
    from agents.recording import StoredAnswers


class Answers(NamedTuple):
    """What the options say.

    Attributes:
        record: folder that answers are kept in, and taken from where it has them.
        replay: folder that every answer is taken from.
        dry_run: whether nobody is asked and nothing is predicted.
    """

    record: Path | None = None
    replay: Path | None = None
    dry_run: bool = False

    def require_one(self) -> None:
        """Check before the work that the options go together.

        Raises:
            InputError: more than one is given, or the folder to replay is not there.
        """
        if sum(map(bool, self)) > 1:
            raise InputError("record", "give one of --record, --replay and --dry-run")
        if self.replay and not self.replay.is_dir():
            raise InputError("replay", "no such folder; --record makes one")

    @property
    def stored(self) -> "StoredAnswers | None":
        """The stored answers to go through; None where services are asked directly."""
        from agents.recording import StoredAnswers

        folder = self.replay or self.record
        return StoredAnswers(folder, replay=self.replay is not None) if folder else None
