"""`read_adm`: a file with ADM as a scene, and its sound in the scene's order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.errors import MediaError
from ..scene.errors import SceneError
from .container import read_container
from .labels import is_room_label
from .parse import parse_axml
from .refusals import stated_profiles, version_warning
from .scene_in import SceneMaker

if TYPE_CHECKING:
    from ..scene.model import Scene
    from .container import Container
    from .elements import Document
    from .source import TrackSource

__all__ = ["AdmFile", "profile_in", "read_adm", "read_document"]

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class AdmFile:
    """A file that was read.

    Attributes:
        path: where it is.
        scene: what it holds. Its tracks are the beds' channels, each bed in its layout's order, then the
            objects.
        profile: which rules it follows: ``bs2127`` or ``dolby``.
        tracks: for each track of the scene the channel of the file, from 0.
        warnings: what of the file the scene does not hold.
        document: the ADM as it stands, but for the blocks of objects: those are the scene's motions.
        container: the chunks.
    """

    path: Path
    scene: Scene
    profile: str
    tracks: tuple[int, ...]
    warnings: tuple[str, ...]
    document: Document
    container: Container

    def open(self) -> TrackSource:
        """Return the sound: float32 blocks ``[tracks, n]`` in the order of the scene's tracks.

        Raises:
            MediaError: the file cannot be read, or holds less than it declares.
        """
        from .source import TrackSource

        return TrackSource(self.path, self.container, self.tracks)


def read_adm(path: str | Path) -> AdmFile:
    """Return what a BW64, RF64 or WAV file with ADM holds.

    Memory grows with the blocks of objects, by about 65 bytes each; the sound is not read.

    Args:
        path: of the file.

    Raises:
        MediaError: it cannot be read, has no ADM, contradicts itself, or holds what a scene cannot: scenes
            are beds and objects. The text names the place and the remedy.

    Example:
        >>> read_adm("film.wav").scene.objects[0].motion.places   # doctest: +SKIP
        array([[30.,  0.,  1.,  0.]], dtype=float32)
    """
    where = Path(path)
    container = read_container(where)
    document = read_document(container)
    name = str(where)
    for profile in stated_profiles(document):
        raise MediaError(
            f"{name}: follows the profile {profile!r}, which is not known here; read are {_KNOWN}"
        )
    if document.faults:
        more = f" and {len(document.faults) - 1} more places" if len(document.faults) > 1 else ""
        fault = document.faults[0]
        raise MediaError(f"{name}: {fault.place}: {fault.message}{more}; see `unbraid adm check`")
    profile = profile_in(document)
    maker = SceneMaker(name, container, document, profile)
    scene, tracks = maker.scene()
    try:
        scene.check()
    except SceneError as error:
        shown = "; ".join(error.problems[:_SHOWN])
        raise MediaError(f"{name}: {shown}; see `unbraid adm check`") from None
    warnings = [*document.warnings, *filter(None, [version_warning(document)]), *maker.warnings]
    return AdmFile(where, scene, profile, tuple(tracks), tuple(warnings), document, container)


_KNOWN = "bs2127 (ITU-R BS.2127) and dolby (Dolby Atmos Master ADM)"


def read_document(container: Container) -> Document:
    """Return the ADM of a file as it stands.

    Raises:
        MediaError: there is none, or it is no XML.
    """
    name = str(container.path)
    if container.find(b"axml") is None:
        raise MediaError(f"{name}: has no axml chunk, so it is no ADM file; export it as ADM")
    document = parse_axml(name, container.pieces(b"axml"))
    if not document.found:
        raise MediaError(f"{name}: its axml chunk holds no audioFormatExtended; export it as ADM")
    return document


def profile_in(document: Document) -> str:
    """Return which rules a document follows: ``dolby`` by its programme's name or labels, else ``bs2127``."""
    if any(programme.name == "Atmos_Master" for programme in document.elements["audioProgramme"]):
        return "dolby"
    for channel in document.channels:
        for _, odd in channel.blocks.having("speakerLabel"):
            if is_room_label(odd.text):
                return "dolby"
    return "bs2127"
