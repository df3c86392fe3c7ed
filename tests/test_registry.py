"""Discovery: plugins of installed packages are found; a broken one is named and takes nobody along."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unbraid.host.contract import Params, PluginCard, PluginError, hookimpl
from unbraid.host.registry import SWITCH, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Install = Callable[..., None]

BUILT_IN = {
    *("delay", "denoise", "gain", "highpass", "join", "limiter", "lowpass"),
    *("mix", "model", "normalize", "speakers", "split", "subtract", "vocals", "wind"),
    *("adm", "binaural", "loudspeakers", "upmix"),
}
HEAD = """
from unbraid.host.contract import PluginCard, hookimpl

def card(plugin, **more):
    terms = {"name": plugin, "version": "1", "licence": "MIT", "factory": "nowhere:None_", **more}
    return PluginCard(id=plugin, **terms)
"""


def cards(*plugins: str) -> str:
    return f"@hookimpl\ndef unbraid_cards():\n    return [card(name) for name in {plugins!r}]\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write packages as pip would leave them: a module, and a dist-info that names it as an entry point."""
    monkeypatch.syspath_prepend(tmp_path)
    written: list[str] = []

    def write(package: str, body: str, target: str = "", points: Mapping[str, str] | None = None) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(HEAD + textwrap.dedent(body), encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        entries = points or {f"{package}-plugin": target or module}
        text = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (info / "entry_points.txt").write_text(f"[unbraid.plugins]\n{text}")
        importlib.invalidate_caches()
        written.append(module)

    yield write
    for module in written:
        sys.modules.pop(module, None)


def faults(registry: Registry) -> list[str]:
    return [str(fault) for fault in registry.faults]


def test_the_built_in_plugins_and_graphs_are_there_without_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    registry = Registry.discover()
    assert set(registry.cards) == BUILT_IN
    assert set(registry.packages.values()) == {"unbraid"}
    assert registry.faults == []
    assert registry.graphs
    assert all(path.is_file() for path in registry.graphs.values())


def test_an_installed_package_is_found_with_its_plugins_and_graphs(install: Install, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    body = f"""
    @hookimpl
    def unbraid_graphs():
        return {{"mine": {str(tmp_path / "mine.yaml")!r}}}
    """
    install("their-audio", cards("echo", "flange") + textwrap.dedent(body))
    registry = Registry.discover()
    assert registry.faults == []
    assert registry.card("echo").id == "echo"
    assert registry.packages["flange"] == "their-audio"
    assert registry.graphs["mine"] == tmp_path / "mine.yaml"
    assert set(registry.cards) >= BUILT_IN


def test_several_entry_points_of_one_package_are_all_found(install: Install) -> None:
    body = """
    class One:
        @hookimpl
        def unbraid_cards(self):
            return [card("echo")]

    class Two:
        @hookimpl
        def unbraid_cards(self):
            return [card("flange")]

    one, two = One(), Two()
    """
    install("their-audio", body, points={"one": "their_audio:one", "two": "their_audio:two"})
    registry = Registry.discover()
    assert {"echo", "flange"} <= set(registry.cards)
    assert registry.faults == []


HOOK = "@hookimpl\ndef unbraid_cards():\n    "
BROKEN: dict[str, tuple[str, str]] = {
    "raises on import": (
        "raise ValueError('no licence key')",
        "cannot be loaded: ValueError: no licence key",
    ),
    "imports what is not there": (
        "import nowhere_at_all",
        "ModuleNotFoundError: No module named 'nowhere_at_all'",
    ),
    "ends the process on import": ("raise SystemExit('bye')", "cannot be loaded: SystemExit: bye"),
    "is not Python": ("def def", "cannot be loaded: SyntaxError"),
    "has a hook that raises": (
        f"{HOOK}raise OSError('no\\n model')",
        "unbraid_cards failed: OSError: no model",
    ),
    "has a hook that raises midway": (f"{HOOK}yield 1 / 0", "unbraid_cards failed: ZeroDivisionError"),
    "returns a number": (f"{HOOK}return 3", "unbraid_cards failed: TypeError"),
    "returns a card instead of a list": (f"{HOOK}return card('echo')", "unbraid_cards failed: TypeError"),
    "returns rubbish": (f"{HOOK}return ['echo']", "unbraid_cards gave 'echo', not a PluginCard"),
    "makes a bad card": (
        f"{HOOK}return [card('Not An Id')]",
        "plugin id 'Not An Id' must match",
    ),
    "is written for another contract": (f"{HOOK}return [card('echo', api=99)]", "written for contract 99"),
    "misspells a hook": (
        "@hookimpl\ndef unbraid_card():\n    return []",
        "hook 'unbraid_card' does not exist; did you mean 'unbraid_cards'?",
    ),
    "forgets to mark a hook": (
        "def unbraid_cards():\n    return [card('echo')]",
        "'unbraid_cards' is not marked with @hookimpl, so it is never called",
    ),
    "asks for too much": (
        "@hookimpl\ndef unbraid_cards(config):\n    return []",
        "Argument(s) {'config'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "gives graphs that are no paths": (
        "@hookimpl\ndef unbraid_graphs():\n    return {'mine': 3}",
        "unbraid_graphs failed: TypeError",
    ),
    "gives graphs that are no mapping": (
        "@hookimpl\ndef unbraid_graphs():\n    return ['mine']",
        "unbraid_graphs failed: ValueError",
    ),
    "takes the name of a built-in graph": (
        "@hookimpl\ndef unbraid_graphs():\n    return {'dewind': 'mine.yaml'}",
        "its graph 'dewind' is left out",
    ),
}


@pytest.mark.parametrize(("body", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_package_that_is_broken_is_named_and_the_rest_loads(
    body: str, reason: str, install: Install
) -> None:
    install("aaa-broken", body)
    install("zzz-good", cards("fine"))
    registry = Registry.discover()
    (told,) = faults(registry)
    assert told.startswith("aaa-broken-plugin (from aaa-broken): ")
    assert reason in told
    assert "\n" not in told
    assert set(registry.cards) == BUILT_IN | {"fine"}
    assert registry.graphs["dewind"].is_file()


def test_what_came_before_a_hook_failed_stays_and_so_does_its_other_hook(install: Install) -> None:
    graphs = "@hookimpl\ndef unbraid_graphs():\n    return {'mine': __file__}"
    install("half", f"{HOOK}yield card('early')\n    raise OSError\n{graphs}")
    registry = Registry.discover()
    assert "early" in registry.cards
    assert "mine" in registry.graphs
    assert len(registry.faults) == 1


def test_a_package_without_a_hook_and_a_graph_without_a_file_are_named(install: Install) -> None:
    install("idle", "x = 1")
    install("lost", "@hookimpl\ndef unbraid_graphs():\n    return {'lost': 'nowhere.yaml'}")
    said = "\n".join(faults(Registry.discover()))
    assert "idle-plugin (from idle): it has none of Unbraid's hooks" in said
    assert "lost-plugin (from lost): its graph 'lost' is not there: nowhere.yaml" in said


def test_what_a_package_prints_as_it_loads_does_not_go_to_standard_output(
    install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    install("loud", cards("loud") + "print('HELLO')")
    assert "loud" in Registry.discover().cards
    out, err = capfd.readouterr()
    assert out == ""
    assert "HELLO" in err


@pytest.mark.parametrize("target", ["gone_module", "their_audio:gone", "their_audio:", "not a module"])
def test_an_entry_point_that_leads_nowhere_is_named(target: str, install: Install) -> None:
    install("their-audio", "", target=target)
    registry = Registry.discover()
    assert faults(registry)[0].startswith("their-audio-plugin (from their-audio): cannot be loaded: ")
    assert set(registry.cards) == BUILT_IN


def test_an_object_that_cannot_be_looked_at_is_named() -> None:
    class Prickly:
        @property
        def unbraid_cards(self) -> object:
            raise RuntimeError("do not touch")

    registry = Registry()
    registry.add(Prickly(), "prickly")
    assert faults(registry)[0].startswith("prickly (from this session): ")


def test_one_id_in_two_packages_serves_neither(install: Install) -> None:
    install("first", cards("echo", "own-1"))
    install("second", cards("echo", "own-2"))
    install("third", cards("echo"))
    registry = Registry.discover()
    assert set(registry.cards) == BUILT_IN | {"own-1", "own-2"}
    assert "'echo' is brought by first and by second: none of them is used" in faults(registry)[0]
    assert "'echo' is brought by first and by second and by third" in faults(registry)[1]
    with pytest.raises(PluginError, match="by first and by second and by third; uninstall one") as caught:
        registry.card("echo")
    assert f"{SWITCH}=0" in str(caught.value)


def test_an_id_of_a_built_in_plugin_cannot_be_taken_over(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("sly", cards("gain"))
    registry = Registry.discover()
    assert "gain" not in registry.cards
    with pytest.raises(PluginError, match=f"brought by unbraid and by sly; uninstall one, or set {SWITCH}=0"):
        registry.card("gain")
    monkeypatch.setenv(SWITCH, "0")
    assert Registry.discover().card("gain").factory.startswith("unbraid.")


@pytest.mark.parametrize(("value", "found"), [("0", False), ("1", True), ("", True), (None, True)])
def test_a_switch_leaves_only_unbraids_own(
    value: str | None, found: bool, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SWITCH == "UNBRAID_THIRD_PARTY"
    monkeypatch.delenv(SWITCH, raising=False)
    if value is not None:
        monkeypatch.setenv(SWITCH, value)
    install("their-audio", cards("echo"))
    install("broken", "raise SystemError('imported')")
    registry = Registry.discover()
    assert ("echo" in registry.cards) is found
    assert bool(registry.faults) is found
    assert set(registry.cards) >= BUILT_IN


def test_an_unknown_plugin_is_refused_with_the_nearest() -> None:
    with pytest.raises(PluginError, match=r"unknown plugin 'gian'; did you mean 'gain'\?"):
        Registry.discover().card("gian")


# Building

TERMS: dict[str, Any] = {"id": "echo", "name": "Echo", "version": "1", "licence": "MIT"}


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("nowhere.at_all:Echo", "ModuleNotFoundError: No module named 'nowhere'"),
        ("their_audio:Gone", "AttributeError: module 'their_audio' has no attribute 'Gone'"),
        ("their_audio:Fussy", "RuntimeError: needs a graphics card"),
        ("their_audio:three", "TypeError: 'int' object is not callable"),
    ],
)
def test_code_that_cannot_be_built_is_named_with_the_reason(
    factory: str, reason: str, install: Install
) -> None:
    fussy = (
        "class Fussy:\n    def __init__(self, params):\n        raise RuntimeError('needs a graphics card')"
    )
    install("their-audio", f"{fussy}\nthree = 3\n")
    with pytest.raises(PluginError) as caught:
        Registry().build(PluginCard(**TERMS, factory=factory), Params())
    assert str(caught.value) == f"plugin 'echo' cannot be built from {factory}: {reason}"


def test_a_plugin_is_built_with_its_parameters(install: Install) -> None:
    install("their-audio", "class Echo:\n    def __init__(self, params):\n        self.params = params\n")
    built: Any = Registry().build(PluginCard(**TERMS, factory="their_audio:Echo"), Params())
    assert built.params == Params()


@pytest.mark.parametrize("plugin", sorted(BUILT_IN))
def test_every_built_in_plugin_can_be_built_bare(plugin: str, registry: Registry) -> None:
    card = registry.card(plugin)
    assert registry.build(card, card.params()).latency >= 0


# Lightness

HEAVY = [
    "numba",
    "llvmlite",
    "scipy",
    "torch",
    "soundfile",
    "soxr",
    "ruamel",
    "numpy.fft",
    "numpy.linalg",
    "rich",
]
LIST = """
import json, sys
from unbraid.host.registry import Registry
from unbraid.host.contract.params import describe
registry = Registry.discover()
for card in registry.cards.values():
    describe(card.params)
    card.ports_of(card.params())
print(json.dumps([sorted(registry.cards), sorted(sys.modules)]))
"""


def test_to_list_the_plugins_loads_no_signal_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, SWITCH: "0"},
        timeout=60,
    )
    found, modules = json.loads(done.stdout)
    assert set(found) == BUILT_IN
    assert [name for name in HEAVY if name in modules] == []
    assert not [name for name in modules if name.startswith("unbraid.kernels.")]


# Life cycle


class Observer:
    def __init__(self, *, broken: bool = False) -> None:
        self.seen: list[Any] = []
        self.broken = broken

    @hookimpl
    def unbraid_render_started(self, graph: str, inputs: Mapping[str, str]) -> None:
        self.seen.append((graph, inputs))
        if self.broken:
            raise RuntimeError("cannot log")

    @hookimpl
    def unbraid_render_finished(self, report: object) -> None:
        self.seen.append(report)


def test_every_observer_hears_of_a_render_even_after_one_that_raises() -> None:
    registry = Registry()
    first, bad, last = Observer(), Observer(broken=True), Observer()
    for name, observer in {"first": first, "bad": bad, "last": last}.items():
        registry.add(observer, name, "their-audio")
    complaints = registry.notify("unbraid_render_started", graph="g.yaml", inputs={"mix": "a.wav"})
    assert complaints == ["their-audio:bad: unbraid_render_started failed: RuntimeError: cannot log"]
    assert registry.notify("unbraid_render_finished", report=7) == []
    assert registry.notify("unbraid_render_failed", error=ValueError()) == []
    for observer in (first, bad, last):
        assert observer.seen == [("g.yaml", {"mix": "a.wav"}), 7]


def test_a_refused_plugin_hears_nothing() -> None:
    class Wrong(Observer):
        @hookimpl
        def unbraid_render_failed(self, error: object, extra: object) -> None: ...

    registry, wrong = Registry(), Wrong()
    registry.add(wrong, "wrong")
    assert len(registry.faults) == 1
    registry.notify("unbraid_render_finished", report=7)
    assert wrong.seen == []
