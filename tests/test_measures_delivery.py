"""Deliveries by name: what each document asks, and a sentence with figures and remedy for what misses it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from unbraid.host.contract.errors import MediaError, MediaRequestError
from unbraid.host.measures.delivery import DELIVERIES, delivery
from unbraid.host.measures.file_loudness import measure_file
from unbraid.plugins.spatial.adm import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

    from unbraid.host.contract.processor import Array


def sine(level: float, seconds: float = 20.0, channels: int = 2, frequency: float = 1000.0) -> Array:
    """A sine of this peak level in dBFS, the same in all channels."""
    wave = 10 ** (level / 20) * np.sin(2 * np.pi * frequency / 48_000 * np.arange(round(48_000 * seconds)))
    return np.repeat(wave[:, None].astype(np.float32), channels, axis=1)


# A file's loudness


def test_the_sines_of_ebu_tech_3341_read_what_it_says(tmp_path: Path) -> None:
    # Tech 3341, 2023, table 1, cases 1 and 2: stereo 1 kHz at -23 and -33 dBFS for 20 s read -23 and -33 LUFS
    for level in (-23.0, -33.0):
        soundfile.write(tmp_path / "case.wav", sine(level), 48_000, "FLOAT")
        found = measure_file(tmp_path / "case.wav")
        assert found.integrated == pytest.approx(level, abs=0.1)
        assert found.maximum_momentary == pytest.approx(level, abs=0.1)
        assert found.maximum_short_term == pytest.approx(level, abs=0.1)
        assert (found.rate, found.layout, found.length, found.seconds) == (48_000, "stereo", 960_000, 20.0)
        assert found.warnings == ()


def test_loudness_range_reads_what_ebu_tech_3342_says(tmp_path: Path) -> None:
    # Tech 3342, 2023, table 1, case 1: 20 s at -20 dBFS, then 20 s at -30 dBFS: 10 LU
    soundfile.write(tmp_path / "steps.wav", np.concatenate([sine(-20.0), sine(-30.0)]), 48_000, "FLOAT")
    assert measure_file(tmp_path / "steps.wav").range == pytest.approx(10.0, abs=1.0)


def test_a_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"nothing\.wav: cannot be read"):
        measure_file(tmp_path / "nothing.wav")


# Names


def test_each_delivery_asks_what_its_document_says() -> None:
    asked = {
        one.name: (one.loudness, one.tolerance, one.true_peak, one.short_term) for one in DELIVERIES.values()
    }
    assert asked == {
        "ebu-r128": (-23, 0.5, -1, None),
        "ebu-r128-live": (-23, 1, -1, None),
        "ebu-r128-qc": (-23, 0.2, -1, None),
        "ebu-r128-s1": (-23, 0.5, -1, -18),
        "atsc-a85": (-24, 2, -2, None),
        "netflix-dialogue": (-27, 2, -2, None),
        "netflix-programme": (-24, 2, -2, None),
        "apple-podcasts": (-16, 1, -1, None),
        "aes-td1008-track": (-16, None, -1, None),
        "spotify": (-14, None, -1, None),
        "atmos-music": (-18, None, -1, None),
    }
    assert all(len(one.source) > 15 for one in DELIVERIES.values())
    assert [one.name for one in DELIVERIES.values() if one.of == "dialogue"] == ["netflix-dialogue"]


def test_a_scenes_targets_are_the_same_where_they_have_the_same_name() -> None:
    for name, one in {
        "ebu-r128": "ebu-r128",
        "netflix": "netflix-dialogue",
        "atmos-music": "atmos-music",
    }.items():
        assert (TARGETS[name].loudness, TARGETS[name].ceiling) == (
            delivery(one).loudness,
            delivery(one).true_peak,
        )


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("ebu-128", "did you mean 'ebu-r128'?"),
        ("netflix", "did you mean 'netflix-dialogue'?"),
        ("", "known: aes-td1008-track, apple-podcasts, atmos-music, atsc-a85"),
        ("a\n\u202eb", r"unknown delivery 'a\n\u202eb'"),
    ],
)
def test_an_unknown_name_is_an_error_that_offers_the_nearest(name: str, remedy: str) -> None:
    with pytest.raises(MediaRequestError) as caught:
        delivery(name)
    assert remedy in str(caught.value)
    assert caught.value.exit_code == 2


# Verdicts


@pytest.mark.parametrize("loud", [-23.5, -23.0, -22.5, -22.46])  # a meter shows the last as -22.5
def test_what_is_within_the_tolerance_has_no_verdict(loud: float) -> None:
    assert delivery("ebu-r128").verdict(loud, -1.0) == ""


@pytest.mark.parametrize(
    ("loud", "says"),
    [
        (-22.4, "-22.4 LUFS, 0.6 LU above ebu-r128's -23 +-0.5; lower it by 0.6 dB, as `normalize` does"),
        (-23.6, "-23.6 LUFS, 0.6 LU below ebu-r128's -23 +-0.5; raise it by 0.6 dB, as `normalize` does"),
        (-40, "-40.0 LUFS, 17.0 LU below ebu-r128's -23 +-0.5; raise it by 17.0 dB, as `normalize` does"),
    ],
)
def test_what_is_beyond_it_says_by_how_much_and_what_to_do(loud: float, says: str) -> None:
    assert delivery("ebu-r128").verdict(loud, -20.0) == says


def test_figures_count_as_a_meter_shows_them() -> None:
    assert delivery("spotify").verdict(-13.96, -0.96) == ""
    assert delivery("spotify").verdict(-13.94, -0.94).count("above spotify's most") == 2


def test_where_less_is_allowed_only_more_is_a_miss() -> None:
    assert delivery("spotify").verdict(-30, -3) == ""
    assert delivery("spotify").verdict(-14, -1) == ""
    assert (
        delivery("spotify")
        .verdict(-9, -1.5)
        .startswith("-9.0 LUFS, 5.0 LU above spotify's most of -14; lower")
    )


def test_a_peak_that_is_too_high_is_a_miss_of_its_own() -> None:
    found = delivery("atsc-a85").verdict(-24, -0.4)
    assert found == "true peak -0.4 dBTP, 1.6 dB above atsc-a85's most of -2; limit it, as `limiter` does"


def test_a_remedy_counts_what_another_does() -> None:
    # 3 dB down for the loudness: the peak at -0.5 comes to -3.5 by itself, the one at +3 does not
    norm = delivery("ebu-r128")
    assert norm.verdict(-20, -0.5).endswith("0.5 dB above ebu-r128's most of -1; that lowers it too")
    assert norm.verdict(-20, 3.0).endswith("4.0 dB above ebu-r128's most of -1; limit it, as `limiter` does")
    # 7 dB up for the loudness: a peak at -5 would come to +2
    assert norm.verdict(-30, -5.0).endswith("raise it by 7.0 dB, as `normalize` does, and limit its peaks")
    assert norm.verdict(-30, -9.0).endswith("raise it by 7.0 dB, as `normalize` does")
    assert "does; true peak 0.5 dBTP" in norm.verdict(-30, 0.5)  # said once


def test_a_short_programme_may_not_be_louder_within_three_seconds() -> None:
    norm = delivery("ebu-r128-s1")
    assert norm.verdict(-23, -3, -18.0) == ""
    assert norm.verdict(-23, -3) == ""  # not known
    assert norm.verdict(-23, -3, -16.5) == (
        "-16.5 LUFS within 3 s, 1.5 LU above ebu-r128-s1's most of -18; compress its loudest passages"
    )
    assert norm.verdict(-20, -3, -16.5).endswith("most of -18; that lowers it too")
    assert delivery("ebu-r128").verdict(-23, -3, -10.0) == ""


def test_a_stem_of_dialogue_is_told_whose_loudness_it_is() -> None:
    assert "netflix-dialogue's -27 +-2 of its dialogue; lower" in delivery("netflix-dialogue").verdict(
        -20, -6
    )


@pytest.mark.parametrize("none", [None, -math.inf])
def test_silence_is_no_miss_but_is_told(none: float | None) -> None:
    assert delivery("ebu-r128").verdict(none, none) == "silent; nothing to hold against ebu-r128"


def test_sound_without_loudness_is_not_called_silent() -> None:
    found = delivery("ebu-r128").verdict(None, -0.2)  # a click
    assert found.startswith(
        "no loudness to hold against ebu-r128: below -70 LUFS or shorter than 0.4 s; true peak"
    )


def test_a_file_on_the_norm_meets_it_and_one_beside_does_not(tmp_path: Path) -> None:
    for level, verdict in ((-23.0, ""), (-20.0, "-20.0 LUFS, 3.0 LU above")):
        soundfile.write(tmp_path / "programme.wav", sine(level, 5.0), 48_000, "PCM_24")
        found = measure_file(tmp_path / "programme.wav")
        said = delivery("ebu-r128").verdict(found.integrated, found.true_peak, found.maximum_short_term)
        assert said[: len(verdict) or None] == verdict
