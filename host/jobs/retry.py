"""Another chance for what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.errors import UnbraidError, nearest
from .job import label_of
from .ledger import open_ledger, read_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["retry"]


def retry(folder: Path, places: Sequence[str] = ()) -> list[str]:
    """Let jobs that failed or were put into quarantine wait for another attempt, in the batch's next run.

    Args:
        folder: of the batch.
        places: which; by default all. A job is named by its place, or as `label_of` has it.

    Returns:
        The places of the jobs that wait now.

    Raises:
        LedgerError: the folder holds no batch, or one is at work.
        UnbraidError: there is no such job, or it did not fail; nothing is changed then.
    """
    with read_ledger(folder):  # so that no ledger is made where none is
        pass
    with open_ledger(folder) as ledger:
        rows = {row.place: row for row in ledger.rows("failed", "quarantined")}
        labels = {label_of(place): place for place in rows}
        for place in places:
            if place not in rows and place not in labels:
                raise UnbraidError(f"{place}: is no job that failed; {nearest(place, labels)}")
        chosen = [labels.get(place, place) for place in places] or list(rows)
        for place in chosen:
            ledger.wait(rows[place].id, afresh=True)
        ledger.commit()
    return chosen
