"""`check_adm`: every rule of a profile that a file breaks.

Sources: ITU-R BS.2076-2 (the model), BS.2088-1 (the file), BS.2127-1 (what renderers ask for), BS.2051-3
(loudspeakers); Dolby Atmos Master ADM Profile 1.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from .container import read_container
from .finding import Finding, Subject, error, warning
from .profile import PROFILES, profile_of
from .reader import profile_in, read_document
from .refusals import stated_profiles
from .rules.beds import beds
from .rules.chunks import chunks
from .rules.counts import counts
from .rules.dolby_beds import dolby_beds
from .rules.dolby_blocks import dolby_blocks
from .rules.dolby_formats import dolby_formats
from .rules.dolby_programme import dolby_objects, dolby_programme
from .rules.generic import generic
from .rules.identity import identity
from .rules.loudness import loudness
from .rules.references import references
from .rules.samples import samples
from .rules.times import times
from .rules.tracks import tracks
from .rules.values import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["check_adm"]

_ALWAYS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    samples,
    tracks,
    identity,
    references,
    times,
    values,
    beds,
    counts,
    loudness,
)
_OF_PROFILE: dict[str, tuple[Callable[[Subject], Iterator[Finding]], ...]] = {
    "bs2127": (generic,),
    "dolby": (dolby_programme, dolby_objects, dolby_formats, dolby_beds, dolby_blocks),
}


def check_adm(path: str | Path, profile: str | None = None) -> list[Finding]:
    """Return everything that is wrong with a file; nothing when it is as its profile wants it.

    Args:
        path: of the file.
        profile: whose rules; by default what the file is by its programme's name and its labels.

    Raises:
        MediaError: the file cannot be read, or is no WAV, RF64 or BW64 file.
        MediaRequestError: there is no such profile.

    Example:
        >>> check_adm("film.wav")   # doctest: +SKIP
        [Finding(rule='block-gap', level='error', place='audioChannelFormat AC_00031001 ...', ...)]
    """
    if profile is not None:
        profile_of(profile)
    container = read_container(Path(path))
    found = list(chunks(container))
    if container.find(b"axml") is None:
        return found
    try:
        document = read_document(container)
    except MediaError as failed:
        what = str(failed).removeprefix(f"{path}: ")
        return [*found, error("axml", "axml", what, "see whoever wrote the file")]
    for stated in stated_profiles(document):
        what = f"the file follows the profile {stated!r}, whose rules are not known here"
        found.append(warning("profile", "profileList", what, f"known are {', '.join(PROFILES)}"))
    found += [error("axml", "axml", what, "count only the text") for what in document.warnings]
    chosen = profile or profile_in(document)
    subject = Subject(container, document, chosen)
    for rule in (*_ALWAYS, *_OF_PROFILE[chosen]):
        found += rule(subject)
    return found
