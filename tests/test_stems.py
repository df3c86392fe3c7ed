"""Stems by name: a graph over one input becomes one over several, or says which node takes none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from unbraid import Graph, GraphError
from unbraid.host.graph.stems import spread_stems

if TYPE_CHECKING:
    from command_rig import Done, Unbraid
    from unbraid.host.registry import Registry

Array = np.ndarray[Any, np.dtype[np.float32]]
RATE = 48_000
SAFE = """\
unbraid: 1
nodes:
  safe: {use: limiter, from: mix, params: {ceiling: -6}}
outputs:
  low: safe.boom
  high: safe.lav
"""
HALF = """\
unbraid: 1
nodes:
  half: {use: gain, from: mix, params: {gain: -6}}
outputs:
  out: half
"""


def graph(text: str) -> Graph:
    return Graph.parse(text, "take.yaml")


def sources(made: Graph, node: str) -> list[tuple[str, str | None]]:
    found = made.document().nodes[node].sources
    return [(each.node, each.port) for each in (found.values() if isinstance(found, dict) else found)]


def noise(seed: int, level: float = 0.9, channels: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-level, level, (4800, channels)).astype(np.float32)


def read(path: str) -> Array:
    return np.asarray(soundfile.read(path, dtype="float32", always_2d=True)[0])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with graphs and two recordings, as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "safe.yaml").write_text(SAFE)
    (tmp_path / "half.yaml").write_text(HALF)
    for seed, name in enumerate(("boom", "lav")):
        soundfile.write(f"{name}.wav", noise(seed), RATE, subtype="FLOAT")
    return tmp_path


# Graphs


def test_the_input_becomes_the_stems_in_their_order(registry: Registry) -> None:
    for names in (["boom", "lav"], ["lav", "boom"], ["one"], [f"s{k}" for k in range(12)]):
        made = graph(SAFE)
        spread_stems(made, names, registry)
        document = made.document()
        assert list(document.inputs) == names
        node = document.nodes["safe"]
        assert sources(made, "safe") == [(name, None) for name in names]
        assert node.params == {"ceiling": -6, "stems": names}


def test_every_node_that_the_input_leads_to_gets_the_stems_and_no_other(registry: Registry) -> None:
    made = Graph()
    mix = made.input("film", "stereo")
    made.node("one", "limiter", mix)
    level = made.node("two", "normalize", mix, target=-20)
    made.output("out", made.node("behind", "gain", level["a"]))
    spread_stems(made, ["a", "b"], registry)
    nodes = made.document().nodes
    for name in ("one", "two"):
        assert sources(made, name) == [("a", None), ("b", None)]
        assert nodes[name].params["stems"] == ["a", "b"]
    assert nodes["two"].params["target"] == -20
    assert sources(made, "behind") == [("two", "a")]
    assert "stems" not in nodes["behind"].params


def test_an_input_that_has_its_port_s_name_is_led_on_as_well(registry: Registry) -> None:
    made = graph("unbraid: 1\nnodes:\n  safe: {use: limiter, from: {in: mix}}\noutputs:\n  a: safe.a\n")
    spread_stems(made, ["a", "b"], registry)
    assert sources(made, "safe") == [("a", None), ("b", None)]


TWO = """\
unbraid: 1
inputs: {a: null, b: null}
nodes:
  safe: {use: limiter, from: [a, b], params: {stems: [a, b]}}
outputs:
  a: safe.a
"""
BESIDE = """\
unbraid: 1
inputs: {mix: null}
nodes:
  safe: {use: limiter, from: mix}
  both: {use: mix, from: [mix, safe.a]}
outputs:
  out: both
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HALF, "take.yaml: nodes.half: the node 'half' (gain) takes no stems; give one INPUT"),
        (BESIDE, "take.yaml: nodes.both: the node 'both' (mix) takes no stems; give one INPUT"),
        (
            HALF.replace("use: gain", "use: nothing-of-the-kind"),
            "take.yaml: nodes.half: the node 'half' (nothing-of-the-kind) takes no stems; give one INPUT",
        ),
        (
            BESIDE.replace("from: mix}", "from: [mix, mix], params: {stems: [a, b]}}"),
            "take.yaml: nodes.safe: the node 'safe' (limiter) takes no stems; give one INPUT",
        ),
        (TWO, "take.yaml: inputs: has the inputs a, b already; give them with --input"),
        (
            "unbraid: 1\ninputs: {mix: null}\noutputs:\n  out: mix\n",
            "take.yaml: inputs: leads its input 'mix' to no node that takes stems",
        ),
    ],
)
def test_a_graph_that_takes_no_stems_says_which_node_and_what_to_do(
    text: str, says: str, registry: Registry
) -> None:
    with pytest.raises(GraphError) as caught:
        spread_stems(graph(text), ["a", "b"], registry)
    assert str(caught.value) == says
    assert caught.value.exit_code == 2


# The command line


def stems(*pairs: str) -> list[str]:
    return [part for pair in pairs for part in ("--stem", pair)]


def test_stems_reach_the_inputs_of_their_names(here: Path, unbraid: Unbraid) -> None:
    for order in (("boom=boom.wav", "lav=lav.wav"), ("lav=lav.wav", "boom=boom.wav")):
        done = unbraid(
            "render", "safe.yaml", *stems(*order), "-o", "out", "--set", "safe.ceiling=0", "--overwrite"
        )
        assert (done.code, done.err) == (0, "")
        first = order[0].partition("=")[0]
        # One gain for both, which keeps their sum below full scale: stems go on being stems.
        low, high = read(f"out/{first}.low.wav"), read(f"out/{first}.high.wav")
        gains = low / noise(0)
        np.testing.assert_allclose(high, gains * noise(1), atol=1e-5)
        assert np.abs(low + high).max() <= 1
        assert 0.4 < gains.min() < 0.99


def test_outputs_are_named_after_the_first_stem(here: Path, unbraid: Unbraid) -> None:
    assert unbraid("render", "safe.yaml", *stems("lav=lav.wav", "boom=boom.wav"), "-o", "out").code == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == ["lav.high.wav", "lav.low.wav"]


def test_a_ready_made_graph_makes_a_scene_of_stems(here: Path, unbraid: Unbraid) -> None:
    arguments = [*stems("dialogue=boom.wav", "fx=lav.wav"), "--set", "render.layout=stereo", "-o", "out"]
    assert unbraid("render", "upmix-render", *arguments).code == 0
    mix = np.repeat(noise(0) + noise(1), 2, axis=1) / np.sqrt(2)  # each in front, on two loudspeakers
    np.testing.assert_allclose(read("out/boom.render.wav"), mix, atol=1e-6)


def test_other_parameters_of_the_node_can_still_be_set(here: Path, unbraid: Unbraid) -> None:
    arguments = [*stems("boom=boom.wav", "lav=lav.wav"), "--set", "safe.ceiling=-40", "-o", "out"]
    assert unbraid("render", "safe.yaml", *arguments).code == 0
    assert np.abs(read("out/boom.low.wav") + read("out/boom.high.wav")).max() <= 0.01


def test_a_graph_that_names_stems_that_were_not_given_says_which(here: Path, unbraid: Unbraid) -> None:
    done = unbraid("render", "safe.yaml", *stems("a=boom.wav", "lav=lav.wav"), "-o", "out")
    assert done.code == 2
    assert (
        done.err
        == "unbraid: safe.yaml:5: outputs.low: 'safe' (limiter) has no output 'boom'; known: a, lav\n"
    )


def refused(done: Done) -> str:
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert not Path("out").exists()
    return done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["safe.yaml", "boom.wav", *stems("lav=lav.wav")], "give either INPUT or --stem, not both"),
        (["safe.yaml", *stems("a=boom.wav", "a=lav.wav")], "--stem names 'a' twice"),
        (["safe.yaml", *stems("boom.wav")], "--stem 'boom.wav' must read NAME=FILE"),
        (["safe.yaml", *stems("=boom.wav")], "--stem '=boom.wav' must read NAME=FILE"),
        (["safe.yaml", *stems("a=")], "--stem 'a=' must read NAME=FILE"),
        (["safe.yaml", *stems("a b=boom.wav")], "'a b' is not a name"),
        (["safe.yaml", *stems("a=boom.wav"), "--input", "a=lav.wav"], "the input 'a' is given twice"),
        (
            ["half.yaml", *stems("a=boom.wav", "b=lav.wav")],
            "the node 'half' (gain) takes no stems; give one INPUT",
        ),
        (["half.yaml", *stems("a=boom.wav")], "the node 'half' (gain) takes no stems; give one INPUT"),
    ],
)
def test_stems_that_cannot_be_are_refused_in_one_line(
    here: Path, unbraid: Unbraid, arguments: list[str], says: str
) -> None:
    assert says in refused(unbraid("render", *arguments, "-o", "out"))
