"""Manifests: each form says the same, jobs are read as they are asked for, and what is wrong has its line."""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.host.jobs.job import Job
from unbraid.host.jobs.manifest.errors import ManifestError, RefusedError
from unbraid.host.jobs.manifest.naming import FIELDS, Places, Template, check_outputs, safe
from unbraid.host.jobs.manifest.reading import read_manifest
from unbraid.host.jobs.manifest.render_keys import OPTIONS, render_options

BOM = "\ufeff"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    for file in ("a.wav", "reel 1/b.wav", "reel 1/c.flac", "graphs/my.yaml", "film.mov"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def jobs(path: Path, **given: Any) -> list[Job]:
    return list(read_manifest(path, **given).jobs())


def write(disk: Path, name: str, text: str) -> Path:
    path = disk / name
    path.write_bytes(text.encode())
    return path


def problems(disk: Path, name: str, text: str | bytes, **given: Any) -> list[str]:
    """What is wrong with a manifest, each as ``line: key: what; remedy``."""
    path = disk / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ManifestError) as error:
        jobs(path, **given)
    told = str(error.value).split("\n")
    assert len(told) == len(error.value.problems)
    assert all(line.startswith(str(path)) for line in told), told
    assert error.value.exit_code == 2
    return [line.removeprefix(str(path)).lstrip(":") for line in told]


def problem(disk: Path, name: str, text: str | bytes, **given: Any) -> str:
    [only] = problems(disk, name, text, **given)
    return only


# Three forms


YAML = """\
unbraid-batch: 1
graph: dewind
settings: {dewind.limit: 12}
line-up: true
jobs:
  - input: a.wav
    priority: 5
  - input: {mix: reel 1/b.wav}
    graph: graphs/my.yaml
    settings: {dewind.depth: 0.5}
    options: {format: flac, track: 2}
    devices: {dewind: cuda}
    outputs: {clean: DX}
    title: "1917"
    target: ebu-r128
    film: film.mov
    track: clean
    timeout: 90
    name: "{title}/{graph}_{output}.{ext}"
"""
HEADER = {"unbraid-batch": 1, "graph": "dewind", "settings": {"dewind.limit": 12}, "line-up": True}
LINES = [
    {"input": "a.wav", "priority": 5},
    {
        "input": {"mix": "reel 1/b.wav"},
        "graph": "graphs/my.yaml",
        "settings": {"dewind.depth": 0.5},
        "options": {"format": "flac", "track": 2},
        "devices": {"dewind": "cuda"},
        "outputs": {"clean": "DX"},
        "title": "1917",
        "target": "ebu-r128",
        "film": "film.mov",
        "track": "clean",
        "timeout": 90,
        "name": "{title}/{graph}_{output}.{ext}",
    },
]
CSV = """\
input,input.mix,graph,set.dewind.limit,set.dewind.depth,line-up,option.format,option.track,device.dewind,\
output.clean,title,target,film,track,timeout,priority,name
a.wav,,dewind,12,,true,,,,,,,,,,5,
,reel 1/b.wav,graphs/my.yaml,12,0.5,true,flac,2,cuda,\
DX,1917,ebu-r128,film.mov,clean,90,,{title}/{graph}_{output}.{ext}
"""


def said(disk: Path, *lines: int) -> list[Job]:
    """What the three texts above say."""
    return [
        Job(
            place="a.{output}.{ext}",
            graph="dewind",
            inputs={"": str(disk / "a.wav")},
            settings={"dewind.limit": 12},
            options={"line_up": True},
            priority=5,
            line=lines[0],
        ),
        Job(
            place="1917/my_{output}.{ext}",
            graph=str(disk / "graphs/my.yaml"),
            inputs={"mix": str(disk / "reel 1/b.wav")},
            settings={"dewind.limit": 12, "dewind.depth": 0.5},
            devices={"dewind": "cuda"},
            options={"line_up": True, "form": "flac", "source": {"track": 2}},
            outputs={"clean": "DX"},
            title="1917",
            target={"": "ebu-r128"},
            film=str(disk / "film.mov"),
            track="clean",
            timeout=90.0,
            line=lines[1],
        ),
    ]


def test_a_document_says_jobs(disk: Path) -> None:
    manifest = read_manifest(write(disk, "spring.yaml", YAML))
    assert (manifest.name, manifest.roots) == ("spring", (str(disk),))
    assert manifest.settings == {"dewind.limit": 12}
    assert list(manifest.jobs()) == said(disk, 6, 8)
    assert list(manifest.jobs()) == said(disk, 6, 8)  # as often as one likes


def test_json_says_the_same(disk: Path) -> None:
    text = json.dumps({**HEADER, "jobs": LINES}, indent=1)
    first = text[: text.index('"input": "a.wav"')].count("\n")  # the brace stands a line above the key
    second = text[: text.index('"input": {')].count("\n")
    assert jobs(write(disk, "m.json", text)) == said(disk, first, second)


def test_json_lines_say_the_same(disk: Path) -> None:
    lines = "\n".join(json.dumps(each) for each in (HEADER, *LINES))
    assert jobs(write(disk, "m.jsonl", lines)) == said(disk, 2, 3)


def test_csv_says_the_same(disk: Path) -> None:
    assert jobs(write(disk, "m.csv", CSV)) == said(disk, 2, 3)


@pytest.mark.parametrize("between", [";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", BOM])
def test_csv_as_spreadsheets_write_it(disk: Path, between: str, end: str, mark: str) -> None:
    text = mark + CSV.replace(",", between).replace("\n", end)
    assert jobs(write(disk, "m.csv", text)) == said(disk, 2, 3)


@pytest.mark.parametrize("name", ["m.jsonl", "m.yaml"])
def test_marks_and_ends_of_lines_do_not_matter(disk: Path, name: str) -> None:
    lines = "\n".join(json.dumps(each) for each in (HEADER, *LINES)) if name == "m.jsonl" else YAML
    wanted = said(disk, 2, 3) if name == "m.jsonl" else said(disk, 6, 8)
    assert jobs(write(disk, name, BOM + lines.replace("\n", "\r\n"))) == wanted


def test_quoted_cells_hold_anything(disk: Path) -> None:
    (disk / "one, two.wav").touch()
    text = 'input,title,graph\n"one, two.wav","a ""b"";\nc",dewind\na.wav,x,dewind\n'
    (problem_,) = problems(disk, "m.csv", text)
    assert problem_.startswith("2: title: ")  # a line's end is no part of a title
    first, second = jobs(write(disk, "m.csv", text.replace("\nc", "")))
    assert (first.inputs[""], first.title) == (str(disk / "one, two.wav"), 'a "b";')
    assert second.line == 3


def test_a_row_over_several_lines_keeps_the_count(disk: Path) -> None:
    text = 'input,graph,name\na.wav,dewind,"\n"\na.wav,dewind,\nreel 1/b.wav,dewind,{titel}.{ext}\n'
    assert [line.partition(":")[0] for line in problems(disk, "m.csv", text)] == ["2", "5"]


def test_the_titles_delimiter_is_not_taken_for_the_headers(disk: Path) -> None:
    [job] = jobs(write(disk, "m.csv", "input;title;graph\na.wav;one, two, three, four;dewind\n"))
    assert job.title == "one, two, three, four"


def test_empty_lines_are_passed_over(disk: Path) -> None:
    text = '\n{"input": "a.wav"}\n   \n{"input": "reel 1/b.wav"}\n\n'
    assert [job.line for job in jobs(write(disk, "m.jsonl", text), graph="dewind")] == [2, 4]


def test_stems_are_named(disk: Path) -> None:
    text = json.dumps({"stems": {"dialogue": "a.wav", "music": "reel 1/b.wav"}, "graph": "upmix"})
    [job] = jobs(write(disk, "m.jsonl", text))
    assert job.stems == {"dialogue": str(disk / "a.wav"), "music": str(disk / "reel 1/b.wav")}
    assert (job.inputs, job.place) == ({}, "a.{output}.{ext}")
    [same] = jobs(write(disk, "m.csv", "graph,stem.dialogue,stem.music\nupmix,a.wav,reel 1/b.wav\n"))
    assert same.stems == job.stems


# Who says what


def test_a_job_goes_before_the_caller_and_that_before_the_defaults(disk: Path) -> None:
    text = "unbraid-batch: 1\ngraph: dewind\ntimeout: 5\njobs: [{input: a.wav}, {input: b.wav, graph: x}]"
    first, second = jobs(write(disk, "m.yaml", text), graph="upmix", defaults={"timeout": 7})
    assert (first.graph, second.graph) == ("upmix", "x")
    assert (first.timeout, second.timeout) == (7.0, 7.0)


def test_the_callers_graph_may_lie_anywhere(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (disk / "manifests").mkdir()
    path = write(disk, "manifests/m.csv", "input\nx.wav\n")
    monkeypatch.chdir(disk)
    [job] = jobs(path, graph="graphs/my.yaml")
    assert job.graph == str(disk / "graphs/my.yaml")
    with pytest.raises(ManifestError, match=r"the request: graph: there is no graph 'graphs/none.yaml'"):
        read_manifest(path, graph="graphs/none.yaml")


def test_roots_lie_beside_the_manifest_or_where_it_says(disk: Path) -> None:
    (disk / "manifests").mkdir()
    text = "unbraid-batch: 1\nroots: [..]\ngraph: dewind\njobs: [{input: a.wav}]\n"
    path = write(disk, "manifests/m.yaml", text)
    assert jobs(path)[0].inputs == {"": str(disk / "a.wav")}
    path.write_text(text.replace("roots: [..]\n", "").replace("a.wav", "../a.wav"))
    with pytest.raises(ManifestError, match=re.escape(f"{path}:3: jobs[0].input: '../a.wav' leads out")):
        jobs(path)


def test_a_link_to_a_manifest_stands_where_it_is(disk: Path) -> None:
    (disk / "templates").mkdir()
    write(disk, "templates/m.csv", "input\na.wav\n")
    (disk / "spring.csv").symlink_to("templates/m.csv")
    [job] = jobs(disk / "spring.csv", graph="dewind")
    assert job.inputs == {"": str(disk / "a.wav")}


def test_the_callers_roots_bound_those_of_the_manifest(disk: Path) -> None:
    text = "unbraid-batch: 1\nroots: [reel 1]\ngraph: dewind\njobs: [{input: b.wav}]\n"
    path = write(disk, "m.yaml", text)
    assert jobs(path, roots=[disk])[0].inputs == {"": str(disk / "reel 1/b.wav")}
    with pytest.raises(ManifestError, match=r"m.yaml:2: roots: the root .*reel 1 lies outside of .*graphs"):
        jobs(path, roots=[disk / "graphs"])


# Folders


def test_a_folder_and_a_pattern_are_a_manifest(disk: Path) -> None:
    found = jobs(disk, graph="dewind")
    assert [(job.place, job.inputs) for job in found] == [
        ("a.{output}.{ext}", {"": str(disk / "a.wav")}),
        ("reel 1/b.{output}.{ext}", {"": str(disk / "reel 1/b.wav")}),
    ]
    [flac] = jobs(disk, graph="dewind", pattern="reel */?.fl[a-c]c")
    assert flac.inputs == {"": str(disk / "reel 1/c.flac")}
    assert read_manifest(disk, graph="dewind").name == disk.name


def test_files_stand_beside_jobs_and_none_is_taken_twice(disk: Path) -> None:
    text = "unbraid-batch: 1\ngraph: dewind\nfiles: ['**/*.wav', 'reel 1/*']\njobs: [{input: film.mov}]\n"
    found = jobs(write(disk, "m.yaml", text))
    assert [Path(job.inputs[""]).name for job in found] == ["film.mov", "a.wav", "b.wav", "c.flac"]


def test_what_is_hidden_skipped_or_outside_is_not_gathered(disk: Path) -> None:
    for file in (".hidden.wav", ".folder/x.wav", "out/a.dewind.wav"):
        (disk / file).parent.mkdir(exist_ok=True)
        (disk / file).touch()
    (disk / "elsewhere").symlink_to("/etc")
    found = jobs(disk, graph="dewind", skip=[disk / "out"])
    assert [Path(job.inputs[""]).name for job in found] == ["a.wav", "b.wav"]


def test_a_gathered_link_that_leads_out_is_refused(disk: Path) -> None:
    (disk / "reel 1/passwd.wav").symlink_to("/etc/passwd")
    with pytest.raises(ManifestError, match=r"passwd.wav' leads through the link .* out of the roots"):
        jobs(disk, graph="dewind")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*.mp3", "matches no file"),
        ("../*.wav", "no pattern"),
        ("/etc/*", "no pattern"),
        ("a\\*.wav", "no pattern"),
        ("**/{title}.wav", "not known here"),
        ("*a*b*c*d*e*f*g*h*i.wav", "more than 8"),
        ("[z-a].wav", "brackets"),
    ],
)
def test_patterns_that_cannot_be_are_told(disk: Path, pattern: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        jobs(disk, graph="dewind", pattern=pattern)


# Problems


WRONG = {
    ("m.yaml", ""): "is empty",
    ("m.yaml", "- a.wav\n"): "is no mapping",
    (
        "m.yaml",
        "unbraid-batch: 2\njobs: []\n",
    ): "1: unbraid-batch: states version 2; begin with unbraid-batch: 1",
    ("m.yaml", "graph: dewind\njobs: [{input: a.wav}]\n"): "unbraid-batch: states no version",
    ("m.yaml", "unbraid-batch: 1\n"): "holds no jobs",
    ("m.yaml", "unbraid-batch: 1\njobs: 5\n"): "2: jobs: is 5, not a list",
    ("m.yaml", "unbraid-batch: 1\ngraph: x\njobs:\n  - a.wav\n"): "4: jobs[0]: is 'a.wav', not a mapping",
    ("m.yaml", "unbraid-batch: 1\ngrahp: x\n"): "2: grahp: unknown key 'grahp'; did you mean 'graph'?",
    ("m.yaml", "unbraid-batch: 1\njob: []\n"): "2: job: unknown key 'job'; did you mean 'jobs'?",
    ("m.yaml", "unbraid-batch: 1\nroots: [nowhere]\n"): "2: roots: the root 'nowhere' is no folder",
    ("m.yaml", "unbraid-batch: 1\nfiles: ['*.mp3']\ngraph: x\n"): "2: files[0]: matches no file",
    ("m.yaml", "unbraid-batch: [\n"): "not valid YAML",
    (
        "m.yaml",
        "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "c: [" + "*b," * 5000 + "]\n",
    ): "50000 values",
    ("m.yaml", "a" * (1 << 20) + ": 1"): "write so many jobs as JSON Lines or CSV",
    ("m.json", '{"unbraid-batch": 1, "jobs": [{"input": "a.wav"}]}'): "1: jobs[0].graph: no graph is given",
    ("m.jsonl", ""): "holds no jobs",
    ("m.jsonl", '{"unbraid-batch": 1}\n'): "holds no jobs",
    ("m.jsonl", '{"unbraid-batch": true, "graph": "x"}\n'): "1: unbraid-batch: states version True",
    ("m.jsonl", '{"unbraid-batch": 1, "jobs": []}\n'): "1: jobs: unknown key 'jobs'",
    ("m.jsonl", '{"input": "a.wav", "graph": "x"}\n{"input": "film.mov", "gr'): "2: the last line breaks off",
    ("m.jsonl", '{"input": "a.wav", "graph": "x"}\n["film.mov"]\n'): "2: holds ['film.mov'], not an object",
    ("m.jsonl", '{"input": "a.wav", "graph": "x"}\n{"input": NaN}\n'): "2: is not JSON",
    ("m.jsonl", "[" * 100_000 + "\n"): "1: is nested too deep",
    ("m.jsonl", '{"input": "' + "a" * (1 << 20) + '"}\n'): "1: the line is longer than 1048576 bytes",
    ("m.jsonl", '{"input": "a.wav", "graph": "x", "limit": 5}\n'): "1: limit: unknown key 'limit'; ",
    ("m.jsonl", '{"input": 5, "graph": "x"}\n'): "1: input: is 5, which is no path",
    ("m.jsonl", '{"graph": "x"}\n'): "1: input: no input is given",
    (
        "m.jsonl",
        '{"input": "a\\u0000.wav", "graph": "x"}\n',
    ): "1: input: 'a\\x00.wav' holds the character U+0000",
    ("m.jsonl", '{"input": {"a b": "a.wav"}, "graph": "x"}\n'): "1: input.a b: 'a b' is not a name",
    ("m.jsonl", '{"input": {"a": "../x"}, "graph": "x"}\n'): "1: input.a: '../x' leads out of the roots",
    (
        "m.jsonl",
        '{"input": "a.wav", "stems": {"b": "a.wav"}, "graph": "x"}\n',
    ): "has inputs and stems; give either",
    (
        "m.csv",
        "input,input.noise,graph\na.wav,film.mov,x\n",
    ): "2: input: one input has no name, but others have",
    ("m.csv", ""): "holds no jobs",
    ("m.csv", "input,graph\n"): "holds no jobs",
    ("m.csv", "input,grpah\n"): "1: unknown column 'grpah'; did you mean 'graph'?",
    ("m.csv", "input,graph,\na.wav,x,\n"): "1: unknown column ''",
    ("m.csv", "input,settings\n"): "1: unknown column 'settings'",
    ("m.csv", "input,set.\n"): "1: unknown column 'set.'",
    ("m.csv", "input,input\n"): "1: the column 'input' stands twice",
    ("m.csv", "input,graph\na.wav\n"): "2: has 1 cells under 2 columns",
    ("m.csv", "input,graph\na.wav,x,y\n"): "2: has 3 cells under 2 columns",
    ("m.csv", 'input,graph\na.wav,x\n"b.wav,x\n'): "3: is not CSV",
    ("m.csv", 'input,graph\na.wav,x\n"b"c,x\n'): "3: is not CSV",
    ("m.csv", "input,set.a.b.c,graph\na.wav,1,x\n"): "2: set.a.b.c: 'a.b.c' is not node.param",
    ("m.csv", "input,option.speed\na.wav,1\n"): "2: option.speed: unknown option 'speed'",
    ("m.csv", "input,priority,graph\na.wav,high,x\n"): "2: priority: is 'high'; write a whole number",
    ("m.csv", "input,timeout,graph\na.wav,-1,x\n"): "2: timeout: is -1; write seconds",
    ("m.csv", "input,timeout,graph\na.wav,.inf,x\n"): "2: timeout: is inf; write seconds",
    ("m.csv", "input,track,graph\na.wav,clean,x\n"): "2: track: there is no film to put it into",
    ("m.csv", "input,tails,graph\na.wav,yes,x\n"): "2: tails: tails is 'yes', not true or false",
    ("m.csv", "input,format,graph\na.wav,mp3,x\n"): "2: format: format is 'mp3'",
    ("m.csv", "input,output-rate,graph\na.wav,5,x\n"): "output_rate is 5; rates are",
    ("m.csv", "input,option.track,graph\na.wav,0,x\n"): "track is 0; the sounds of a film count from 1",
    ("m.csv", "input,raw,graph\na.wav,s16le,x\n"): "lacks its rate or channels",
    ("m.csv", "input,devices,graph\na.wav,gpu,x\n"): "2: devices: unknown device 'gpu'; known: cpu, cuda",
    (
        "m.csv",
        "input,target,graph\na.wav,ebu-r182,x\n",
    ): "2: target: unknown target 'ebu-r182'; did you mean 'ebu-r128'?",
    ("m.csv", "input,graph\na.wav,graphs/none.yaml\n"): "2: graph: there is no graph",
    ("m.csv", "input,graph\na.wav,../dewind\n"): "2: graph: '../dewind' leads out",
    ("m.csv", "input,graph\na.wav,de wind\n"): "2: graph: 'de wind' is no graph's name",
    ("m.csv", "input,output.clean,graph\na.wav,../DX,x\n"): "2: output.clean: '../DX' cannot be part",
    (
        "m.csv",
        "input,graph\na.wav,x\na.wav,x\n",
    ): "3: 'a.wav' has the outputs of line 2: a.{output}.{ext}; give one",
    (
        "m.csv",
        "input,graph,name\na.wav,x,../{output}.{ext}\n",
    ): "2: name: '../{output}.{ext}' has a name that begins",
}


@pytest.mark.parametrize(("name", "text"), WRONG, ids=lambda text: text[:50])
def test_what_is_wrong_is_told_in_one_line(disk: Path, name: str, text: str) -> None:
    told = problems(disk, name, text)
    assert WRONG[name, text] in told[0]
    assert len(told[0]) < 500
    # further problems are of other keys or lines
    assert len({line.split("; ")[0] for line in told}) == len(told)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("m.yaml", b"unbraid-batch: 1\ntitle: caf\xe9\n", "2: is not UTF-8"),
        (
            "m.jsonl",
            b'{"input": "a.wav", "graph": "x"}\n{"input": "caf\xe9"}\n',
            "2: byte 15 of the line is not UTF-8",
        ),
        ("m.csv", b"input,graph\na.wav,x\ncaf\xe9,x\n", "3: byte 4 of the line is not UTF-8"),
        ("m.csv", "input,graph\na.wav,x\n".encode("utf-16"), "1: byte 1 of the line is not UTF-8"),
    ],
)
def test_other_encodings_are_told(disk: Path, name: str, data: bytes, said: str) -> None:
    assert problem(disk, name, data).startswith(said)


def test_problems_are_told_at_once_but_not_more_than_twenty(disk: Path) -> None:
    lines = [json.dumps({"input": f"../{number}.wav", "graph": "x"}) for number in range(30)]
    told = problems(disk, "m.jsonl", "\n".join(lines))
    assert [int(line.partition(":")[0]) for line in told] == list(range(1, 21))


def test_one_job_may_have_them_all(disk: Path) -> None:
    text = json.dumps(
        {"input": "a.wav", "graph": "x", "settings": {f"no{number}": 1 for number in range(30)}}
    )
    told = problems(disk, "m.jsonl", text)
    assert len(told) == 20
    assert told[0] == "1: settings.no0: 'no0' is not node.param; write settings: {NAME: VALUE}"


def test_after_a_problem_no_job_comes(disk: Path) -> None:
    path = write(disk, "m.csv", "input,graph\na.wav,x\n../b.wav,x\nfilm.mov,x\n")
    reading = read_manifest(path).jobs()
    assert next(reading).line == 2
    with pytest.raises(ManifestError, match=r"m.csv:3: input: '../b.wav' leads out"):
        next(reading)


def test_a_missing_input_is_its_jobs_own_failure(disk: Path) -> None:
    [job] = jobs(write(disk, "m.csv", "input,film,graph\nno/such.wav,none.mov,dewind\n"))
    assert (job.inputs, job.film) == ({"": str(disk / "no/such.wav")}, str(disk / "none.mov"))


def test_what_is_no_manifest_is_told(disk: Path) -> None:
    os.mkfifo(disk / "m.csv")
    for path, said in (
        (disk / "none.csv", "cannot be read: No such file"),
        (disk / "a.wav", "has none of the endings of manifests"),
        (disk / "m.csv", "is no plain file"),
        (f"{disk}/m\0.csv", "cannot be read"),
    ):
        with pytest.raises(ManifestError, match=said):
            read_manifest(path)
    with pytest.raises(ManifestError, match="a pattern is for folders"):
        read_manifest(write(disk, "x.csv", ""), pattern="*.wav")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, ahead in (("m.yaml", b"unbraid-batch: 1\n"), ("m.jsonl", b""), ("m.csv", b"input,graph\n")):
        (folder / name).write_bytes(ahead + data)
        try:
            jobs(folder / name, graph="dewind")
        except ManifestError as error:
            assert 1 <= len(error.problems) <= 20  # noqa: PT017 - nothing else may come


# Many


def test_a_long_manifest_is_read_as_it_is_asked_for(disk: Path) -> None:
    with (disk / "m.jsonl").open("w") as file:
        file.write('{"unbraid-batch": 1, "graph": "dewind"}\n')
        for number in range(20_000):
            file.write(f'{{"input": "reel 1/{number}.wav", "title": "Film {number}"}}\n')
        file.write("what follows is never seen\n")
    few = list(islice(read_manifest(disk / "m.jsonl").jobs(), 3))
    assert [job.line for job in few] == [2, 3, 4]
    tracemalloc.start()
    try:
        count = sum(1 for _ in islice(read_manifest(disk / "m.jsonl").jobs(), 20_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 20_000 * 120 + (2 << 20)  # a place's hash for each, and nothing of the line


# Names


TEMPLATES = {
    "{output}": "must end in",
    "x.wav": "must end in",
    "{ext}.{ext}": "must end in",
    "/{output}.{ext}": "not a path below",
    "../{output}.{ext}": "begins with a dot",
    "a/../{output}.{ext}": "begins with a dot",
    "a//{output}.{ext}": "begins with a dot, or none",
    ".hidden.{ext}": "begins with a dot",
    "a\\{output}.{ext}": "not a path below",
    "a\n.{ext}": "U+000A",
    "{titel}.{ext}": "did you mean 'title'?",
    "{}.{ext}": "unknown field",
    "{title.{ext}": "brace",
    "a{folder}/x.{ext}": "by itself",
    "x/{folder}/y.{ext}": "ahead of the rest",
}


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(TEMPLATES[text])):
        Template(text)


def test_a_field_without_a_value_is_told(disk: Path) -> None:
    text = "input,graph,name\na.wav,x,{title}_{output}.{ext}\n"
    assert problem(disk, "m.csv", text).startswith(
        "2: name: name holds {title}, but the job has none; give title"
    )


def test_an_input_without_an_ending_keeps_its_dots(disk: Path) -> None:
    text = "input,graph\ntake.1.final.wav,x\n.wav,x\nplain,x\n"
    found = [job.path("clean", "wav") for job in jobs(write(disk, "m.csv", text))]
    assert found == ["take.1.final.clean.wav", "_wav.clean.wav", "plain.clean.wav"]


def test_names_too_long_are_told(disk: Path) -> None:
    text = f"input,graph,title,name\na.wav,x,{'t' * 200},{{title}}.{{output}}.{{ext}}\n"
    assert "has 202 bytes, of at most 185; give a shorter name" in problem(disk, "m.csv", text)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=60)), st.text(max_size=30))
def test_no_value_leads_out_of_the_folder(values: dict[str, str], code: str) -> None:
    every = {**dict.fromkeys(FIELDS, ""), **values}
    for text in ("{folder}/{input}.{output}.{ext}", "{title}/{reel}/{graph}{input}_{output}.{ext}"):
        try:
            place = Template(text).place(every)
        except RefusedError:
            continue
        assert (place.count("{output}"), place.count("{ext}"), place.count("{")) == (1, 1, 2)
        path = Job(place=place, graph="g", inputs={}, outputs={"x": safe(code) or "x"}).path("x", "wav")
        assert os.path.normpath(path) == path
        assert not path.startswith(("/", "../"))
        assert all(part.isprintable() or not re.search(r"[\0-\x1f]", part) for part in path.split("/"))
        assert not any(part.startswith(".") for part in path.split("/"))


@given(st.text(max_size=40))
def test_no_template_leads_out_of_the_folder(text: str) -> None:
    for whole in (text, f"{text}.{{ext}}", f"a/{text}/{{output}}.{{ext}}"):
        try:
            place = Template(whole).place(dict.fromkeys(FIELDS, "x"))
        except RefusedError:
            continue
        assert os.path.normpath(place) == place
        assert not place.startswith(("/", "."))


def test_places_that_disks_take_for_one_are_one() -> None:
    places = Places()
    assert places.claim("Näß/take.{output}.{ext}", 4) is None
    assert places.claim("Näß/take2.{output}.{ext}", 5) is None
    assert places.claim("na\u0308ss/TAKE.{output}.{ext}", 9) == 4  # other case, other spelling of ä


def test_two_outputs_with_one_name_are_told() -> None:
    job = Job(place="a.{output}.{ext}", graph="g", inputs={}, outputs={"speech": "DX"}, line=7)
    check_outputs(job, ["speech", "noise"])
    with pytest.raises(
        ManifestError, match=r"m.csv:7: outputs: speech and dx would both be a.dx.wav; give each"
    ):
        check_outputs(job, ["speech", "dx"], source="m.csv")
    whole = Job(place="a.{ext}", graph="g", inputs={})
    check_outputs(whole, ["speech"])
    with pytest.raises(ManifestError, match=r"^manifest: name: speech and noise would both be a.flac"):
        check_outputs(whole, ["speech", "noise"], "flac")


# Options


def test_every_option_reaches_the_render() -> None:
    values = {bool: True, int: 44_100, str: "2"}
    for key, (field, takes) in OPTIONS.items():
        value = takes[-1] if isinstance(takes, tuple) else values[takes]
        if key in {"raw", "rate", "channels"}:
            continue  # these go together
        inner = field.removeprefix("source.")
        made = render_options({"source": {inner: value}} if inner != field else {field: value})
        assert getattr(made.source if inner != field else made, inner) == value
    raw = render_options({"source": {"raw": "s16le", "rate": 8000, "channels": "2"}}).source
    assert (raw.raw, raw.rate, raw.channels) == ("s16le", 8000, "2")
