"""Counted loops at an IR builder's position."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .access import INT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["count_to"]


@contextmanager
def count_to(builder: Any, count: int) -> Iterator[Any]:
    """Emit what follows ``count`` times, at least once; the value is the int64 index from 0.

    One iteration needs no loop, and none is emitted.
    """
    if count == 1:
        yield INT(0)
        return
    before = builder.block
    body = builder.append_basic_block("loop")
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(INT)
    index.add_incoming(INT(0), before)
    yield index
    following = builder.add(index, INT(1))
    index.add_incoming(following, builder.block)
    behind = builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed("<", following, INT(count)), body, behind)
    builder.position_at_end(behind)
