"""Files broken on purpose: for every rule of `check_adm`, in either profile, changes that break it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace

from adm_files import Chunks, swapped

from unbraid.host.adm.chna import TrackUse, build_chna, parse_chna

Change = Callable[[Chunks], None]
Row = tuple[str, str, Change]


# ways to break a file


def _edit(pattern: str, make: Callable[[re.Match[str]], str], nth: int) -> Change:
    def change(chunks: Chunks) -> None:
        found = list(re.finditer(pattern, chunks.text))
        at = found[nth]
        chunks.text = chunks.text[: at.start()] + make(at) + chunks.text[at.end() :]

    return change


def stated(kind: str, name: str, value: str | None, nth: int = 0) -> Change:
    """Give an element an attribute, another value of it, or none."""

    def make(found: re.Match[str]) -> str:
        rest = re.sub(rf' {name}="[^"]*"', "", found[0][:-1])
        return f"{rest}>" if value is None else f'{rest} {name}="{value}">'

    return _edit(f"<{kind}( [^>]*)?>", make, nth)


def inside(kind: str, text: str, nth: int = 0) -> Change:
    """Put something into an element, first of all in it."""
    return _edit(f"<{kind}( [^>]*)?>", lambda found: found[0] + text, nth)


def holding(kind: str, text: str, nth: int = 0) -> Change:
    """Give an element another text."""
    return _edit(f"(<{kind}(?: [^>]*)?>)[^<]*", lambda found: found[1] + text, nth)


def without(kind: str, nth: int = 0) -> Change:
    """Leave an element out."""
    return _edit(rf"<{kind}(?: [^>]*)?>(.|\n)*?</{kind}>\n", lambda _: "", nth)


def twice(kind: str, nth: int = 0) -> Change:
    """Write an element two times."""
    return _edit(rf"<{kind}(?: [^>]*)?>(.|\n)*?</{kind}>\n", lambda found: found[0] * 2, nth)


def every(old: str, new: str) -> Change:
    return swapped(old, new, -1)


def both(*changes: Change) -> Change:
    def change(chunks: Chunks) -> None:
        for each in changes:
            each(chunks)

    return change


def entries(make: Callable[[list[TrackUse]], list[TrackUse]], tracks: int | None = None) -> Change:
    """Write other entries into `chna`."""

    def change(chunks: Chunks) -> None:
        body = build_chna(make(parse_chna(chunks[b"chna"])))
        chunks[b"chna"] = body if tracks is None else struct.pack("<H", tracks) + body[2:]

    return change


def last_entry(**parts: str | int) -> Change:
    return entries(lambda uses: [*uses[:-1], replace(uses[-1], **parts)])  # type: ignore[arg-type]


def format_field(at: int, code: str, value: int) -> Change:
    """Write another number into `fmt `."""

    def change(chunks: Chunks) -> None:
        body = bytearray(chunks[b"fmt "])
        struct.pack_into(f"<{code}", body, at, value)
        chunks[b"fmt "] = bytes(body)

    return change


def _float(chunks: Chunks) -> None:
    tracks = len(parse_chna(chunks[b"chna"]))
    chunks[b"fmt "] = struct.pack("<HHIIHH", 3, tracks, 48000, 192000 * tracks, 4 * tracks, 32)
    chunks[b"data"] = bytes(48000 * 4 * tracks)


def _extensible(chunks: Chunks) -> None:
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    chunks[b"fmt "] = struct.pack("<H", 0xFFFE) + chunks[b"fmt "][2:16] + struct.pack("<HHI", 22, 24, 0) + pcm


def _sixteen(chunks: Chunks) -> None:
    tracks = len(parse_chna(chunks[b"chna"]))
    chunks[b"fmt "] = struct.pack("<HHIIHH", 1, tracks, 48000, 96000 * tracks, 2 * tracks, 16)
    chunks[b"data"] = bytes(48000 * 2 * tracks)


def _again(name: bytes) -> Change:
    return lambda chunks: chunks.chunks.append((name, chunks[name]))


def block_stated(name: str, value: str | None, nth: int = 0) -> Change:
    """Give an object's block an attribute."""

    def make(found: re.Match[str]) -> str:
        rest = re.sub(rf' {name}="[^"]*"', "", found[0][:-1])
        return f"{rest}>" if value is None else f'{rest} {name}="{value}">'

    return _edit('<audioBlockFormat audioBlockFormatID="AB_0003[^>]*>', make, nth)


def in_block(text: str, nth: int = 0, kind: str = "0003") -> Change:
    return _edit(
        f'<audioBlockFormat audioBlockFormatID="AB_{kind}[^>]*>\n', lambda found: found[0] + text, nth
    )


def place(coordinate: str, text: str, nth: int = 0, kind: str = "0003") -> Change:
    """Give an object's block another coordinate; "" leaves it out."""
    pattern = (
        f'(AB_{kind}[^>]*>(?:(?!</audioBlockFormat>)(?:.|\n))*?)<position coordinate="{coordinate}">[^<]*'
    )
    pattern += "</position>\n"
    new = f'<position coordinate="{coordinate}">{text}</position>\n' if text else ""
    return _edit(pattern, lambda found: found[1] + new, nth)


def number_of_objects(count: int) -> Change:
    """Nothing but a count: as many packs and objects, all alike."""

    def change(chunks: Chunks) -> None:
        pattern = r'<audioObject audioObjectID="AO_100c"(.|\n)*?</audioObject>\n'
        found = re.search(pattern, chunks.text)
        assert found is not None
        several = "".join(found[0].replace("AO_100c", f"AO_{0x100D + at:04x}") for at in range(count))
        chunks.text = chunks.text.replace("<audioPackFormat ", several + "<audioPackFormat ", 1)

    return change


def number_of_contents(count: int) -> Change:
    def change(chunks: Chunks) -> None:
        pattern = r'<audioContent audioContentID="ACO_1003"(.|\n)*?</audioContent>\n'
        found = re.search(pattern, chunks.text)
        assert found is not None
        several = "".join(found[0].replace("ACO_1003", f"ACO_{0x1004 + at:04x}") for at in range(count))
        chunks.text = chunks.text.replace("<audioObject ", several + "<audioObject ", 1)

    return change


# every rule, and how it is broken


EITHER: list[Row] = [
    ("chunk-missing", "no axml", lambda chunks: chunks.drop(b"axml")),
    ("chunk-missing", "no chna", lambda chunks: chunks.drop(b"chna")),
    ("chunk-missing", "no sound", lambda chunks: chunks.drop(b"data")),
    ("chunk-twice", "two axml", _again(b"axml")),
    ("axml", "XML that breaks off", swapped("</ebuCoreMain>", "")),
    ("axml", "zero bytes behind it", lambda chunks: chunks.__setitem__(b"axml", chunks[b"axml"] + b"\0")),
    ("profile", "a profile of its own",
     inside("audioFormatExtended", '<profileList><profile profileName="Moon">9</profile></profileList>')),
    ("sample-format", "float", _float),
    ("format-tag", "extensible", _extensible),
    ("sample-rate", "32 kHz", format_field(4, "I", 32000)),
    ("sound-empty", "no samples", lambda chunks: chunks.__setitem__(b"data", b"")),
    ("uid-samples", "another rate", stated("audioTrackUID", "sampleRate", "96000")),
    ("uid-samples", "other bits", stated("audioTrackUID", "bitDepth", "16")),
    ("chna-entries", "cut short", lambda chunks: chunks.__setitem__(b"chna", chunks[b"chna"][:-40])),
    ("chna-count", "a wrong number of tracks", entries(lambda uses: uses, tracks=99)),
    ("chna-track", "beyond the file", last_entry(track=13)),
    ("track-unused", "an entry missing", entries(lambda uses: uses[:-1])),
    ("uid-track", "an entry missing", entries(lambda uses: uses[:-1])),
    ("chna-twice", "a UID on two tracks", entries(lambda uses: [*uses, replace(uses[-1], track=1)])),
    ("track-twice", "two UIDs on a track", last_entry(track=11)),
    ("chna-uid", "a UID that axml lacks", last_entry(uid="ATU_00000055")),
    ("chna-format", "another format", last_entry(format="AT_00031001_01")),
    ("chna-pack", "another pack", last_entry(pack="AP_00031001")),
    ("id-missing", "no id", stated("audioContent", "audioContentID", None)),
    ("id-form", "an id of another form", every("ACO_1002", "ACO_12")),
    ("id-twice", "an id twice", stated("audioObject", "audioObjectID", "AO_1001", 1)),
    ("name-missing", "no name", stated("audioPackFormat", "audioPackFormatName", None)),
    ("name-empty", "an empty name", stated("audioContent", "audioContentName", "")),
    ("name-long", "a long name", stated("audioContent", "audioContentName", "x" * 65)),
    ("type-missing", "no type", both(stated("audioPackFormat", "typeLabel", None),
                                     stated("audioPackFormat", "typeDefinition", None))),
    ("type-mismatch", "a label of another type", stated("audioPackFormat", "typeLabel", "0003")),
    ("type-mismatch", "an id of another type", every("AP_00011001", "AP_00021001")),
    ("block-id", "a number out of turn", every("AB_00031001_00000002", "AB_00031001_00000005")),
    ("block-id", "no id", swapped(' audioBlockFormatID="AB_00031001_00000002"', "")),
    ("reference-unknown", "to nothing", holding("audioPackFormatIDRef", "AP_00031099", 1)),
    ("reference-unknown", "to no track", holding("audioTrackUIDRef", "ATU_00000099")),
    ("reference-count", "no pack", without("audioPackFormatIDRef")),
    ("reference-count", "no content", every("audioContentIDRef>", "nothing>")),
    ("reference-count", "a UID without a format", _edit(
        r"(<audioTrackUID [^>]*>\n)<audioTrackFormatIDRef>.*\n", lambda found: found[1], 0)),
    ("orphan", "a content in no programme", without("audioContentIDRef", 1)),
    ("orphan", "a pack of no object", holding("audioPackFormatIDRef", "AP_00031002", 1)),
    ("pack-channels", "a track too few", without("audioTrackUIDRef", 3)),
    ("stream-track", "a stream without its track", _edit(
        r"(<audioStreamFormat (?:.|\n)*?)<audioTrackFormatIDRef>.*\n", lambda found: found[1], 0)),
    ("track-channel", "a stream without its channel", _edit(
        r"(<audioStreamFormat [^>]*>\n)<audioChannelFormatIDRef>.*\n", lambda found: found[1], 0)),
    ("time-form", "an end that is no time", stated("audioProgramme", "end", "soon")),
    ("time-form", "a duration that is no time", stated("audioObject", "duration", "1.0")),
    ("programme-span", "an end too early", stated("audioProgramme", "end", "00:00:00.90000")),
    ("object-span", "longer than the sound", stated("audioObject", "duration", "00:00:02.00000")),
    ("block-time", "no duration", block_stated("duration", None, 1)),
    ("block-time", "no rtime", block_stated("rtime", None, 1)),
    ("block-first", "a late first block", block_stated("rtime", "00:00:00.00001")),
    ("block-gap", "a gap of a tick", block_stated("duration", "00:00:00.24999")),
    ("block-overlap", "an overlap of a tick", block_stated("duration", "00:00:00.25001")),
    ("block-order", "blocks that go back", block_stated("rtime", "00:00:00.10000", 2)),
    ("block-length", "a block of no length", block_stated("duration", "00:00:00.00000")),
    ("block-move", "a move longer than its block", every("0.005208", "0.300000")),
    ("block-end", "ends a tick early", block_stated("duration", "00:00:00.49999", 2)),
    ("block-end", "ends a tick late", block_stated("duration", "00:00:00.50001", 2)),
    ("value-form", "a gain that is none", in_block("<gain>loud</gain>")),
    ("value-form", "not a number", in_block("<gain>nan</gain>")),
    ("value-form", "an rtime that is none", block_stated("rtime", "soon", 1)),
    ("value-form", "a flag of 2", _edit(r"(<jumpPosition[^>]*>)1", lambda found: found[1] + "2", 0)),
    ("block-missing", "no block", _edit(r'<audioBlockFormat audioBlockFormatID="AB_00031002(.|\n)*?'
                                        r"</audioBlockFormat>\n", lambda _: "", 0)),
    ("gain-range", "a negative gain", in_block("<gain>-0.5</gain>")),
    ("extent-range", "wider than all around", in_block("<width>400</width>")),
    ("bed-blocks", "a bed that moves", twice("audioBlockFormat")),
    ("bed-label", "no label", without("speakerLabel")),
    ("programme-count", "two programmes", twice("audioProgramme")),
    ("loudness-missing", "no loudness", without("loudnessMetadata")),
    ("loudness-value", "words", holding("integratedLoudness", "loud")),
    ("loudness-value", "too loud", holding("maxTruePeak", "99")),
    ("loudness-value", "twice", twice("integratedLoudness")),
]  # fmt: skip

BS2127: list[Row] = [
    ("sample-bits", "8 bits", both(format_field(14, "H", 20), format_field(12, "H", 36))),
    ("position-whole", "no elevation", place("elevation", "")),
    ("position-whole", "two systems", in_block('<position coordinate="X">0</position>')),
    ("position-system", "cartesian with angles", in_block("<cartesian>1</cartesian>")),
    ("position-range", "azimuth 181", place("azimuth", "181")),
    ("position-range", "elevation 91", place("elevation", "91")),
    ("position-far", "distance 2", place("distance", "2")),
    ("bed-twice", "two left loudspeakers", swapped(">M-030<", ">M+030<")),
    ("bed-layout", "loudspeakers of no layout", swapped(">M+030<", ">M+060<")),
    ("bed-frequency", "low frequencies without an end", without("frequency")),
    ("bed-position", "on the other side", place("azimuth", "-30", kind="0001")),
    ("object-frequency", "an object of low frequencies",
     inside("audioChannelFormat", '<frequency typeDefinition="lowPass">120</frequency>', 10)),
    ("version", "of the year 2040", swapped("ITU-R_BS.2076-2", "ITU-R_BS.2076-9")),
    ("pack-type", "HOA", both(stated("audioPackFormat", "typeLabel", "0004"),
                              stated("audioPackFormat", "typeDefinition", "HOA"))),
    ("object-kind", "an object in an object",
     inside("audioObject", "<audioObjectIDRef>AO_1002</audioObjectIDRef>")),
    ("short-form", "no track format", _edit(
        r"(<audioTrackUID [^>]*>\n)<audioTrackFormatIDRef>AT_(.{8})_01</audioTrackFormatIDRef>",
        lambda found: f"{found[1]}<audioChannelFormatIDRef>AC_{found[2]}</audioChannelFormatIDRef>", 0)),
    ("namespace", "of nobody", swapped("urn:ebu:metadata-schema:ebuCore_2016", "urn:foo")),
    ("screen", "a width alone", inside(
        "audioProgramme", "<audioProgrammeReferenceScreen><screenWidth/></audioProgrammeReferenceScreen>")),
    ("content-dialogue", "of a kind of its own", holding("dialogue", "7")),
    ("format-pcm", "no format", both(stated("audioStreamFormat", "formatLabel", None),
                                     stated("audioStreamFormat", "formatDefinition", None))),
    ("object-extras", "a gain of the object", inside("audioObject", "<gain>0.5</gain>")),
    ("stream-pack", "a stream of a pack and a channel",
     inside("audioStreamFormat", "<audioPackFormatIDRef>AP_00011001</audioPackFormatIDRef>")),
    ("gain-unit", "a gain in dB", in_block('<gain gainUnit="dB">-6</gain>')),
    ("not-rendered", "a diffuse object", in_block("<diffuse>1</diffuse>")),
]  # fmt: skip

DOLBY: list[Row] = [
    ("sample-bits", "16 bits", _sixteen),
    ("block-length", "a block of 4 ms", both(block_stated("duration", "00:00:00.00400"),
                                             block_stated("rtime", "00:00:00.00400", 1))),
    ("position-range", "out of the cube", place("X", "1.1")),
    ("position-range", "under the cube", place("Z", "-1.1")),
    ("extent-range", "wider than the room", every("0.166667", "1.5")),
    ("bed-twice", "two left loudspeakers", swapped(">RC_R<", ">RC_L<")),
    ("object-count", "119 objects", number_of_objects(117)),
    ("content-count", "124 contents", number_of_contents(121)),
    ("bed-count", "two beds", _edit(r'<audioObject (?=audioObjectID="AO_1001")(.|\n)*?</audioObject>\n',
                                    lambda found: found[0] * 2, 0)),
    ("object-tracks", "an object of two tracks", _edit(
        r"<audioTrackUIDRef>ATU_0000000b</audioTrackUIDRef>", lambda found: found[0] * 2, 0)),
    ("object-tracks", "a bed of eleven tracks", _edit(
        r"<audioTrackUIDRef>ATU_0000000a</audioTrackUIDRef>", lambda found: found[0] * 2, 0)),
    ("loudness-twice", "two loudnesses", twice("loudnessMetadata")),
    ("loudness-attributes", "a method", stated("loudnessMetadata", "loudnessMethod", "ITU-R BS.1770")),
    ("version", "of the year 2040", stated("audioFormatExtended", "version", "ITU-R_BS.2076-9")),
    ("programme-id", "APR_1002", stated("audioProgramme", "audioProgrammeID", "APR_1002")),
    ("programme-time", "no start", stated("audioProgramme", "start", None)),
    ("programme-time", "no end", stated("audioProgramme", "end", None)),
    ("programme-language", "en-GB", stated("audioProgramme", "audioProgrammeLanguage", "en-GB")),
    ("not-admitted", "a label of the programme",
     inside("audioProgramme", "<audioProgrammeLabel>a</audioProgrammeLabel>")),
    ("not-admitted", "ducking", stated("audioProgramme", "maxDuckingDepth", "-6")),
    ("not-admitted", "the middle of the screen", inside(
        "audioProgramme",
        "<audioProgrammeReferenceScreen><screenCentrePosition/></audioProgrammeReferenceScreen>")),
    ("not-known", "an attribute of nobody", stated("audioProgramme", "foo", "1")),
    ("not-known", "an element of nobody", inside("audioContent", "<foo/>")),
    ("content-id", "out of turn", every("ACO_1003", "ACO_1010")),
    ("content-dialogue", "none", without("dialogue")),
    ("content-dialogue", "of another kind", holding("dialogue", "1")),
    ("content-dialogue", "mixed otherwise", stated("dialogue", "mixedContentKind", "1")),
    ("not-admitted", "a content's language", stated("audioContent", "audioContentLanguage", "en")),
    ("not-admitted", "a content's loudness", inside("audioContent", "<loudnessMetadata/>")),
    ("object-start", "at another time", stated("audioObject", "start", "00:00:00.00001")),
    ("object-start", "with six digits", stated("audioObject", "start", "00:00:00.000000")),
    ("object-start", "none", stated("audioObject", "start", None)),
    ("object-duration", "none", stated("audioObject", "duration", None)),
    ("object-duration", "another", stated("audioObject", "duration", "00:00:00.50000")),
    ("object-id", "an object below its range", every("AO_100c", "AO_1002")),
    ("object-id", "an object above its range", every("AO_100c", "AO_1081")),
    ("object-id", "a bed that takes an object's", every("AO_1001", "AO_1002")),
    *[
        ("not-admitted", f"an object's {name}", stated("audioObject", name, "1", 1))
        for name in ("importance", "interact", "dialogue")
    ],
    ("not-admitted", "ducking of an object", stated("audioObject", "disableDucking", "0", 1)),
    *[
        ("not-admitted", f"an object's {name}", inside("audioObject", f"<{name}>1</{name}>", 1))
        for name in ("gain", "mute", "headLocked", "positionOffset", "audioObjectLabel",
                     "audioObjectInteraction", "audioComplementaryObjectIDRef", "audioObjectIDRef")
    ],
    ("not-admitted", "a pack's distance",
     inside("audioPackFormat", "<absoluteDistance>1</absoluteDistance>", 1)),
    ("not-admitted", "a pack in a pack",
     inside("audioPackFormat", "<audioPackFormatIDRef>AP_00031002</audioPackFormatIDRef>", 1)),
    ("not-admitted", "a frequency", inside("audioChannelFormat", "<frequency>120</frequency>", 3)),
    ("object-frequency", "an object of low frequencies",
     inside("audioChannelFormat", "<frequency>120</frequency>", 10)),
    ("format-type", "no typeLabel", stated("audioChannelFormat", "typeLabel", None)),
    ("format-type", "no typeDefinition", stated("audioPackFormat", "typeDefinition", None)),
    ("pack-type", "HOA", both(stated("audioPackFormat", "typeLabel", "0004", 1),
                              stated("audioPackFormat", "typeDefinition", "HOA", 1))),
    ("pack-count", "two channels", inside(
        "audioPackFormat", "<audioChannelFormatIDRef>AC_00031002</audioChannelFormatIDRef>", 1)),
    ("format-id", "a pack that all share", every("AP_00031001", "AP_00030001")),
    ("format-id", "a stream of other digits", every("AS_00031001", "AS_00031055")),
    ("format-id", "a track with 02", every("AT_00031001_01", "AT_00031001_02")),
    ("format-id", "a track of other digits", every("AT_00031001_01", "AT_00031055_01")),
    ("format-refs", "a stream without a pack", _edit(
        r"(<audioStreamFormat (?:.|\n)*?)<audioPackFormatIDRef>.*\n", lambda found: found[1], 0)),
    ("format-pcm", "no formatLabel", stated("audioStreamFormat", "formatLabel", None)),
    ("format-pcm", "another format", stated("audioTrackFormat", "formatDefinition", "foo")),
    ("uid-id", "out of turn", both(every("ATU_0000000c", "ATU_00000020"), last_entry(uid="ATU_00000020"))),
    ("uid-form", "no rate", stated("audioTrackUID", "sampleRate", None)),
    ("uid-form", "no bits", stated("audioTrackUID", "bitDepth", None)),
    ("not-admitted", "a UID with a channel", inside(
        "audioTrackUID", "<audioChannelFormatIDRef>AC_00011001</audioChannelFormatIDRef>")),
    ("bed-order", "the centre second", _edit(
        r"(<audioChannelFormatIDRef>AC_00011002<.*\n)(<audioChannelFormatIDRef>AC_00011003<.*\n)",
        lambda found: found[2] + found[1], 0)),
    ("bed-name", "no room", swapped("RoomCentricLeft", "Left")),
    ("bed-label", "of another channel", swapped(">RC_L<", ">RC_Lss<")),
    ("bed-label", "of another system", swapped(">RC_L<", ">M+030<")),
    ("bed-label", "two labels", inside("audioBlockFormat", "<speakerLabel>RC_L</speakerLabel>")),
    ("bed-position", "another place", place("X", "-0.5", kind="0001")),
    ("bed-position", "low frequencies at ear's height", place("Z", "0", 3, kind="0001")),
    ("bed-position", "not cartesian", without("cartesian")),
    ("bed-time", "a time", stated("audioBlockFormat", "rtime", "00:00:00.00000")),
    ("not-admitted", "a bed that spreads", in_block("<width>0</width>", kind="0001")),
    ("not-admitted", "a bed that jumps", in_block("<jumpPosition>1</jumpPosition>", kind="0001")),
    ("not-admitted", "a bed with bounds",
     in_block('<position coordinate="X" bound="max">1</position>', kind="0001")),
    ("block-time", "one block without a time", block_stated("rtime", None, 3)),
    ("block-time", "a first block without a time", block_stated("rtime", None)),
    ("position-whole", "no Y", place("Y", "")),
    ("block-cartesian", "not cartesian", without("cartesian", 10)),
    ("position-system", "not cartesian", without("cartesian", 10)),
    ("value-form", "a coordinate twice", in_block('<position coordinate="X">0</position>')),
    ("block-extent", "width alone", without("height")),
    ("block-extent", "height another", holding("height", "0.2")),
    ("block-extent", "the same in other digits", holding("height", "0.1666670")),
    ("block-jump", "no jump", without("jumpPosition")),
    ("block-jump", "no length", stated("jumpPosition", "interpolationLength", None)),
    ("block-jump", "a first move", stated("jumpPosition", "interpolationLength", "0.005208")),
    ("block-jump", "a slow move", stated("jumpPosition", "interpolationLength", "0.01", 1)),
    ("block-jump", "a later jump", stated("jumpPosition", "interpolationLength", "0", 1)),
    *[
        ("block-parts", f"{name} of {text}", in_block(f"<{name}>{text}</{name}>"))
        for name, text in (
            ("objectDivergence", "0"), ("screenRef", "0"), ("headLocked", "1"), ("headphoneVirtualise", "1"),
            ("diffuse", "0.5"), ("channelLock", "2"), ("importance", "11"), ("importance", "0"), ("foo", ""),
        )
    ],
    ("block-parts", "a lock with a distance", in_block('<channelLock maxDistance="1">1</channelLock>')),
    ("block-parts", "a zone of its own", in_block(
        '<zoneExclusion><zone minX="-1" maxX="0" minY="-1" maxY="0" minZ="0" maxZ="1">x</zone>\n'
        "</zoneExclusion>"
    )),
    ("block-parts", "an edge of the screen",
     in_block('<position coordinate="X" screenEdgeLock="left">0</position>')),
]  # fmt: skip

#: Broken by means of their own, below.
ELSEWHERE = {"chunk-size", "chunk-padding", "file-size", "ds64", "track-count", "programme-name"}
ROWS = [
    *((profile, *row) for row in EITHER for profile in ("bs2127", "dolby")),
    *(("bs2127", *row) for row in BS2127),
    *(("dolby", *row) for row in DOLBY),
]
