"""Under which licence each package's sounds are, as its copyright file states it: for the model card."""

from __future__ import annotations

__all__ = ["LICENCES", "licence_of"]

#: By package; where its files differ, what holds for the sounds that are used.
LICENCES = {
    "asterisk-core-sounds-en-g722": "CC BY-SA 3.0, Allison Smith",
    "asterisk-core-sounds-es-g722": "CC BY-SA 3.0, Allison Smith",
    "asterisk-core-sounds-fr-g722": "CC BY-SA 3.0, June Wallack",
    "asterisk-core-sounds-it-g722": "CC BY 3.0, Carlo Flora",
    "asterisk-core-sounds-ru-g722": "CC BY 3.0, Maxim Topal and ivrvoice.ru",
    "boswars-data": "GPL-2 or later, Bos Wars team",
    "btanks-data": "GPL with an exception (Battle Tanks licence), Vladimir Menshakov and others",
    "bucklespring-data": "GPL-2 or later, Ico Doornekamp",
    "colobot-common-sounds": "GPL-3 or later, EPSITEC and TerranovaTeam",
    "dustracing2d-data": "GPL-3 or later, Jussi Lind",
    "endless-sky-data": "public domain, by way of freesound.org; two files CC BY-SA 3.0, Mike Koenig",
    "festvox-ru": "BSD-like, Nickolay V. Shmyrev",
    "flare-game": "CC BY-SA 3.0 or later, Clint Bellanger and others",
    "foobillardplus-data": "GPL-2, Holger Schäkel and Florian Berger",
    "freecol": "GPL-2 or later, FreeCol team",
    "freedroid-data": "GPL-2 or later, Freedroid team",
    "freedroidrpg-data": "GPL-2 or later, FreedroidRPG team",
    "gcin-voice": "GPL-3 or LGPL-3, Edward Liu (3.ogg); CC BY 3.0, ChionMeilin and Chu Lo (5.ogg)",
    "hedgewars-data": "sounds and voices GFDL-1.3, music GPL-2, Hedgewars team; Droplet CC BY-SA 3.0, saugox",
    "kajongg": "GPL-2 or later, Wolfgang Rohdewald and others",
    "ktuberling-data": "GPL-2 or later, KDE",
    "lincity-ng-data": "GPL-2 or later, LinCity-NG team",
    "lugaru-data": "CC BY-SA 3.0, Wolfire Games",
    "marsshooter-data": "public domain (toon), CC BY 3.0 (interface)",
    "megaglest-data": "CC BY-SA 3.0, MegaGlest team",
    "naev-data": "GPL-2 or later, GPL-3, GPL-3 or later, CC BY 3.0 or public domain, by file",
    "nexuiz-data": "GPL-2 or later, Alientrap Software",
    "plee-the-bear-data": "CC BY-SA 3.0, Plee the Bear team",
    "qabcs-data": "GPL-3 or later, DanSoft",
    "ri-li-data": "GPL-2 or GPL-3, Dominique Roux-Serret",
    "scorched3d-data": "GPL-2 or later, Scorched 3D team; apoc: CC BY-SA 3.0",
    "scratch": "CC BY-SA 3.0, Massachusetts Institute of Technology",
    "searchandrescue-data": "GPL, WolfPack Entertainment",
    "sonic-pi-samples": "CC0, by way of freesound.org; six files MIT, Samuel Aaron",
    "supertux-data": "GPL-3 or later, music GPL-2 or later, SuperTux team",
    "torcs-data": "GPL-2 or later, TORCS team",
    "trackballs-data": "GPL-2 or later, Mathias Broxvall",
    "trophy-data": "GPL-2, Andrew Mustun, Matthieu Lecesne and Colin Pitrat",
    "tuxfootball": "GPL-2 or later, Jason Wood",
    "tuxpaint-data": "GPL-2 or later, Bill Kendrick and others",
    "tuxpaint-stamps-default": "GPL-2 or later, Bill Kendrick and others",
    "unbraid": "made by the recipe",
    "unknown-horizons": "CC BY-SA 3.0, Unknown Horizons team",
    "warmux-data": "GPL-2 or later, Warmux team",
    "wesnoth-1.16-data": "GPL-2 or later, Wesnoth contributors",
    "widelands-data": "GPL-2 or later, Widelands team",
}


def licence_of(package: str) -> str:
    """Return the licence of a package's sounds.

    Example:
        >>> licence_of("flare-game")
        'CC BY-SA 3.0 or later, Clint Bellanger and others'
    """
    return LICENCES[package]
