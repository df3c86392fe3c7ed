"""The author writes masks; frames, latency, automation at the frame's centre are the host's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pytest

from unbraid.host import Graph, NodeError, process
from unbraid.host.contract import Layout, Params, Spec, StftProcessor, param

if TYPE_CHECKING:
    from unbraid.host.registry import Registry

N_FFT, HOP = 512, 128  # of the plugin `mask`


class _Volume(Params, frozen=True):
    volume: Annotated[float, param("gain", ge=0, le=1)] = 1.0


def noise(length: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, length)).astype(np.float32)


def mask_graph(gain: float = 1.0, plugin: str = "mask") -> Graph:
    graph = Graph()
    graph.output("out", graph.node("m", plugin, graph.input("mix"), gain=gain))
    return graph


def test_masks_of_one_give_the_input_back(registry: Registry) -> None:
    x = noise(5000)
    done = process(mask_graph(), x, rate=48000, registry=registry)["out"]
    np.testing.assert_allclose(done, x, atol=5e-7)


def test_latency_is_one_frame_less_a_sample_and_constant(registry: Registry) -> None:
    card = registry.card("mask")
    processor = registry.build(card, card.params())
    stereo = Layout.parse("stereo")
    processor.prepare(Spec(48000, 64, {"in": stereo}, {"out": stereo}))
    assert processor.latency == N_FFT - 1
    impulse, heard = np.zeros((2, 64), np.float32), []
    impulse[:, 0] = 1
    for _ in range(20):
        out = np.full((2, 64), np.nan, np.float32)
        processor.process({"in": impulse}, {"out": out})
        heard.append(out)
        impulse = np.zeros_like(impulse)
    assert int(np.abs(np.concatenate(heard, axis=1)[0]).argmax()) == processor.latency


def test_frames_use_the_parameters_at_their_centre(registry: Registry) -> None:
    """A step of the gain from 0 to 1 shows as the window's overlap around the point, not before or after."""
    point = 3000
    graph = mask_graph(0.0)
    graph.automate("m", "gain", [(f"{point} samples", 1.0)])
    x = np.ones((1, 6000), np.float32)
    done = process(graph, x, rate=48000, registry=registry)["out"][0]
    # Frame k ends at (k + 1) hop and is centred n_fft / 2 earlier; those centred at or after the point pass.
    window = np.sin(np.pi * np.arange(N_FFT) / N_FFT) ** 2
    want = np.zeros(6000 + 2 * N_FFT)
    for end in range(HOP, 6000 + N_FFT, HOP):
        if end - N_FFT // 2 >= point:
            want[end : end + N_FFT] += window / (N_FFT / HOP / 2)
    np.testing.assert_allclose(done, want[N_FFT:][:6000], atol=1e-5)


@pytest.mark.parametrize("blocks", [[1] * 20000, [37] * 2000, [8192] * 99])
def test_automated_masks_do_not_depend_on_the_cut(registry: Registry, blocks: list[int]) -> None:
    x = noise(3000, seed=1)
    graph = mask_graph(0.3)
    points = [("100 samples", 0.9), ("700 samples", 0.1), ("2500 samples", 1.0)]
    graph.automate("m", "gain", points, curve="linear")
    whole = process(graph, x, rate=48000, registry=registry)["out"]
    cut = process(graph, x, rate=48000, registry=registry, blocks=blocks)["out"]
    np.testing.assert_array_equal(cut, whole)


def test_reset_forgets_the_signal_and_keeps_the_parameters(registry: Registry) -> None:
    card = registry.card("mask")
    stereo = Layout.parse("stereo")

    def fresh() -> Any:
        processor = registry.build(card, card.params())
        processor.prepare(Spec(48000, 1000, {"in": stereo}, {"out": stereo}))
        processor.set(card.params(gain=0.25))
        return processor

    def play(processor: Any, seed: int) -> Any:
        out = np.empty((2, 1000), np.float32)
        processor.process({"in": noise(1000, seed)}, {"out": out})
        return out

    first, again = fresh(), fresh()
    again.set(card.params(gain=0.75))
    play(again, seed=5)
    again.set(card.params(gain=0.25))
    again.reset()
    np.testing.assert_array_equal(play(again, seed=6), play(first, seed=6))


class _Numbered(StftProcessor[Params]):
    """The mask of frame k is a random number of its own, told ``lookahead`` frames late."""

    n_fft, hop = 64, 16

    def start(self, spec: Spec) -> None:
        self.frame = -self.lookahead

    def masks(self, X: Any) -> dict[str, Any]:
        numbers = np.random.default_rng(5).random(400, np.float32)
        mask = np.empty(X.shape, np.float32)
        for k in range(X.shape[1]):
            mask[:, k] = numbers[max(0, self.frame)]
            self.frame += 1
        return {"out": mask}


class _Late(_Numbered):
    lookahead = 3


@pytest.mark.parametrize("block", [1, 16, 50, 333])
def test_masks_that_come_late_are_for_the_frames_before(block: int) -> None:
    heard = []
    for kind in (_Numbered, _Late):
        stereo, x = Layout.parse("stereo"), np.pad(noise(2000), ((0, 0), (0, 333)))
        processor = kind(Params())
        processor.prepare(Spec(48000, 333, {"in": stereo}, {"out": stereo}))
        assert processor.latency == 63 + 16 * kind.lookahead
        out = np.empty_like(x)
        for at in range(0, x.shape[1], block):
            part = np.ascontiguousarray(x[:, at : at + block])
            room = np.empty_like(part)
            processor.process({"in": part}, {"out": room})
            out[:, at : at + block] = room
        heard.append(out[:, processor.latency : processor.latency + 2000])
    np.testing.assert_array_equal(heard[1], heard[0])


def test_automation_reaches_late_masks_at_their_own_frames() -> None:
    class Gain(StftProcessor[_Volume]):
        n_fft, hop = 64, 16

        def masks(self, X: Any) -> dict[str, Any]:
            return {"out": np.full(X.shape, self.params.volume, np.float32)}

    class LateGain(Gain):
        lookahead = 2

    heard = []
    for kind in (Gain, LateGain):
        mono = Layout.parse("mono")
        processor = kind(_Volume())
        processor.prepare(Spec(48000, 100, {"in": mono}, {"out": mono}))
        outs = []
        for volume in (1.0, 0.25, 0.5, 0.5, 0.5):
            processor.set(_Volume(volume=volume))
            outs.append(np.empty((1, 100), np.float32))
            processor.process({"in": np.ones((1, 100), np.float32)}, {"out": outs[-1]})
        heard.append(np.concatenate(outs, axis=1)[0, processor.latency :][:350])
    np.testing.assert_array_equal(heard[1], heard[0])


def test_a_mask_of_the_wrong_shape_names_what_it_must_be(registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("m", "badmask", graph.input("mix")))
    with pytest.raises(
        NodeError, match=r"mask 'out' has shape .*must broadcast to \[channels, frames, bins\]"
    ):
        process(graph, noise(5000), rate=48000, registry=registry)


def test_only_one_input_of_any_layout(registry: Registry) -> None:
    x = np.random.default_rng(3).uniform(-0.5, 0.5, (6, 3000)).astype(np.float32)
    done = process(mask_graph(), x, rate=48000, registry=registry)["out"]
    np.testing.assert_allclose(done, x, atol=5e-7)


def test_a_compiled_stft_node_runs_in_a_graph_like_any_other(registry: Registry) -> None:
    """Its two halves sum to the delayed input, and it forms one compiled run with its neighbours."""
    graph = Graph()
    before = graph.node("before", "gain", graph.input("mix"), gain=-6)
    halves = graph.node("halves", "low-half", before)
    graph.output("low", halves["low"])
    graph.output("both", graph.node("sum", "mix", halves["low"], halves["high"], gains=[0, 0]))
    x = noise(6000)
    done = process(graph, x, rate=48000, registry=registry)
    np.testing.assert_allclose(done["both"], x * 10 ** (-6 / 20), rtol=0, atol=1e-6)
    spectrum = np.abs(np.fft.rfft(done["low"][:, 1000:5000] * np.hanning(4000)))
    assert spectrum[:, 1100:].max() < 1e-3 * spectrum[:, :900].max()  # 12 kHz is bin 1000 of 4000 at 48 kHz
    again = process(graph, x, rate=48000, registry=registry, blocks=[37] * 400)
    np.testing.assert_array_equal(again["low"], done["low"])


def test_a_frame_length_that_cannot_be_is_one_line_that_names_node_and_rule(registry: Registry) -> None:
    class Odd(registry_mask(registry)):  # type: ignore[misc]
        n_fft, hop = 1100, 275

    stereo = Layout.parse("stereo")
    with pytest.raises(ValueError, match=r"n_fft.*1100 is not 2\^a 3\^b 5\^c 7\^d"):
        Odd(registry.card("mask").params()).prepare(Spec(48000, 64, {"in": stereo}, {"out": stereo}))


def registry_mask(registry: Registry) -> Any:
    card = registry.card("mask")
    return type(registry.build(card, card.params()))
