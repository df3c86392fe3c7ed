"""Where speech comes from, what a source is, and which sources only the development set may use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["RESERVED", "SOURCES", "Kind", "Source"]

Kind = Literal["speech", "effect", "ambience", "music", "wind"]

#: Packages that others judge the quality on: kept out of training, tuning and tests.
RESERVED = (
    "fillets-ng-data", "klettres-data", "pocketsphinx-testdata", "codec2-examples", "0ad-data",
    "redeclipse-data", "supertuxkart-data", "minetest-data", "ambience", "stempeg",
    "fretsonfire-songs-sectoid", "openttd-openmsx", "avldrums.lv2-soundfont",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Some files of one package that belong together.

    Attributes:
        package: its name in Debian.
        files: a glob below the package's root.
        kind: what they hold.
        split: the bank they go to.
        speaker: who speaks. Speech only.
        skip: a regular expression; files whose path it matches, whatever the case, stay out.
        only: a regular expression; files whose path it does not match stay out.
        clean: minutes of speech above a louder floor that are cleaned and used as well.
        longest: seconds that are used of each file at most, from its middle.
    """

    package: str
    files: str
    kind: Kind
    split: Literal["train", "dev"] = "train"
    speaker: str = ""
    skip: str = ""
    only: str = ""
    clean: float = 0.0
    longest: float = 120.0


def voices(package: str, files: str, names: str, prefix: str, clean: float = 0.0) -> tuple[Source, ...]:
    """Return one source for each voice of a package: ``files`` holds a ``{}`` for its name.

    Example:
        >>> [source.speaker for source in voices("birds", "usr/{}/*.ogg", "tit owl", "bird")]
        ['bird-tit', 'bird-owl']
    """
    each = names.split()
    return tuple(
        Source(package, files.format(name), "speech", speaker=f"{prefix}-{name}", clean=clean)
        for name in each
    )


_GAMES = "usr/share/games"
_NEXUIZ = f"{_GAMES}/nexuiz/data/data.pk3/sound"
_STAMPS = "usr/share/tuxpaint/stamps/**/*_desc"
_SPEECH: tuple[Source, ...] = (
    *(
        replace(source, skip="silence/|beep|tones|conf-now|ascending|descending")
        for code in ("en", "fr", "it", "ru", "es")
        for source in voices(
            f"asterisk-core-sounds-{code}-g722", "usr/share/asterisk/sounds/**/*.g722", code, "asterisk"
        )
    ),
    *voices("festvox-ru", "usr/share/festival/voices/russian/{}/wav/*.wav", "msu_ru_nsh_clunits", "festvox"),
    *voices(
        "ktuberling-data", "usr/share/ktuberling/sounds/{}/*",
        "ca da de el en es fi fr ga gl it lt nds nl nn pt ro ru sl sr sv uk wa", "ktuberling", clean=2.0,
    ),
    *voices(
        "kajongg", "usr/share/kajongg/voices/{}/*.ogg",
        "male1 male2 female1 female2 de/male1 de/male2 de/female1 de/female2", "kajongg", clean=2.0,
    ),
    *voices("qabcs-data", "usr/share/qabcs/abcs/{}/sounds/**/*", "be de en en_gb fr pl ru uk", "qabcs"),
    *voices(
        "hedgewars-data", f"{_GAMES}/hedgewars/Data/Sounds/voices/{{}}/*",
        "British Classic Default Default_es Default_pl Default_ru Default_uk HillBilly Mobster Pirate "
        "Russian Russian_pl Surfer", "hedgewars", clean=2.0,
    ),
    *voices("gcin-voice", "usr/share/gcin-voice/ogg/*/{}.ogg", "3 5", "gcin"),
    *voices(
        "tuxpaint-stamps-default", _STAMPS + "_{}.ogg", "fr ru ro ca bg es be el da lt nl", "tuxpaint",
        clean=2.0,
    ),
    Source("tuxpaint-stamps-default", f"{_STAMPS}.ogg", "speech", speaker="tuxpaint-en", clean=2.0),
    *voices(
        "nexuiz-data", f"{_NEXUIZ}/player/{{}}/coms/*.ogg",
        "carni-lycan fricka insurrectionist pyria-skadi reptilian soldier", "nexuiz",
    ),
    Source("nexuiz-data", f"{_NEXUIZ}/announcer/male/*.ogg", "speech", speaker="nexuiz-announcer"),
    Source("nexuiz-data", f"{_NEXUIZ}/tutorial/*", "speech", speaker="nexuiz-tutor", clean=3.0),
    Source(
        "unknown-horizons", "usr/share/unknown-horizons/content/audio/voice/**/*.ogg", "speech",
        speaker="unknown-horizons", clean=3.0,
    ),
)  # fmt: skip

#: Speakers that only the development set may use.
_HELD_OUT = {
    "asterisk-it", "ktuberling-el", "ktuberling-da", "ktuberling-nn", "hedgewars-HillBilly",
    "hedgewars-Default_es", "hedgewars-Mobster", "kajongg-male2", "qabcs-de",
    "unknown-horizons", "nexuiz-tutor", "nexuiz-soldier", "nexuiz-announcer",
}  # fmt: skip

#: All speech, in the order in which it is gathered; the noises are in ``sounds.py``.
SOURCES: tuple[Source, ...] = tuple(
    replace(source, split="dev") if source.speaker in _HELD_OUT else source for source in _SPEECH
)
