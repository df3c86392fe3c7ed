"""One job of a manifest: inputs, a graph, settings, and where its outputs go."""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["FILM", "OUTPUT", "SUFFIX", "Job", "label_of"]

#: What stays open in a job's `Job.place` until its outputs are known.
OUTPUT, SUFFIX = "{output}", "{ext}"

#: The name of a job's film among what it reads, and of the film's copy among its outputs.
FILM = "film"
_OPEN = re.compile(r"[-._ ]*\{(?:output|ext)\}")


def label_of(place: str) -> str:
    """Return a job's place as people read it: without what is open.

    Example:
        >>> label_of("Reel 1/take3.{output}.{ext}")
        'Reel 1/take3'
    """
    return _OPEN.sub("", place) or place


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a manifest says of one render, with every path absolute and inside its root.

    Attributes:
        place: path of its outputs below the batch's folder, with ``{output}`` and ``{ext}`` still open, as in
            ``Reel 1/take3.{output}.{ext}``. No two jobs have the same, so it is the job's name too.
        graph: absolute path of a graph file, or the name of a ready-made graph.
        inputs: absolute paths by name of the graph's inputs; a single one under "" is the first input.
        stems: absolute paths of stems by name, for graphs that take any number.
        settings: parameters by ``node.param``.
        devices: device by node; "" stands for every node that runs there.
        options: fields of `RenderOptions` that the manifest may give.
        outputs: names in files of the graph's outputs, where they are not the graph's own (``dialogue: DX``).
        title: of the film or album; "" for none.
        target: delivery whose loudness an output is held against, by output; "" stands for all others.
        film: absolute path of the film into whose copy an output is put; "" for none.
        track: the graph's output that goes into the film.
        priority: jobs of larger numbers come first.
        timeout: seconds that it may take; None for the batch's limit.
        line: where in the manifest it stands, from 1.
    """

    place: str
    graph: str
    inputs: dict[str, str]
    stems: dict[str, str] = {}
    settings: dict[str, Any] = {}
    devices: dict[str, str] = {}
    options: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    title: str = ""
    target: dict[str, str] = {}
    film: str = ""
    track: str = ""
    priority: int = 0
    timeout: float | None = None
    line: int = 0

    def path(self, output: str, suffix: str) -> str:
        """Return where an output goes, below the batch's folder.

        Example:
            >>> Job(place="a.{output}.{ext}", graph="g", inputs={}, outputs={"dialogue": "DX"}).path(
            ...     "dialogue", "wav"
            ... )
            'a.DX.wav'
        """
        named = self.outputs.get(output, output)
        return self.place.replace(OUTPUT, named).replace(SUFFIX, suffix)

    def target_of(self, output: str) -> str:
        """Return the name of the delivery that an output is held against; "" for none."""
        return self.target.get(output) or self.target.get("", "")

    def paths(self) -> dict[str, str]:
        """Return every sound and film that it reads, by name."""
        film = {FILM: self.film} if self.film else {}
        return {**self.inputs, **self.stems, **film}
