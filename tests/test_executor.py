"""The plan and its executor: alignment, reuse of buffers, compiled runs, failures by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unbraid.host import Graph, GraphError, NodeError, PluginError, open_stream, process
from unbraid.host.contract import Layout
from unbraid.host.engine.executor import Executor, _Run
from unbraid.host.engine.plan import Plan, Settings, build_plan

if TYPE_CHECKING:
    from unbraid.host.registry import Registry


def noise(length: int = 3000) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(5).uniform(-0.5, 0.5, (2, length)).astype(np.float32)


def plan_of(graph: Graph, registry: Registry, max_block: int = 512) -> Plan:
    checked = graph.check(registry, 48000, {"mix": Layout.parse("stereo")})
    return build_plan(checked, registry, Settings(max_block=max_block))


def chain(length: int, plugin: str = "gain") -> Graph:
    graph = Graph()
    last = graph.input("mix")
    for k in range(length):
        last = graph.node(f"n{k}", plugin, last, gain=0.5)
    graph.output("out", last)
    return graph


def test_parallel_paths_meet_at_the_latest(registry: Registry) -> None:
    graph = Graph()
    mix = graph.input("mix")
    a = graph.node("a", "late", mix, latency=100)
    b = graph.node("b", "late", a, latency=30)
    both = graph.node("both", "mix", mix, a, b, gains=[0, 0, 0])
    graph.output("out", both)
    graph.output("early", mix)
    plan = plan_of(graph, registry)
    assert plan.outputs["out"].latency == 130
    assert plan.outputs["early"].latency == 0
    held = {
        signal.wire.node: signal.held
        for step in plan.steps
        if step.name == "both"
        for signal in step.ins.values()
    }
    assert held == {"mix": 130, "a": 30, "b": 0}
    plan.release()
    x = noise()
    np.testing.assert_array_equal(process(graph, x, rate=48000, registry=registry)["out"], x + x + x)


def test_a_long_chain_needs_two_buffers(registry: Registry) -> None:
    plan = plan_of(chain(20), registry)
    assert len(plan.slots) == 2
    assert plan.slots == [2, 2]


def test_buffers_are_reused_but_never_while_someone_still_reads(registry: Registry) -> None:
    """Each step's inputs and outputs lie apart, and what a later step reads is not overwritten before."""
    graph = Graph()
    mix = graph.input("mix")
    left = graph.node("left", "gain", mix, gain=-1)
    right = graph.node("right", "late", left, latency=50)
    far = graph.node("far", "gain", right, gain=-2)
    graph.node("sum", "mix", far, left, mix, gains=[0, 0, 0])
    graph.output("out", "sum")
    plan = plan_of(graph, registry)
    holder: dict[int, object] = {plan.slot[signal]: signal for signal in plan.inputs.values()}
    for step in plan.steps:
        for signal in step.ins.values():
            assert holder[plan.slot[signal]] is signal
        inward = {plan.slot[signal] for signal in step.ins.values()}
        for signal in step.outs.values():
            assert plan.slot[signal] not in inward
            holder[plan.slot[signal]] = signal
    for signal in plan.outputs.values():
        assert holder[plan.slot[signal]] is signal


def test_compiled_nodes_form_one_run_and_python_nodes_break_it(registry: Registry) -> None:
    executor = Executor(plan_of(chain(10), registry))
    work = executor.binding(512).work
    assert len(work) == 1
    assert isinstance(work[0], _Run)
    assert len(work[0].program) == 10
    executor.close()


def test_steps_are_ordered_so_that_runs_are_long(registry: Registry) -> None:
    """Two branches, each compiled - python - compiled: three pieces of work, not five."""
    graph = Graph()
    mix, ends = graph.input("mix"), []
    for side in "ab":
        first = graph.node(f"{side}1", "gain", mix)
        second = graph.node(f"{side}2", "late", first)
        ends.append(graph.node(f"{side}3", "gain", second))
    graph.output("out", graph.node("sum", "mix", *ends, gains=[0, 0]))
    executor = Executor(plan_of(graph, registry))
    kinds = [type(item).__name__ for item in executor.binding(64).work]
    assert kinds == ["_Run", "_Call", "_Call", "_Run"]
    executor.close()


def test_process_of_a_compiled_node_calls_the_same_function(registry: Registry) -> None:
    card = registry.card("highpass")
    x = noise(512)
    plan = plan_of(_highpass(), registry)
    executor = Executor(plan)
    executor.inputs(512)["mix"][:] = x
    executor.process(512)
    by_address = executor.outputs(512)["out"].copy()
    from unbraid.host.contract import Spec

    stereo = Layout.parse("stereo")
    processor = registry.build(card, card.params())
    processor.prepare(Spec(48000, 512, {"in": stereo}, {"out": stereo}))
    out = np.empty_like(x)
    processor.process({"in": x}, {"out": out})
    np.testing.assert_array_equal(out, by_address)
    executor.close()


def _highpass() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("h", "highpass", graph.input("mix")))
    return graph


def test_outputs_nobody_asked_for_are_not_made(registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("h", "halve", graph.input("mix"))["part"])
    plan = plan_of(graph, registry)
    assert [step.name for step in plan.steps] == ["h"]
    assert list(plan.steps[0].outs) == ["part"]


def test_the_residual_alone_still_makes_the_others(registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("h", "halve", graph.input("mix"), share=0.25)["rest"])
    x = noise()
    done = process(graph, x, rate=48000, registry=registry)["out"]
    np.testing.assert_array_equal(done, x - np.float32(0.25) * x)


@pytest.mark.parametrize("plugin", ["halve", "halve44"])
def test_stems_sum_to_the_input_even_through_a_rate_island(registry: Registry, plugin: str) -> None:
    graph = Graph()
    halves = graph.node("h", plugin, graph.input("mix"), share=0.7)
    graph.output("part", halves["part"])
    graph.output("rest", halves["rest"])
    x = noise(5000)
    done = process(graph, x, rate=48000, registry=registry)
    np.testing.assert_allclose(done["part"] + done["rest"], x, atol=6e-8)


def test_inputs_are_read_only_and_blocks_contiguous(registry: Registry) -> None:
    executor = Executor(plan_of(chain(1, "late"), registry))
    (item,) = executor.binding(100).work
    (block,) = item.ins.values()  # type: ignore[union-attr]
    assert block.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        block[:] = 0
    executor.close()


def test_a_missing_device_is_an_error_never_a_fall_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unbraid.host.engine.devices.cuda_devices", lambda: 0)
    graph = Graph()
    graph.output("out", graph.node("n", "gpu", graph.input("mix"), device="cuda"))
    with pytest.raises(PluginError, match=r"nodes\.n: asks for device 'cuda', but this machine has none"):
        process(graph, noise(), rate=48000, registry=registry)


def test_a_plugin_that_is_not_live_is_refused_live_and_runs_on_files(registry: Registry) -> None:
    graph = chain(1, "filesonly")
    with pytest.raises(GraphError, match="'filesonly' cannot run live"):
        open_stream(graph, rate=48000, layouts={"mix": "stereo"}, realtime=True, registry=registry)
    assert process(graph, noise(), rate=48000, registry=registry)["out"].shape == (2, 3000)


def test_a_factory_that_is_not_there_names_plugin_and_place(registry: Registry) -> None:
    graph = Graph()
    graph.output("out", graph.node("n", "nowhere", graph.input("mix")))
    with pytest.raises(PluginError, match="'nowhere' cannot be built from rig:Missing"):
        process(graph, noise(), rate=48000, registry=registry)


def test_a_failing_node_is_named_with_programme_time(registry: Registry) -> None:
    graph = Graph()
    early = graph.node("early", "late", graph.input("mix"), latency=1000)
    graph.output("out", graph.node("bad", "late", early, fail_at=2500))
    with pytest.raises(NodeError) as caught:
        process(graph, noise(5000), rate=48000, registry=registry, blocks=[100] * 99)
    assert (caught.value.node, caught.value.plugin, caught.value.sample) == ("bad", "late", 1500)
    assert "RuntimeError: told to fail" in str(caught.value)


def test_an_executor_reset_is_a_new_beginning(registry: Registry) -> None:
    graph = Graph()
    moving = graph.node("g", "gain", graph.node("l", "late", graph.input("mix"), latency=77), gain=0)
    graph.automate("g", "gain", [("1000 samples", -20.0)])
    graph.output("out", moving)
    x = noise(4000)
    with open_stream(graph, rate=48000, layouts={"mix": "stereo"}, registry=registry) as stream:
        assert stream.latency == {"out": 77}
        first = stream.process({"mix": x})["out"]
        stream.reset()
        np.testing.assert_array_equal(stream.process({"mix": x})["out"], first)
    want = np.pad(np.where(np.arange(4000) < 1000, x, np.float32(0.1) * x), ((0, 0), (77, 0)))[:, :4000]
    np.testing.assert_array_equal(first, want.astype(np.float32))
