"""Films by the names of their files: one job a title, from stems that a house names as it always does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...contract.errors import nearest
from .errors import RefusedError
from .patterns import compiled, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from .errors import Faults
    from .keys import Draft
    from .roots import Roots

__all__ = ["CODES", "CONVENTIONS", "Convention", "Gathered", "gather", "gathered_by"]

# Where the codes come from. DX, MX, FX: SoundFreakStudios, "Stem Delivery Standards Explained: DX, FX, MX,
# and M&E", 2025. PM, ME, and DIA for dialogue: Netflix Partner Help Center, "Asset Naming: Sound Mastering
# and Music Archival" (DIAStem, MXStem, FXStem); ME beside DX: Plus Studio, "Audio content specifications for
# global distribution". Foley and backgrounds apart, as "wide" stems: Academy Digital Preservation Forum,
# "Stems"; BG for backgrounds: Greenhouse Post, "Technical Examples". FOL, MUS, SFX, ATMOS: from no standard.

#: What outputs are called in files, where a convention says nothing else.
CODES = {
    "dialogue": "DX",
    "music": "MX",
    "effects": "FX",
    "ambience": "BG",
    "foley": "FOL",
    "music-effects": "ME",
    "mix": "PM",
}
_LONG_CODES = {
    **CODES,
    "dialogue": "DIA",
    "music": "MUS",
    "effects": "SFX",
    "ambience": "ATMOS",
    "foley": "FOLEY",
}
_FIELDS = ("title", "reel")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FILM = "film"
_WORDS = ("like", "as", "optional")


@dataclass(frozen=True, slots=True)
class Convention:
    """How a house names the files of a title.

    Attributes:
        files: a pattern for each file, by its name as a stem or input.
        codes: what outputs are called in files, by output.
        takes: "stems" or "inputs": as what a graph gets the files.

    Example:
        >>> CONVENTIONS["dme"].files["dialogue"], CONVENTIONS["dme"].codes["dialogue"]
        ('**/{title}_DX.wav', 'DX')
    """

    files: Mapping[str, str]
    codes: Mapping[str, str]
    takes: str = "stems"


def _coded(codes: Mapping[str, str], *names: str, takes: str = "stems") -> Convention:
    return Convention({name: f"**/{{title}}_{codes[name]}.wav" for name in names}, codes, takes)


#: Ready conventions, by name.
CONVENTIONS = {
    "dme": _coded(CODES, "dialogue", "music", "effects"),
    "dia-mus-sfx": _coded(_LONG_CODES, "dialogue", "music", "effects"),
    "wide": _coded(CODES, "dialogue", "music", "effects", "ambience", "foley"),
    "d-me": _coded(CODES, "dialogue", "music-effects"),
    "printmaster": _coded(CODES, "mix", takes="inputs"),
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What ``stems`` of a manifest says: a convention, its patterns, and the files that a title may lack."""

    convention: Convention
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    optional: frozenset[str]


def gathered_by(value: Any, faults: Faults) -> Gathered | None:
    """Return what ``stems`` of a manifest says; None, with problems, where it says nothing that can be.

    Args:
        value: the name of a ready convention; or a mapping of patterns by stem, in which ``like`` names a
            ready one to begin with, ``as`` says "stems" or "inputs", ``optional`` lists what a title may
            lack, and ``film`` is the pattern of the films into which an output goes.
        faults: gets what is wrong.
    """
    before = faults.found
    given = {"like": value} if isinstance(value, str) else value
    if not isinstance(given, dict):
        faults.add(("stems",), f"is {value!r:.40}", f"write patterns, or one of {', '.join(CONVENTIONS)}")
        return None
    convention = _convention(given, faults)
    optional = given.get("optional", [])
    optional = [optional] if isinstance(optional, str) else optional
    if not isinstance(optional, list):
        faults.add(("stems", "optional"), f"is {optional!r:.40}", "write optional: [NAME]")
        optional = []
    for name in optional:
        if not isinstance(name, str) or name not in convention.files:
            remedy = nearest(str(name)[:40], convention.files)
            faults.add(("stems", "optional"), f"names {name!r:.40}, which is no stem here", remedy)
    patterns = _patterns(convention.files, faults)
    if not set(convention.files) - {_FILM}:
        faults.add(("stems",), "names no stem", 'write dialogue: "{title}_DX.wav"')
    if faults.found != before:
        return None
    return Gathered(convention, patterns, frozenset(map(str, optional)))


def _convention(given: Mapping[str, Any], faults: Faults) -> Convention:
    files, codes, takes = dict[str, str](), CODES, "stems"
    like = given.get("like")
    if isinstance(like, str) and like in CONVENTIONS:
        ready = CONVENTIONS[like]
        files, codes, takes = dict(ready.files), dict(ready.codes), ready.takes
    elif like is not None:
        faults.add(("stems",), f"unknown convention {like!r:.40}", nearest(str(like)[:40], CONVENTIONS))
    takes = given.get("as", takes)
    if takes not in ("stems", "inputs"):
        faults.add(("stems", "as"), f"is {takes!r:.40}", "write stems or inputs")
    for name, pattern in given.items():
        if name in _WORDS:
            continue
        if not _NAME.fullmatch(name) or not isinstance(pattern, str):
            faults.add(("stems", name), f"is {pattern!r:.40}", 'write NAME: "{title}_DX.wav"')
        else:
            files[name] = pattern
    return Convention(files, codes, str(takes))


def _patterns(files: Mapping[str, str], faults: Faults) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the patterns, most fixed letters first: a file belongs to whichever says most of it."""
    made = {}
    for name, text in files.items():
        try:
            made[name] = compiled(text, _FIELDS)
        except RefusedError as error:
            faults.refuse(("stems", name), error)
    for name, pattern in made.items():
        if "title" not in pattern.groupindex:
            faults.add(
                ("stems", name), f"{files[name]!r:.80} holds no {{title}}", "write it where the title stands"
            )
    if len({"reel" in pattern.groupindex for pattern in made.values()}) > 1:
        faults.add(("stems",), "some patterns hold {reel} and some do not", "write {reel} in all or in none")
    fixed = {name: len(re.sub(r"\{[^}]*\}|[*?]", "", files[name])) for name in made}
    return tuple((name, made[name]) for name in sorted(made, key=lambda name: -fixed[name]))


def gather(
    gathered: Gathered, base: Draft, roots: Roots, skipped: Collection[str], faults: Faults
) -> Iterator[list[tuple[str, Any]]]:
    """Yield the keys of one job for every title, in order of titles.

    Args:
        gathered: by what names.
        base: what the manifest says for all jobs; its name and outputs go before the convention's.
        roots: where files are looked for; a title's may lie below several.
        skipped: folders that are not looked into.
        faults: gets the titles that lack a file or have two of one; stands at ``stems``.
    """
    titles = _titles(gathered, roots, skipped, faults)
    if not titles and not faults.found:
        looked = f"looked in {', '.join(roots.folders)}"
        faults.add((), f"no file is named {' or '.join(gathered.convention.files.values())}", looked)
    codes = {output: code for output, code in gathered.convention.codes.items() if output not in base.outputs}
    for title, reel in sorted(titles):
        files = titles[title, reel]
        for name, pattern in gathered.convention.files.items():
            if name not in files and name not in gathered.optional:
                wanted = pattern.replace("{title}", title).replace("{reel}", reel)
                shown = f"{title} {reel}".strip()
                message = f"the title {shown!r:.80} lacks its {name}, {wanted!r:.120}"
                faults.add((name,), message, f"add it, or write optional: [{name}]")
        if faults.full:
            return
        if not faults.found:
            yield _keys(gathered, base, codes, title, reel, files)


def _titles(
    gathered: Gathered, roots: Roots, skipped: Collection[str], faults: Faults
) -> dict[tuple[str, str], dict[str, str]]:
    """Return the files of every title and reel, by name."""
    titles: dict[tuple[str, str], dict[str, str]] = {}
    try:
        for root in roots.folders:
            for below in walk(root, skipped):
                matches = ((name, pattern.fullmatch(below)) for name, pattern in gathered.patterns)
                name, match = next((each for each in matches if each[1]), ("", None))
                if match is None:
                    continue
                key = match["title"], match.groupdict().get("reel", "")
                files, path = titles.setdefault(key, {}), f"{root}/{below}"
                if name in files:
                    message = f"the title {key[0]!r:.80} has two: {files[name]} and {path}"
                    faults.add((name,), message, "keep one, or write the folder into the pattern")
                files.setdefault(name, path)
    except RefusedError as error:
        faults.refuse((), error)
    return titles


def _keys(
    gathered: Gathered,
    base: Draft,
    codes: Mapping[str, str],
    title: str,
    reel: str,
    files: Mapping[str, str],
) -> list[tuple[str, Any]]:
    """Return the keys of a title's job, in the convention's order of stems."""
    key = "stems" if gathered.convention.takes == "stems" else "input"
    ordered = {name: files[name] for name in gathered.convention.files if name in files and name != _FILM}
    pairs: list[tuple[str, Any]] = [(key, ordered), ("title", title), ("outputs", codes)]
    if reel:
        pairs.append(("reel", reel))
    if _FILM in files:
        pairs.append(("film", files[_FILM]))
    if base.template is None:
        middle = "_{reel}" if reel else ""
        pairs.append(("name", f"{{title}}/{{title}}{middle}_{{output}}.{{ext}}"))
    return pairs
