"""What a causal graph may hold, by what people and time say."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from tools.causal.tables import MAX_PARENTS
from tools.safety.errors import InputError


@dataclass(frozen=True)
class Constraints:
    """What a search may do.

    Attributes:
        tiers: a node's rank in time; where time itself is undecided, no edge runs to a lower tier.
        required: edges that stay (a person pinned them).
        forbidden: edges that never enter.
        max_parents: most direct causes of a node.
        max_edges: most edges in all, None for no limit.
    """

    tiers: Mapping[str, int] | None = None
    required: tuple[tuple[str, str], ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()
    max_parents: int = 5
    max_edges: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_parents <= MAX_PARENTS:
            raise InputError("max_parents", f"1 to {MAX_PARENTS}")
        if set(self.required) & set(self.forbidden):
            raise InputError("constraints", "an edge is both required and forbidden; drop one")

    @property
    def key(self) -> Hashable:
        """Equal for equal constraints."""
        tiers = None if self.tiers is None else tuple(sorted(self.tiers.items()))
        return tiers, self.required, self.forbidden, self.max_parents, self.max_edges


UNCONSTRAINED = Constraints()
