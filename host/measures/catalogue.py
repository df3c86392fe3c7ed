"""The measures there are, by the names that a command line or a notebook asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..contract.errors import MediaRequestError, nearest
from .bss import BSSEVAL
from .distortion import SDR, SdrGauge
from .dnsmos_score import DNSMOS, DNSMOS_LIBRARIES, DNSMOS_REMEDY, dnsmos_gauge
from .estoi_score import ESTOI, estoi_gauge
from .gauge import Figure, Gauge
from .libraries import EVAL, missing
from .log_spectral import LSD, LsdGauge
from .loudness_pair import LOUDNESS, LoudnessGauge
from .null import NULL_PEAK, NULL_RMS, NullGauge
from .pesq_score import PESQ, pesq_gauge
from .scale_invariant import SI_SDR, SiSdrGauge

__all__ = ["IMPROVEMENTS", "MEASURES", "Measure", "chosen"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure that can be asked for.

    Attributes:
        name: what it is asked for by.
        about: one line for people.
        figures: the numbers it gives.
        gauge: makes what measures a pair as it goes by, from a rate and channel roles; None for one that
            needs all stems of a track.
        libraries: what it imports that may not be installed.
        remedy: what installs these.
        kept: asked for by default even where its libraries are missing, so that they are told of.
    """

    name: str
    about: str
    figures: tuple[Figure, ...]
    gauge: Callable[[int, Sequence[str]], Gauge] | None
    libraries: tuple[str, ...] = ()
    remedy: str = EVAL
    kept: bool = True

    @property
    def missing(self) -> str:
        """What to do about libraries that are not installed, or ""."""
        return missing(self.libraries, self.remedy)


_ALL = (
    Measure("sdr", "signal to distortion ratio of the whole clip", (SDR,), SdrGauge),
    Measure("si-sdr", "the same, forgiving the gain; mean of the channels", (SI_SDR,), SiSdrGauge),
    Measure("null", "level and peak of the difference re the reference", (NULL_RMS, NULL_PEAK), NullGauge),
    Measure("lsd", "log-spectral distance", (LSD,), LsdGauge),
    Measure("loudness", "loudness and true peak of both (BS.1770-4)", LOUDNESS, LoudnessGauge),
    Measure(
        "bsseval",
        "BSSEval v4 of museval: medians over 1 s, all stems together",
        BSSEVAL,
        None,
        ("museval",),
    ),
    Measure("pesq", "speech quality, wide band (P.862.2)", (PESQ,), pesq_gauge, ("pesq",)),
    Measure("estoi", "speech intelligibility, 0 to 1", (ESTOI,), estoi_gauge, ("pystoi",)),
    Measure(
        "dnsmos",
        "speech quality of the estimate alone (P.835, P.808)",
        DNSMOS,
        dnsmos_gauge,
        DNSMOS_LIBRARIES,
        DNSMOS_REMEDY,
        kept=False,
    ),
)
MEASURES = {measure.name: measure for measure in _ALL}
#: What a mixture adds to measures: how much better the estimate is than doing nothing.
IMPROVEMENTS = {"sdr": Figure("sdr_improvement", "SDRi"), "si-sdr": Figure("si_sdr_improvement", "SI-SDRi")}


def chosen(names: Sequence[str] | None = None) -> list[Measure]:
    """Return the measures of these names, in the order of `MEASURES`; by default all that are usual.

    Raises:
        MediaRequestError: a name is unknown; offers the nearest.

    Example:
        >>> [measure.name for measure in chosen(["null", "sdr"])]
        ['sdr', 'null']
    """
    if names is None:
        return [measure for measure in _ALL if measure.kept or not measure.missing]
    for name in names:
        if name not in MEASURES:
            raise MediaRequestError(f"there is no measure {name!r}; {nearest(name, MEASURES)}")
    return [measure for measure in _ALL if measure.name in set(names)]
