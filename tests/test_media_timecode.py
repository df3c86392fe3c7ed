"""Timecode: the values of SMPTE ST 12-1, and that nothing is lost on the way to samples and back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid import MediaError
from unbraid.host.media.film.timecode import from_frames, from_samples, to_frames, to_samples

FILM, PAL, NTSC = Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001)
FAST = Fraction(60000, 1001)
RATES = [FILM, Fraction(24), PAL, NTSC, Fraction(30), Fraction(50), FAST, Fraction(60)]

# Counted by hand from the rule: two labels (four at 59.94) are skipped in each minute but every tenth.
# An hour has 54 such minutes: 30 * 3600 - 2 * 54 = 107892 frames; ten minutes 18000 - 18; a day 24 * 107892.
GOLDEN = [
    ("00:00:00;00", NTSC, 0),
    ("00:00:59;29", NTSC, 1799),
    ("00:01:00;02", NTSC, 1800),
    ("00:01:59;29", NTSC, 3597),
    ("00:02:00;02", NTSC, 3598),
    ("00:09:59;29", NTSC, 17981),
    ("00:10:00;00", NTSC, 17982),
    ("00:11:00;02", NTSC, 17982 + 1800),
    ("01:00:00;00", NTSC, 107892),
    ("10:00:00;00", NTSC, 1078920),
    ("23:59:59;29", NTSC, 2589407),
    ("01:00:00:00", NTSC, 108000),
    ("00:01:00;04", FAST, 3600),
    ("00:00:59;59", FAST, 3599),
    ("01:00:00;00", FAST, 215784),
    ("01:00:00:00", PAL, 90000),
    ("23:59:59:24", PAL, 2159999),
    ("01:00:00:00", FILM, 86400),
    ("10:20:30:12", Fraction(24), (10 * 3600 + 20 * 60 + 30) * 24 + 12),
]


@pytest.mark.parametrize(("text", "rate", "frames"), GOLDEN)
def test_frames_of_a_timecode_and_back(text: str, rate: Fraction, frames: int) -> None:
    assert to_frames(text, rate) == frames
    assert from_frames(frames, rate, drop=";" in text) == text


def test_drop_frame_labels_in_a_row_skip_two_at_a_minute_and_none_at_the_tenth() -> None:
    labels = [from_frames(i, NTSC, drop=True) for i in range(1798, 1802)]
    assert labels == ["00:00:59;28", "00:00:59;29", "00:01:00;02", "00:01:00;03"]
    labels = [from_frames(i, NTSC, drop=True) for i in range(17980, 17984)]
    assert labels == ["00:09:59;28", "00:09:59;29", "00:10:00;00", "00:10:00;01"]


def test_a_label_of_drop_frame_stays_within_three_frames_of_the_clock_over_the_first_hours() -> None:
    for frame in range(0, 3 * 107892, 997):
        text = from_frames(frame, NTSC, drop=True)
        clock = sum(int(part) * unit for part, unit in zip(text[:8].split(":"), (3600, 60, 1), strict=True))
        shown = clock + Fraction(int(text[9:]), 30)
        assert abs(shown - frame / NTSC) <= Fraction(3, 30), text


def test_a_day_ends_in_midnight() -> None:
    assert from_frames(24 * 90000, PAL) == "00:00:00:00"
    assert from_frames(24 * 107892, NTSC, drop=True) == "00:00:00;00"


@pytest.mark.parametrize(
    ("text", "rate", "frame_rate_samples"),
    [
        ("01:00:00:00", PAL, 3600 * 48000),
        ("00:00:00:01", PAL, 1920),
        ("10:00:00:00", Fraction(24), 36000 * 48000),
        ("00:00:01:00", FILM, 48048),  # 24 frames of 2002 samples
        ("01:00:00:00", FILM, 86400 * 2002),
        ("00:00:00:05", NTSC, 8008),  # five frames of 1601.6 samples
        ("00:00:00:01", NTSC, 1602),
        ("00:00:00:02", NTSC, 3203),
        ("01:00:00;00", NTSC, 172799827),  # 107892 * 8008 / 5 = 172799827.2: 3.6 ms short of the hour
    ],
)
def test_samples_since_midnight(text: str, rate: Fraction, frame_rate_samples: int) -> None:
    assert to_samples(text, rate, 48000) == frame_rate_samples
    assert from_samples(frame_rate_samples, 48000, rate, drop=";" in text) == text


def test_a_sample_within_a_frame_has_the_frames_label() -> None:
    assert from_samples(3600 * 48000 + 1919, 48000, PAL) == "01:00:00:00"
    assert from_samples(3600 * 48000 + 1920, 48000, PAL) == "01:00:00:01"
    assert from_samples(3600 * 48000 - 1, 48000, PAL) == "00:59:59:24"


@given(rate=st.sampled_from(RATES), sample_rate=st.sampled_from([44100, 48000, 88200, 96000]), data=st.data())
def test_every_frame_of_a_day_comes_back_from_text_and_samples(
    rate: Fraction, sample_rate: int, data: st.DataObject
) -> None:
    drop = rate in {NTSC, FAST} and data.draw(st.booleans())
    nominal = round(rate)
    day = 24 * (3600 * nominal - (54 * nominal // 15 if drop else 0))
    frame = data.draw(st.integers(0, day - 1))
    text = from_frames(frame, rate, drop=drop)
    assert to_frames(text, rate) == frame
    samples = to_samples(text, rate, sample_rate)
    assert abs(samples - Fraction(frame * sample_rate) / rate) <= Fraction(1, 2)
    assert from_samples(samples, sample_rate, rate, drop=drop) == text


@pytest.mark.parametrize(
    ("text", "rate", "part"),
    [
        ("00:01:00;00", NTSC, "does not exist"),
        ("00:01:00;01", NTSC, "take the next, 00:01:00;02"),
        ("00:59:00;03", FAST, "take the next, 00:59:00;04"),
        ("10:00:00:25", PAL, "23:59:59:24"),
        ("24:00:00:00", PAL, "not within"),
        ("00:60:00:00", PAL, "not within"),
        ("00:00:60:00", PAL, "not within"),
        ("10:00:00;00", PAL, "write ':'"),
        ("10:00:00;00", Fraction(30), "write ':'"),
        ("10:00:00", PAL, "HH:MM:SS:FF"),
        ("", PAL, "HH:MM:SS:FF"),
        ("1:00:00:00", PAL, "HH:MM:SS:FF"),
        ("-1:00:00:00", PAL, "HH:MM:SS:FF"),
        ("00:00:00:00", Fraction(0), "frame rate"),
    ],
)
def test_what_is_no_timecode_is_an_error_with_a_remedy(text: str, rate: Fraction, part: str) -> None:
    with pytest.raises(MediaError, match="timecode") as caught:
        to_frames(text, rate)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
