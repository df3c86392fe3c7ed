"""Films by the names of their files: a job a title, its stems by their codes, and no title that lacks one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.host.jobs.manifest.conventions import CONVENTIONS
from unbraid.host.jobs.manifest.errors import ManifestError
from unbraid.host.jobs.manifest.reading import read_manifest

if TYPE_CHECKING:
    from unbraid.host.jobs.job import Job


def jobs(folder: Path, stems: Any, *files: str, **more: Any) -> list[Job]:
    """The jobs of a manifest with these ``stems``, in a folder with these files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    manifest = {"unbraid-batch": 1, "graph": "upmix", "stems": stems, **more}
    (folder / "m.json").write_text(json.dumps(manifest))
    return list(read_manifest(folder / "m.json").jobs())


def told(folder: Path, stems: Any, *files: str, **more: Any) -> list[str]:
    with pytest.raises(ManifestError) as error:
        jobs(folder, stems, *files, **more)
    assert all(each.place.line == 1 for each in error.value.problems)
    return [str(each).removeprefix(f"{folder / 'm.json'}:1: ") for each in error.value.problems]


DME = {"dialogue": "{title}_DX.wav", "music": "{title}_MX.wav", "effects": "{title}_FX.wav"}


def test_a_title_is_one_job(tmp_path: Path) -> None:
    names = [f"{title}_{code}.wav" for title in ("Zabriskie", "Ångström 2") for code in ("DX", "MX", "FX")]
    first, second = jobs(tmp_path, DME, *names, "notes.txt", target="ebu-r128")
    assert (first.title, second.title) == ("Zabriskie", "Ångström 2")
    assert first.stems == {
        "dialogue": str(tmp_path / "Zabriskie_DX.wav"),
        "music": str(tmp_path / "Zabriskie_MX.wav"),
        "effects": str(tmp_path / "Zabriskie_FX.wav"),
    }
    assert (first.inputs, first.target) == ({}, {"": "ebu-r128"})


def test_outputs_get_their_codes_back_in_a_folder_a_title(tmp_path: Path) -> None:
    names = [f"Dune_{code}.wav" for code in ("DX", "MX", "FX")]
    [job] = jobs(tmp_path, "dme", *names)
    paths = [job.path(output, "wav") for output in ("dialogue", "music", "effects", "ambience", "binaural")]
    assert paths == [f"Dune/Dune_{code}.wav" for code in ("DX", "MX", "FX", "BG", "binaural")]
    [job] = jobs(tmp_path, "dme", outputs={"dialogue": "VOX"}, name="{output}/{title}.{ext}")
    assert [job.path(output, "wav") for output in ("dialogue", "music")] == ["VOX/Dune.wav", "MX/Dune.wav"]


READY = {
    "dme": ("stems", {"dialogue": "DX", "music": "MX", "effects": "FX"}),
    "dia-mus-sfx": ("stems", {"dialogue": "DIA", "music": "MUS", "effects": "SFX"}),
    "wide": (
        "stems",
        {"dialogue": "DX", "music": "MX", "effects": "FX", "ambience": "BG", "foley": "FOL"},
    ),
    "d-me": ("stems", {"dialogue": "DX", "music-effects": "ME"}),
    "printmaster": ("inputs", {"mix": "PM"}),
}


def test_every_ready_convention_has_its_promise() -> None:
    assert set(READY) == set(CONVENTIONS)


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("folder", ["", "Dune/", "films/d/Dune/"])
def test_ready_conventions_find_titles_in_any_folder(tmp_path: Path, name: str, folder: str) -> None:
    takes, codes = READY[name]
    [job] = jobs(tmp_path, name, *(f"{folder}Dune_{code}.wav" for code in codes.values()))
    given_files = job.stems if takes == "stems" else job.inputs
    assert given_files == {stem: str(tmp_path / f"{folder}Dune_{code}.wav") for stem, code in codes.items()}
    assert (job.stems == {}) == (takes == "inputs")
    assert {stem: job.outputs[stem] for stem in codes} == codes


def test_a_convention_may_be_taken_as_a_beginning(tmp_path: Path) -> None:
    stems = {"like": "dme", "as": "inputs", "music": "**/{title}_SCORE.wav", "optional": "effects"}
    [job] = jobs(tmp_path, stems, "a/Dune_DX.wav", "b/Dune_SCORE.wav")
    assert job.inputs == {
        "dialogue": str(tmp_path / "a/Dune_DX.wav"),
        "music": str(tmp_path / "b/Dune_SCORE.wav"),
    }
    assert (job.stems, job.place) == ({}, "Dune/Dune_{output}.{ext}")


def test_a_title_that_lacks_a_file_is_named_with_it(tmp_path: Path) -> None:
    files = ("A_DX.wav", "A_MX.wav", "A_FX.wav", "B_DX.wav", "B_FX.wav", "C_FX.wav")
    assert told(tmp_path, DME, *files) == [
        "stems.music: the title 'B' lacks its music, 'B_MX.wav'; add it, or write optional: [music]",
        "stems.dialogue: the title 'C' lacks its dialogue, 'C_DX.wav'; add it, or write optional: [dialogue]",
        "stems.music: the title 'C' lacks its music, 'C_MX.wav'; add it, or write optional: [music]",
    ]
    found = jobs(tmp_path, {**DME, "optional": ["music", "dialogue"]})
    assert {job.title: list(job.stems) for job in found} == {
        "A": ["dialogue", "music", "effects"],
        "B": ["dialogue", "effects"],
        "C": ["effects"],
    }


def test_a_title_has_one_file_of_each(tmp_path: Path) -> None:
    [problem] = told(tmp_path, "printmaster", "old/Dune_PM.wav", "new/Dune_PM.wav")
    both = f"{tmp_path}/new/Dune_PM.wav and {tmp_path}/old/Dune_PM.wav"
    assert problem.startswith(f"stems.mix: the title 'Dune' has two: {both}; keep one")


def test_a_folder_a_title_is_a_pattern(tmp_path: Path) -> None:
    stems = {"dialogue": "{title}/{title}_DX.wav", "music": "{title}/{title}_MX*.wav"}
    [job] = jobs(tmp_path, stems, "Dune/Dune_DX.wav", "Dune/Dune_MX_v3.wav", "Dune/Alien_DX.wav")
    assert job.stems["music"] == str(tmp_path / "Dune/Dune_MX_v3.wav")
    assert job.title == "Dune"


def test_reels_are_jobs_of_their_own(tmp_path: Path) -> None:
    stems = {"dialogue": "{title}_{reel}_DX.wav", "music": "{title}_{reel}_MX.wav"}
    reels = ("R1", "r02", "Reel 3", "4A", "lp")
    found = jobs(tmp_path, stems, *(f"Das Boot_{reel}_{code}.wav" for reel in reels for code in ("DX", "MX")))
    assert {job.title for job in found} == {"Das Boot"}
    assert {job.place for job in found} == {f"Das Boot/Das Boot_{reel}_{{output}}.{{ext}}" for reel in reels}
    [problem] = told(tmp_path, {**stems, "music": "{title}_MX.wav"})
    assert problem == "stems: some patterns hold {reel} and some do not; write {reel} in all or in none"


def test_a_file_belongs_to_the_pattern_that_says_most_of_it(tmp_path: Path) -> None:
    [job] = jobs(tmp_path, {"mix": "{title}.wav", "dialogue": "{title}_DX.wav"}, "Dune.wav", "Dune_DX.wav")
    assert job.stems == {"mix": str(tmp_path / "Dune.wav"), "dialogue": str(tmp_path / "Dune_DX.wav")}


def test_the_film_of_a_title_is_no_stem(tmp_path: Path) -> None:
    stems = {"like": "printmaster", "film": "{title}.mov"}
    [job] = jobs(tmp_path, stems, "Dune_PM.wav", "Dune.mov", track="dialogue")
    assert (job.film, job.track) == (str(tmp_path / "Dune.mov"), "dialogue")
    assert job.inputs == {"mix": str(tmp_path / "Dune_PM.wav")}


def test_stems_of_a_title_may_lie_below_several_roots(tmp_path: Path) -> None:
    [job] = jobs(tmp_path, DME, "dx/Dune_DX.wav", "mx/Dune_MX.wav", "mx/Dune_FX.wav", roots=["dx", "mx"])
    assert [Path(path).parent.name for path in job.stems.values()] == ["dx", "mx", "mx"]


def test_titles_stand_beside_jobs(tmp_path: Path) -> None:
    more = [{"input": "x.wav", "graph": "denoise"}]
    first, second = jobs(tmp_path, "printmaster", "Dune_PM.wav", jobs=more)
    assert (first.place, second.place) == ("x.{output}.{ext}", "Dune/Dune_{output}.{ext}")


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "Dune_PM.wav").touch()
    (tmp_path / "in/Dune_PM.wav").symlink_to("../Dune_PM.wav")
    [problem] = told(tmp_path, "printmaster", roots=["in"])
    assert "stems.input.mix: " in problem
    assert "out of the roots" in problem


WRONG = {
    '"dmx"': "stems: unknown convention 'dmx'; did you mean 'dme'?",
    "5": "stems: is 5; write patterns, or one of dme, ",
    "[]": "stems: is []; write patterns",
    "{}": "stems: names no stem",
    '{"film": "{title}.mov"}': "stems: names no stem",
    '{"dialogue": 5}': "stems.dialogue: is 5; write NAME: ",
    '{"dia logue": "{title}.wav"}': "stems.dia logue: is '{title}.wav'; write NAME: ",
    '{"dialogue": "DX.wav"}': "stems.dialogue: 'DX.wav' holds no {title}",
    '{"dialogue": "../{title}_DX.wav"}': "stems.dialogue: '../{title}_DX.wav' is no pattern of files",
    '{"dialogue": "/films/{title}_DX.wav"}': "is no pattern of files below a root",
    '{"dialogue": "{titel}_DX.wav"}': "stems.dialogue: the field {titel} is not known here; known: {title}",
    '{"like": "dme", "as": "tracks"}': "stems.as: is 'tracks'; write stems or inputs",
    '{"like": "dme", "optional": ["efects"]}': "which is no stem here; did you mean 'effects'?",
    '{"like": "dme", "optional": 5}': "stems.optional: is 5; write optional: [NAME]",
    '"dme"': "stems: no file is named **/{title}_DX.wav or ",
}


@pytest.mark.parametrize("stems", WRONG)
def test_what_is_wrong_is_told(tmp_path: Path, stems: str) -> None:
    problems = told(tmp_path, json.loads(stems))
    assert any(WRONG[stems] in problem for problem in problems), problems


def test_a_table_has_no_conventions(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"unbraid-batch": 1, "stems": "dme"}\n')
    with pytest.raises(ManifestError, match=r"m.jsonl:1: stems: unknown key 'stems'"):
        read_manifest(tmp_path / "m.jsonl")


TITLES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(TITLES)
def test_no_title_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    folder = tmp_path_factory.mktemp("titles")
    try:
        [job] = jobs(folder, "printmaster", f"{title}_PM.wav")
    except ManifestError:
        return
    path = job.path("dialogue", "wav")
    assert os.path.normpath(path) == path
    assert re.fullmatch(r"[^/.][^/]*/[^/.][^/]*_DX\.wav", path)
