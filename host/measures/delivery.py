"""What deliveries ask of a file's loudness, by name, and whether a file meets it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..contract.errors import MediaRequestError, nearest

__all__ = ["DELIVERIES", "Delivery", "delivery"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a delivery asks of the loudness of one file of channels.

    Loudness is that of the whole file after ITU-R BS.1770-4, gated by level alone: nothing here hears what
    is speech. Where a document asks for the loudness of dialogue, ``of`` says so, and the file must be a
    stem of dialogue.

    Attributes:
        name: of it.
        loudness: integrated, LUFS.
        tolerance: LU to either side; None where ``loudness`` is the most, and less is allowed.
        true_peak: the most, dBTP.
        short_term: the most loudness of any 3 s, LUFS; None where nothing is asked.
        of: what ``loudness`` is of: "programme" or "dialogue".
        source: document and year.
    """

    name: str
    loudness: float
    tolerance: float | None
    true_peak: float
    source: str
    short_term: float | None = None
    of: str = "programme"

    @property
    def asked(self) -> str:
        """The loudness and how far a file may be from it, as a verdict says it.

        Example:
            >>> delivery("ebu-r128").asked, delivery("atmos-music").asked
            ('-23 +-0.5', 'most of -18')
        """
        if self.tolerance is None:
            return f"most of {self.loudness:g}"
        return f"{self.loudness:g} +-{self.tolerance:g}"

    def verdict(
        self, integrated: float | None, true_peak: float | None, short_term: float | None = None
    ) -> str:
        """Return how a file misses this, as a sentence with a remedy; "" when it does not.

        Figures are held against the norm as meters show them, to 0.1 (EBU Tech 3341, 2023). A silent file
        misses nothing, but is told of.

        Args:
            integrated: LUFS; None or ``-inf`` where there is none.
            true_peak: dBTP; None or ``-inf`` for silence.
            short_term: the largest, LUFS; None where it is not known, which is no miss.

        Example:
            >>> delivery("ebu-r128").verdict(-20.1, -6.0)
            "-20.1 LUFS, 2.9 LU above ebu-r128's -23 +-0.5; lower it by 2.9 dB, as `normalize` does"
            >>> delivery("ebu-r128").verdict(-23.4, -1.0)
            ''
        """
        loud, peak, short = _shown(integrated), _shown(true_peak), _shown(short_term)
        if peak == -math.inf:
            return f"silent; nothing to hold against {self.name}"
        parts, gain = [], 0.0
        if loud == -math.inf:
            parts.append(f"no loudness to hold against {self.name}: below -70 LUFS or shorter than 0.4 s")
        elif self._is_missed(loud):
            gain = self.loudness - loud
            parts.append(self._off(loud, gain, peak))
        if self.short_term is not None and short > self.short_term:
            over = f"{short - self.short_term:.1f} LU above {self.name}'s most of {self.short_term:g}"
            remedy = (
                "compress its loudest passages" if short + gain > self.short_term else "that lowers it too"
            )
            parts.append(f"{short:.1f} LUFS within 3 s, {over}; {remedy}")
        if peak > self.true_peak:
            over = f"{peak - self.true_peak:.1f} dB above {self.name}'s most of {self.true_peak:g}"
            remedy = "limit it, as `limiter` does" if peak + gain > self.true_peak else "that lowers it too"
            parts.append(f"true peak {peak:.1f} dBTP, {over}; {remedy}")
        return "; ".join(parts)

    def _is_missed(self, loud: float) -> bool:
        if self.tolerance is None:
            return loud > self.loudness
        return round(abs(loud - self.loudness), 1) > self.tolerance

    def _off(self, loud: float, gain: float, peak: float) -> str:
        side, verb = ("below", "raise") if gain > 0 else ("above", "lower")
        of = " of its dialogue" if self.of == "dialogue" else ""
        remedy = f"{verb} it by {abs(gain):.1f} dB, as `normalize` does"
        if peak <= self.true_peak < round(peak + gain, 1):
            remedy += ", and limit its peaks"
        return f"{loud:.1f} LUFS, {abs(gain):.1f} LU {side} {self.name}'s {self.asked}{of}; {remedy}"


def _shown(value: float | None) -> float:
    """Return a figure as a meter shows it; ``-inf`` for none."""
    return -math.inf if value is None else round(value, 1)


#: By name. Not here: cinema, which knows no loudness of programmes; YouTube and Apple Music's stereo, which
#: publish none for deliveries; ATSC's and others' choice to measure dialogue in a mix, which would need a
#: detector of speech.
DELIVERIES = {
    each.name: each
    for each in (
        Delivery("ebu-r128", -23.0, 0.5, -1.0, "EBU R 128, version 3, 2014: programmes that are not live"),
        Delivery("ebu-r128-live", -23.0, 1.0, -1.0, "EBU R 128, version 5, 2023: live programmes"),
        Delivery("ebu-r128-qc", -23.0, 0.2, -1.0, "EBU R 128, version 5, 2023: quality control of files"),
        Delivery(
            "ebu-r128-s1",
            -23.0,
            0.5,
            -1.0,
            "EBU R 128 s1, version 2, 2016: commercials, trailers and other short programmes",
            short_term=-18.0,
        ),
        Delivery("atsc-a85", -24.0, 2.0, -2.0, "ATSC A/85, 2013: all of a short programme's sound"),
        Delivery(
            "netflix-dialogue",
            -27.0,
            2.0,
            -2.0,
            "Netflix Sound Mix Specifications and Best Practices 1.4: the dialogue, here as a stem alone",
            of="dialogue",
        ),
        Delivery(
            "netflix-programme",
            -24.0,
            2.0,
            -2.0,
            "Netflix Sound Mix Specifications and Best Practices 1.4: with less than 15 % of dialogue",
        ),
        Delivery("apple-podcasts", -16.0, 1.0, -1.0, "Apple Podcasts for Creators, Audio requirements"),
        Delivery("aes-td1008-track", -16.0, None, -1.0, "AES TD1008, 2021: a track of music on its own"),
        Delivery("spotify", -14.0, None, -1.0, "Spotify for Artists, Loudness normalization, 2021"),
        Delivery(
            "atmos-music", -18.0, None, -1.0, "Dolby Atmos Music Delivery Specification: its render to 5.1"
        ),
    )
}


def delivery(name: str) -> Delivery:
    """Return what a delivery asks.

    Raises:
        MediaRequestError: nothing has this name; says which is nearest.

    Example:
        >>> delivery("atsc-a85").loudness
        -24.0
        >>> delivery("ebu128")
        Traceback (most recent call last):
        unbraid.host.contract.errors.MediaRequestError: unknown delivery 'ebu128'; did you mean 'ebu-r128'?
    """
    if name in DELIVERIES:
        return DELIVERIES[name]
    raise MediaRequestError(f"unknown delivery {name!r}; {nearest(name, DELIVERIES)}")
