"""Which nodes run in processes of their own, and what such a process may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ..contract.errors import UnbraidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..graph.check import CheckedNode

__all__ = ["Isolation", "Policy"]

Policy: TypeAlias = Literal["asked", "third-party", "all"]

_OWN = "unbraid"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Isolation:
    """Who is isolated and within which limits.

    A node that says ``isolate: true`` always is. One that says ``isolate: false`` is not under "third-party",
    for whoever wrote the graph knows the node; under "all" there are no exceptions.

    Attributes:
        policy: "asked" isolates the nodes that say so, "third-party" also every node whose plugin is not
            Unbraid's own, "all" every node.
        seconds: longest time for one block; ten times as long for preparing, and for ending a pass, which
            load and learn. Whoever takes longer counts as hung, and is ended.
        memory: bytes that one process may hold, without pages of files; None is three quarters of what this
            machine has.

    Example:
        >>> Isolation.of("all").policy, Isolation(seconds=5).seconds
        ('all', 5)
    """

    policy: Policy = "asked"
    seconds: float = 60.0
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise UnbraidError(f"isolate is {self.policy!r}, not {' or '.join(get_args(Policy))}")
        if type(self.seconds) not in {int, float} or not 0 < self.seconds < math.inf:
            raise UnbraidError(f"an isolated node's limit is {self.seconds!r}; give seconds, more than 0")
        if self.memory is not None and (type(self.memory) is not int or self.memory < _MIB):
            raise UnbraidError(f"an isolated node's memory is {self.memory!r}; give bytes, at least {_MIB}")

    @classmethod
    def of(cls, value: Policy | Isolation) -> Isolation:
        """Return ``value``, or the default limits with this policy.

        Raises:
            UnbraidError: there is no such policy.
        """
        return value if isinstance(value, Isolation) else cls(value)

    def wanted(self, node: CheckedNode, packages: Mapping[str, str]) -> bool:
        """Return whether this node runs in a process of its own.

        Args:
            node: with what the graph says of it.
            packages: the package from which each plugin came, by id.
        """
        if self.policy == "all" or node.isolate is not None:
            return self.policy == "all" or node.isolate is True
        return self.policy == "third-party" and packages.get(node.card.id) != _OWN
