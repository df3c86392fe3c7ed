"""Where noise comes from: effects, ambiences, music and wind of games, some for the development set alone."""

from __future__ import annotations

from .sources import Source

__all__ = ["SOUNDS"]

_GAMES = "usr/share/games"
_NEXUIZ = f"{_GAMES}/nexuiz/data/data.pk3/sound"
#: Names of sounds that people make, or that might be.
_CRIES = (
    r"(?:^|/|_)(?:voices?|coms|player|announcer|male|female|select|ack|die|death|attack|taunt|pain|talk|kiss|"
    "hogchant)"
)
_QABCS = (  # of its noises: no instrument, and nobody from a fairy tale
    "adjutant aesculapian_snake airplane albatross balloons bear bicycle bird blister_beetle booby "
    "boot button calf camera_lens cat chalkboard chimpanzee chinchilla clock cow crane crow deer dice "
    "display dog dolphin duck eagle-owl elephant emu excavator ferret fire fish flamingo foal "
    "football frog giant_panda giraffe glove goose grasshopper grommet guinea_fowl hamster hedgehog "
    "helicopter heron hockey horse hyena ice_skate igloo iguana iora jaguar jar jerboa jug jump_rope "
    "keyboard kite koala ladybug lion lunchbox lynx magnet maracas moose moth mouse necklace "
    "newspaper newt ney origami otter owl paper_airplane pelican pen pheasant pig porcupine python "
    "quadrocopter quail quetzal quilt raccoon rain ratchet rhinoceros robot rocket rooster "
    "rubber_ball security_camera seesaw sheep skateboard snail sparrow spider spoons squirrel stork "
    "tiger top tractor train turtle umbrella unicycle urchin vase volleyball vulture wagon "
    "walkie-talkie wallaby watch watercolor weevil whale whirligig wind wolf wood_grouse x-ray yak yoyo "
    "zebra zipline zipper zoetrope"
)
_SONIC = (
    "vinyl_hiss ambi_swoosh ambi_sauna ambi_lunar_land ambi_dark_woosh ambi_soft_buzz ambi_glass_rub "
    "ambi_haunted_hum perc_swash perc_swoosh perc_door perc_impact1 perc_impact2 perc_till perc_snap "
    "perc_snap2 misc_crow loop_industrial loop_weirdo"
)


def _named(names: str) -> str:
    """Return an expression for files that have one of some names."""
    return f"/(?:{'|'.join(names.split())})[.][^/]*$"


_EFFECTS: tuple[Source, ...] = (
    Source(
        "nexuiz-data", f"{_NEXUIZ}/**/*.*", "effect",
        skip=f"{_CRIES}|tutorial|tuba|yoda|radiomessage|wind",
    ),
    Source("qabcs-data", "usr/share/qabcs/abcs/all/noises/*.ogg", "effect", only=_named(_QABCS)),
    Source(
        "megaglest-data", f"{_GAMES}/megaglest/**/*.*", "effect",
        skip=f"{_CRIES}|music|menu|wind|minarett|morning",
        only="[.](?:wav|ogg)$",
    ),
    Source("torcs-data", f"{_GAMES}/torcs/data/sound/*.wav", "effect"),
    Source("endless-sky-data", f"{_GAMES}/endless-sky/sounds/**/*.*", "effect"),
    Source("colobot-common-sounds", f"{_GAMES}/colobot/sounds/*.wav", "effect"),
    Source("naev-data", "usr/share/naev/dat/snd/sounds/*", "effect"),
    Source("lugaru-data", f"{_GAMES}/lugaru/Sounds/*.ogg", "effect", skip="music|wind[.]|/rabbit"),
    Source(
        "warmux-data", f"{_GAMES}/warmux/sound/default/**/*.ogg", "effect",
        skip=f"{_CRIES}|music|victory|sherif",
    ),
    Source(
        "tuxpaint-data", "usr/share/tuxpaint/sounds/*.wav", "effect",
        skip="areyousure|youcannot|tuxok|giggle|prompt",
    ),
    Source(
        "hedgewars-data", f"{_GAMES}/hedgewars/Data/Sounds/*.ogg", "effect",
        skip="hogchant|yoohoo|hell|kiss|custom|2D|3E|laugh|piano|cough|organ",
    ),
    Source("bucklespring-data", "usr/share/buckle/wav/*.wav", "effect"),
    Source("sonic-pi-samples", "usr/share/sonic-pi/samples/*.flac", "effect", only=_named(_SONIC)),
    Source(
        "wesnoth-1.16-data", f"{_GAMES}/wesnoth/1.16/data/core/sounds/**/*.*", "effect",
        skip="-die|-hit|laugh|groan|ugg|wail|music|fanfare|wardrums|horn-|magic-holy|gamestart",
    ),
    Source(
        "supertux-data", f"{_GAMES}/supertux2/sounds/*", "effect",
        skip="excellent|grunts|yeti|tada|invincible|welldone|mr_tree",
    ),
    Source(
        "freedroidrpg-data", "usr/share/freedroidrpg/data/sound/effects/**/*.ogg", "effect",
        skip="scream|voice|first_contact|tux_ingame|lost|won|death",
    ),
    Source(
        "btanks-data", f"{_GAMES}/btanks/data/sounds/**/*.ogg", "effect",
        skip="scream|laugh|deadman|zombie|worm",
    ),
    Source("trackballs-data", f"{_GAMES}/trackballs/sfx/*.wav", "effect", skip="laugh|death|monk|die"),
    Source("plee-the-bear-data", f"{_GAMES}/plee-the-bear/sound/**/*.*", "effect", skip="scale|/plee/"),
    Source("trophy-data", f"{_GAMES}/trophy/sounds/*.wav", "effect", skip="background"),
    Source("ri-li-data", f"{_GAMES}/ri-li/Ri-li/Sounds/*.wav", "effect", skip="lose|live|end"),
    Source("dustracing2d-data", f"{_GAMES}/dustracing2d/sounds/*.ogg", "effect"),
    Source("marsshooter-data", f"{_GAMES}/marsshooter/audio/*/*.wav", "effect", skip="announcer|music"),
    Source(
        "freecol", f"{_GAMES}/freecol/default/resources/sound/*/*.ogg", "effect",
        skip="anthem|meet|intro",
    ),
    Source("freedroid-data", f"{_GAMES}/freedroid/sound/*.wav", "effect", skip="lost|won|defeated|cry"),
    Source("boswars-data", f"{_GAMES}/boswars/**/sfx_*.wav", "effect"),
    Source("lincity-ng-data", f"{_GAMES}/lincity-ng/sounds/*", "effect", skip="music|market|commune"),
    Source(
        "scorched3d-data", f"{_GAMES}/scorched3d/data/**/wav/**/*.wav", "effect",
        skip="voice|music|scream|life",
    ),
    Source("scratch", "usr/share/scratch/Media/Sounds/Effects/*", "effect", skip="music|voice"),
)  # fmt: skip

_MUSIC: tuple[Source, ...] = (
    Source("hedgewars-data", f"{_GAMES}/hedgewars/Data/Music/*.ogg", "music", longest=20),
    Source("colobot-common-sounds", f"{_GAMES}/colobot/music/*.ogg", "music", longest=15),
    Source("supertux-data", f"{_GAMES}/supertux2/music/**/*.ogg", "music", longest=10),
)

_WIND: tuple[Source, ...] = (
    Source("nexuiz-data", f"{_NEXUIZ}/**/*wind*.*", "wind"),
    Source("lugaru-data", f"{_GAMES}/lugaru/Sounds/Wind.ogg", "wind"),
    Source("megaglest-data", f"{_GAMES}/megaglest/tilesets/winter/sounds/wind.ogg", "wind"),
    Source("megaglest-data", f"{_GAMES}/megaglest/tilesets/winter_forest/sounds/wind.ogg", "wind", "dev"),
    Source("flare-game", f"{_GAMES}/flare/mods/**/*wind*.ogg", "wind", "dev"),
)

_UNHEARD: tuple[Source, ...] = (  # no package of training has the like: workshops, farms, crowds, helicopters
    Source(
        "widelands-data", f"{_GAMES}/widelands/data/sound/**/*.ogg", "effect", "dev",
        skip="lobby|message|tavern",
    ),
    Source("widelands-data", f"{_GAMES}/widelands/data/world/**/*.ogg", "effect", "dev"),
    Source(
        "flare-game", f"{_GAMES}/flare/mods/**/soundfx/**/*.ogg", "effect", "dev",
        skip="npcs|enemies|male_|heartbeat|warcry|level_up|wind|no_mana",
    ),
    Source(
        "unknown-horizons", "usr/share/unknown-horizons/content/audio/sounds/*.ogg", "effect", "dev",
        skip="success|tavern|main_square",
    ),
    Source("tuxfootball", f"{_GAMES}/tuxfootball/sound/*.wav", "ambience", "dev"),
    Source("searchandrescue-data", f"{_GAMES}/searchandrescue/sounds/**/*.wav", "effect", "dev"),
    Source("foobillardplus-data", f"{_GAMES}/foobillardplus/data/*.wav", "effect", "dev", skip="intro"),
    Source("widelands-data", f"{_GAMES}/widelands/data/music/ingame_0?.ogg", "music", "dev", longest=12),
    Source(
        "flare-game", f"{_GAMES}/flare/mods/fantasycore/music/*.ogg", "music", "dev",
        skip="wind", longest=12,
    ),
)  # fmt: skip

#: All noise, in the order in which it is gathered.
SOUNDS: tuple[Source, ...] = (*_EFFECTS, *_MUSIC, *_WIND, *_UNHEARD)
