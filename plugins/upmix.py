"""Cards of what makes scenes and hears them: `upmix`, `adm`, `loudspeakers`, `binaural`, and their graphs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..host.contract.audio import Layout
from ..host.contract.card import PluginCard
from ..host.contract.errors import LayoutRefusedError
from ..host.contract.hooks import hookimpl
from ..host.contract.params import Params, param
from ..host.contract.ports import Port, Ports
from ..host.contract.scene import BedShape, Content, ObjectShape, SceneShape
from .stem_names import check_stem_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..host.contract.scene import Kind

__all__ = [
    "AdmParams",
    "BinauralParams",
    "LoudspeakersParams",
    "UpmixParams",
    "kind_of",
    "stays_in_front",
    "unbraid_cards",
    "unbraid_graphs",
]

_HERE = Path(__file__).parent
_MOST_STEMS = 32
_GRAPHS = ("upmix", "upmix-binaural", "upmix-film", "upmix-render", "upmix-song")
_BEDS = Literal["5.1", "7.1", "7.1.2", "5.1.4", "7.1.4"]
_RENDERS = Literal["stereo", "5.1", "7.1", "7.1.2", "5.1.4", "7.1.4"]
#: Words in the names of stems that tell what they are; films and music call them by many names.
_WORDS: dict[Kind, str] = {
    "dialogue": "dialogue|dialog|dx|dia|voice|speech|vo|narration",
    "music": "vocals?|vox|lead|music|mx|mus|score|songs?|accompaniment|band|drums?|bass|guitars?|piano|keys|"
    "strings|other",
    "effects": "effects?|fx|sfx|foley|ambience|atmos?|noise|rest",
}


def kind_of(name: str) -> Kind:
    """Return what a stem is, by its name.

    Example:
        >>> kind_of("dx_stem"), kind_of("MX"), kind_of("take7")
        ('dialogue', 'music', 'mixed')
    """
    for kind, words in _WORDS.items():
        if re.search(rf"(?:^|[_-])(?:{words})(?:$|[_-])", name.lower()):
            return kind
    return "mixed"


def stays_in_front(name: str, kind: Kind) -> bool:
    """Return whether a stem is one object in front: what is spoken, and who sings the lead."""
    return kind == "dialogue" or bool(re.search(r"(?:^|[_-])(?:vocals?|vox|lead)(?:$|[_-])", name.lower()))


class UpmixParams(Params, frozen=True):
    """Parameters of `upmix`."""

    stems: Annotated[
        tuple[str, ...],
        param("names of the stems, an input each; none: one input `in`", fixed=True),
    ] = ()
    kinds: Annotated[
        tuple[Literal["dialogue", "music", "effects", "mixed"], ...],
        param("what each stem is; none: by its name. Dialogue and vocals stay in front", fixed=True),
    ] = ()
    title: Annotated[str, param("name of the programme", fixed=True)] = "Programme"
    language: Annotated[str, param("of the programme, an ISO 639 code", fixed=True)] = ""
    bed: Annotated[_BEDS, param("layout of the bed", fixed=True)] = "7.1.2"
    beds: Annotated[
        Literal["shared", "stem"], param("one bed for all stems, or one for each", fixed=True)
    ] = "shared"
    objects: Annotated[int, param("the most objects of a stem", ge=1, le=3, fixed=True)] = 3
    surround: Annotated[
        float, param("share of the ambience that goes to the sides and behind", ge=0.05, le=0.5, fixed=True)
    ] = 0.4
    height: Annotated[float, param("share of the ambience that goes up", ge=0.05, le=0.3, fixed=True)] = 0.2

    def __post_init__(self) -> None:
        check_stem_names(self.stems, _MOST_STEMS)
        if self.kinds and len(self.kinds) != max(len(self.stems), 1):
            raise ValueError(
                f"kinds: give one for each stem, {max(len(self.stems), 1)}, not {len(self.kinds)}"
            )


class AdmParams(Params, frozen=True):
    """Parameters of `adm`."""

    profile: Annotated[Literal["bs2127", "dolby"], param("which rules the file follows", fixed=True)] = (
        "bs2127"
    )
    title: Annotated[str, param("name of the programme; empty: the scene's", fixed=True)] = ""
    target: Annotated[
        Literal["none", "ebu-r128", "netflix", "atmos-music"],
        param("brings the scene to the loudness of a delivery; then it is heard once before", fixed=True),
    ] = "none"


class LoudspeakersParams(Params, frozen=True):
    """Parameters of `loudspeakers`."""

    layout: Annotated[_RENDERS, param("where the scene is heard", fixed=True)] = "7.1.4"


class BinauralParams(Params, frozen=True):
    """Parameters of `binaural`."""

    hrtf: Annotated[
        str, param("a SOFA file (AES69) of a head; empty: a sphere with two ears", fixed=True)
    ] = ""


def stems_of(params: UpmixParams) -> tuple[str, ...]:
    """Return the names of the inputs."""
    return params.stems or ("in",)


def _upmix_ports(params: UpmixParams) -> Ports:
    inputs = tuple(Port(name, "a stem", ("mono", "stereo")) for name in stems_of(params))
    return Ports(inputs, (Port("scene", "beds and objects"),))


def shape_of(params: UpmixParams, layouts: Mapping[str, Layout]) -> SceneShape:
    """Return the scene that an upmix of stems of these layouts makes."""
    names, kinds = stems_of(params), params.kinds or tuple(kind_of(name) for name in stems_of(params))
    contents = tuple(
        Content(name, kind, params.language if kind == "dialogue" else "")
        for name, kind in zip(names, kinds, strict=True)
    )
    objects = []
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        alone = stays_in_front(name, kind) or layouts[name].channels == 1
        count = 1 if alone else params.objects
        objects += [ObjectShape(name if count == 1 else f"{name} {i + 1}", number) for i in range(count)]
    if params.beds == "stem":
        beds = tuple(BedShape(f"{name} bed", params.bed, number) for number, name in enumerate(names))
    else:
        contents += (Content("Bed", "mixed"),) if len(names) > 1 else ()
        beds = (BedShape("Bed", params.bed, len(contents) - 1),)
    return SceneShape(params.title, contents, beds, tuple(objects), params.language)


def _upmix_layouts(params: UpmixParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    missing = [name for name in stems_of(params) if name not in inputs]
    known = {**inputs, **dict.fromkeys(missing, Layout.parse("stereo"))}
    return {"scene": Layout.of_scene(shape_of(params, known))}


def _scene_of(inputs: Mapping[str, Layout]) -> SceneShape:
    layout = inputs.get("in")
    if layout is None or layout.scene is None:
        raise LayoutRefusedError(f"its input 'in' takes a scene, as `upmix` makes it, not {layout}")
    return layout.scene


def _adm_layouts(params: AdmParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    shape = _scene_of(inputs)
    return {"scene": Layout.of_scene(replace(shape, profile=params.profile, name=params.title or shape.name))}


def _speaker_layouts(params: LoudspeakersParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
    _scene_of(inputs)
    return {"out": Layout.parse(params.layout)}


def _ears(params: BinauralParams, inputs: Mapping[str, Layout]) -> dict[str, Layout]:  # noqa: ARG001
    _scene_of(inputs)
    return {"out": Layout.parse("stereo")}


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    """Return the plugins of scenes."""
    scene = Port("in", "a scene")
    return [
        PluginCard(
            id="upmix",
            name="Upmix to objects",
            version="1.0.0",
            licence="MIT",
            doc="Stereo stems to a scene of objects and a bed that folds down to them.",
            factory="unbraid.plugins.spatial.upmix:Upmix",
            params=UpmixParams,
            ports_for=_upmix_ports,
            layouts_for=_upmix_layouts,
        ),
        PluginCard(
            id="adm",
            name="ADM master",
            version="1.0.0",
            licence="MIT",
            doc="Makes a scene ready for a file: its profile, title and loudness.",
            factory="unbraid.plugins.spatial.adm:Adm",
            params=AdmParams,
            ports=Ports((scene,), (Port("scene", "the scene, which becomes an ADM file"),)),
            layouts_for=_adm_layouts,
            passes_for=lambda params: int(params.target != "none"),
        ),
        PluginCard(
            id="loudspeakers",
            name="Loudspeakers",
            version="1.0.0",
            licence="MIT",
            doc="Renders a scene for loudspeakers (ITU-R BS.2127).",
            factory="unbraid.plugins.spatial.loudspeakers:Loudspeakers",
            params=LoudspeakersParams,
            ports=Ports((scene,), (Port("out", "channels"),)),
            layouts_for=_speaker_layouts,
        ),
        PluginCard(
            id="binaural",
            name="Binaural preview",
            version="1.0.0",
            licence="MIT",
            doc="Renders a scene for headphones, by a sphere, or a head from a SOFA file.",
            factory="unbraid.plugins.spatial.binaural:Binaural",
            params=BinauralParams,
            ports=Ports((scene,), (Port("out", "both ears"),)),
            layouts_for=_ears,
        ),
    ]


@hookimpl
def unbraid_graphs() -> dict[str, Path]:
    """Return the ready-made graphs."""
    return {name: _HERE / "graphs" / f"{name}.yaml" for name in _GRAPHS}
