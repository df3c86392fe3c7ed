"""The zoo: plugin packages that are broken, each in one way, written as pip would leave them.

A package is a module, and a dist-info that names it as an entry point; on PYTHONPATH it goes the whole way,
from the entry point to the command line.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BEHAVE_BADLY", "BEHAVE_WELL", "DO_NOT_LOAD", "Animal", "Unlisted", "install", "populate"]

_HEAD = """
from typing import Annotated

import numpy as np
from unbraid.host.contract import (
    BlockProcessor, CompiledProcessor, LayoutRefusedError, Params, PluginCard, Port, Ports, SegmentProcessor,
    StftProcessor, hookimpl, param)

def card(plugin, factory, **more):
    terms = {"name": plugin, "version": "1", "licence": "MIT", "doc": "An animal.", **more}
    return PluginCard(id=plugin, factory=factory, **terms)
"""


def install(folder: Path, package: str, body: str, *, points: str = "") -> None:
    """Write one package into a folder that will stand on PYTHONPATH.

    Args:
        folder: shared by many packages.
        package: its name; the module's is the same with underscores.
        body: the module's code.
        points: lines of the entry-point group; by default one of the package's name that leads to the module.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(textwrap.dedent(body), encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[unbraid.plugins]\n{points or f'{package} = {module}'}\n")


def populate(folder: Path, animals: dict[str, Animal]) -> None:
    """Install every one of these, each as a package of its own."""
    (folder / "librosa.py").write_text("")  # stands for the real one, which takes long to import
    for name, animal in animals.items():
        listed, dsp = animal.files(name)
        install(folder, name, listed)
        (folder / f"{name.replace('-', '_')}_dsp.py").write_text(dsp, encoding="utf-8")


# Those that do not load: named by `plugins list` and by `doctor`, with the remedy.


@dataclass(frozen=True)
class Unlisted:
    """A package whose plugins cannot be listed: its code, what is said of it, and what is advised."""

    body: str
    reason: str
    remedy: str
    points: str = ""


_HOOK = "@hookimpl\ndef unbraid_cards():\n    "
DO_NOT_LOAD = {
    "missing-import": Unlisted(
        "import tensorblow.nn",
        "No module named 'tensorblow'",
        "install what it needs: pip install tensorblow",
    ),
    "old-import": Unlisted(
        "from json import gone", "cannot import name 'gone'", "pip install --upgrade old-import"
    ),
    "syntax-error": Unlisted("x = 1\ndef f(:\n", "SyntaxError", "correct "),
    "wrong-contract": Unlisted(
        _HEAD + _HOOK + "return [card('future', 'x:X', api=99)]",
        "written for contract 99",
        "it needs an Unbraid with contract 99: pip install --upgrade unbraid",
    ),
    "older-contract": Unlisted(
        _HEAD + _HOOK + "return [card('past', 'x:X', api=0)]",
        "written for contract 0",
        "pip install --upgrade older-contract",
    ),
    "misspelt-hook": Unlisted(
        _HEAD + _HOOK.replace("cards", "crads") + "return []",
        "hook 'unbraid_crads' does not exist",
        "did you mean 'unbraid_cards'?",
    ),
    "unmarked-hook": Unlisted(
        _HEAD + "def unbraid_cards():\n    return []",
        "'unbraid_cards' is not marked with @hookimpl",
        "write @hookimpl above it",
    ),
    "no-card": Unlisted(
        _HEAD + _HOOK + "return [{'id': 'dict'}]",
        "not a PluginCard",
        "ask the author of no-card to return cards",
    ),
    "raising-hook": Unlisted(
        _HEAD + _HOOK + "raise OSError('no model')",
        "unbraid_cards failed: OSError: no model",
        "tell the author",
    ),
    "exits-on-import": Unlisted("raise SystemExit(3)", "SystemExit: 3", "python -c 'import exits_on_import'"),
    "exiting-hook": Unlisted(_HEAD + _HOOK + "raise SystemExit(3)", "SystemExit: 3", "tell the author"),
    "bad-id": Unlisted(_HEAD + _HOOK + "return [card('Not An Id', 'x:X')]", "must match", "tell the author"),
    "twin-one": Unlisted(
        _HEAD + _HOOK + "return [card('twin', 'x:X')]",
        "",
        "",
    ),
    "twin-two": Unlisted(
        _HEAD + _HOOK + "return [card('twin', 'x:X')]",
        "plugin id 'twin' is brought by twin-one and by twin-two",
        "uninstall one, or set UNBRAID_THIRD_PARTY=0",
    ),
    "leads-nowhere": Unlisted(
        "",
        "cannot be loaded",
        "its entry point names a module that is not there",
        "leads-nowhere = gone_away",
    ),
}


# Those that load and behave badly: found by `plugins check`, with the remedy.


@dataclass(frozen=True)
class Animal:
    """A plugin that breaks one promise.

    Attributes:
        body: the class ``Animal``, which the card's factory names, and whatever stands beside it.
        check: the check that finds it.
        seen: what its message holds.
        remedy: what its remedy holds.
        more: further arguments of the card.
        advised: for one that behaves well: checks that tell something all the same, and what.
        cards: code that stands before the card, where that must be in the listed module.
    """

    body: str
    check: str = ""
    seen: str = ""
    remedy: str = ""
    more: str = ""
    cards: str = ""
    advised: dict[str, str] = field(default_factory=dict)

    def files(self, name: str) -> tuple[str, str]:
        """Return the code of the listed module, and that of the module which the factory names."""
        module = name.replace("-", "_")
        listed = (
            f"{_HEAD}\n{self.cards}\n{_HOOK}return [card({name!r}, '{module}_dsp:Animal', {self.more})]\n"
        )
        return listed, f"{_HEAD}\n{textwrap.dedent(self.body)}"


_COPY = "outs['out'][:] = ins['in']"
_STFT = """
class Animal(StftProcessor[Params]):
    n_fft, hop = 512, 128
    def masks(self, X):
        return {name: np.full(X.shape, 0.5, np.float32) for name in self.spec.outputs}
"""


_SEGMENTS = """
class Animal(SegmentProcessor):
    segment, hop, batch = 4096, 3072, 3
    def separate(self, batch):
        {}
"""


def _block(process: str, rest: str = "") -> str:
    """Return a processor whose ``process`` is this."""
    code = "class Animal(BlockProcessor):\n    def process(self, ins, outs):\n"
    return code + textwrap.indent(process, " " * 8) + "\n" + textwrap.indent(textwrap.dedent(rest), " " * 4)


def _prepare(code: str) -> str:
    return f"def prepare(self, spec):\n    super().prepare(spec)\n{textwrap.indent(code, ' ' * 4)}\n"


_DELAY = """
past = np.concatenate([self.past, ins['in']], axis=1)
n = ins['in'].shape[1]
outs['out'][:] = past[:, :n]
self.past = past[:, n:].copy()
"""


def _delay(samples: int, declared: int, tail: int = 0) -> str:
    rest = f"latency, tail = {declared}, {tail}\n"
    rest += _prepare("self.reset()")
    rest += "def reset(self):\n"
    rest += f"    self.past = np.zeros((self.spec.inputs['in'].channels, {samples}), np.float32)\n"
    return _block(_DELAY, rest)


_GAIN = """
class Knob(Params, frozen=True):
    gain: Annotated[float, param("linear", ge=0, le=1)] = 0.5
"""
_SEPARATOR = "ports=Ports((Port('in'),), (Port('out'), Port('rest'))), residual='rest'"

BEHAVE_BADLY = {
    # building
    "raising-factory": Animal(
        "class Animal:\n    def __init__(self, params):\n        raise RuntimeError('no licence key')",
        "builds",
        "RuntimeError: no licence key",
        "build the processor without raising",
    ),
    "exiting-factory": Animal(
        "class Animal:\n    def __init__(self, params):\n        raise SystemExit(4)",
        "builds",
        "SystemExit: 4",
        "build the processor without raising",
    ),
    "factory-of-nothing": Animal(
        "class Animal:\n    def __init__(self, params):\n        pass",
        "builds",
        "which has no prepare, set, process",
        "derive from BlockProcessor",
    ),
    "broken-code": Animal("import not_there_at_all", "builds", "No module named 'not_there_at_all'", "build"),
    "nonsense-latency": Animal(
        _block(_COPY, "latency = -3"), "builds", "latency -3", "integer of at least 0"
    ),
    "release-needs-prepare": Animal(
        _block(_COPY, "def release(self):\n    self.there.close()"),
        "builds",
        "release() raised AttributeError",
        "without raising",
    ),
    "stems-of-another-shape": Animal(
        _SEGMENTS.format("return batch[:, None, :, 4:]"),
        "builds",
        "process() failed: separate() gave [3, 1, 2, 4092]",
        "return what separate() must",
    ),
    "masks-of-another-name": Animal(
        _STFT.replace("{name:", "{name + 's':"),
        "builds",
        "process() failed: masks() gave no mask for output 'out'",
        "return what masks() must",
    ),
    "hangs-in-prepare": Animal(
        _block(_COPY, _prepare("__import__('time').sleep(99)")),
        "builds",
        "hung for 0.8 s at hangs_in_prepare_dsp.py",
        "end every loop",
    ),
    # the process
    "segfault": Animal(
        "import ctypes\n" + _block("ctypes.string_at(0)"),
        "builds",
        "died of SIGSEGV at segfault_dsp.py:",
        "outside its arrays",
    ),
    "leaves-the-process": Animal(
        "import os\n" + _block("os._exit(7)"),
        "builds",
        "ended the process with exit status 7",
        "raise an exception",
    ),
    "infinite-loop": Animal(
        _block("while True: pass"), "builds", "hung for 0.8 s at infinite_loop_dsp.py:", "end every loop"
    ),
    "segfault-in-reset": Animal(
        "import ctypes\n" + _block(_COPY, "def reset(self):\n    ctypes.string_at(0)"),
        "reset",
        "died of SIGSEGV at ",
        "outside its arrays",
    ),
    "hangs-in-reset": Animal(
        _block(_COPY, "def reset(self):\n    __import__('time').sleep(99)"),
        "reset",
        "hung for 0.8 s at hangs_in_reset_dsp.py:",
        "end every loop",
    ),
    "prints": Animal(
        _block("print('block')\n" + _COPY), "prints", "'block", "standard output may carry the sound"
    ),
    "changes-settings": Animal(
        _block(_COPY, _prepare("np.seterr(all='ignore')")), "globals", "numpy.seterr", "leave to others"
    ),
    "changes-the-path": Animal(
        "import random, sys\n" + _block(_COPY, _prepare("random.seed(1)\nsys.path.insert(0, '/nowhere')")),
        "globals",
        "it changed the state of the module random, sys.path",
        "leave to others",
    ),
    # arrays
    "writes-its-input": Animal(
        _block("ins['in'].flags.writeable = True\nins['in'][:] *= 0.5\n" + _COPY),
        "inputs",
        "process() changed its input 'in'",
        "copy what you want to change",
    ),
    "writes-read-only": Animal(
        _block("ins['in'][:] *= 0.5\n" + _COPY),
        "inputs",
        "read-only (writes_read_only_dsp.py:",
        "copy what you want to change",
    ),
    "writes-nothing": Animal(
        _block("pass"), "outputs", "wrote nothing of output 'out'", 'outs["out"][:] = ...'
    ),
    "assigns": Animal(_block("outs['out'] = ins['in']"), "builds", "TypeError", 'not outs["out"] = y'),
    "writes-a-part": Animal(
        _block("n = ins['in'].shape[1] // 2\nouts['out'][:, :n] = ins['in'][:, :n]"),
        "outputs",
        "wrote only",
        "whole block",
    ),
    "writes-5000": Animal(
        _block("outs['out'][:, :5000] = ins['in'][:, :5000]"),
        "outputs",
        "wrote only 61% of output 'out' in a block of 8193 samples",
        "whole block",
    ),
    "writes-50000": Animal(
        _block("outs['out'][:, :50000] = ins['in'][:, :50000]"),
        "outputs",
        "wrote only 76% of output 'out' in a block of 65536 samples",
        "whole block",
    ),
    "adds-to-outs": Animal(
        _block("outs['out'][:] = np.nan_to_num(outs['out']) + ins['in']"),
        "outputs",
        "what the arrays held before",
        "uninitialised",
    ),
    "writes-beside": Animal(
        _block(
            _COPY + "\nout = outs['out']\nnp.lib.stride_tricks.as_strided(out, (out.size + 1,), (4,))[-1] = 0"
        ),
        "outputs",
        "wrote beside the 256 samples of the array 'out'",
        "must not exceed its n",
    ),
    "keeps-its-input": Animal(
        _block(
            "last = getattr(self, 'last', None)\n"
            "outs['out'][:] = ins['in'] + (0 if last is None or not last.size else last[:, -1:])\n"
            "self.last = ins['in']"
        ),
        "cuts",
        "output 'out' differs first at sample",
        "keep no view of ins",
    ),
    "depends-on-company": Animal(
        _block("for k, name in enumerate(outs):\n    outs[name][:] = ins['in'] * (k + 1)"),
        "subsets",
        "with output 'rest' alone connected",
        "whoever listens",
        more="ports=Ports((Port('in'),), (Port('out'), Port('rest')))",
    ),
    # time
    "block-size-dependent": Animal(
        _block("outs['out'][:] = ins['in'] / (np.abs(ins['in']).max(initial=1e-3) + 1)"),
        "cuts",
        "output 'out' differs first at sample 0",
        "count samples, not calls",
    ),
    "late": Animal(
        _delay(100, 0),
        "latency",
        "a latency of 0 samples, but input 'in' is answered after 100",
        "self.latency = 100",
    ),
    "one-sample-short": Animal(
        _delay(100, 99, tail=500), "latency", "answered after 100", "self.latency = 100"
    ),
    "one-sample-long": Animal(
        _delay(100, 101, tail=500), "latency", "answered after 100", "self.latency = 100"
    ),
    "lying-masks": Animal(
        _STFT + "    def prepare(self, spec):\n        super().prepare(spec)\n        self.latency -= 1\n",
        "latency",
        "a latency of 510 samples, but input 'in' is answered after 511",
        "self.latency = 511",
    ),
    "lying-separator": Animal(
        _STFT + "    def prepare(self, spec):\n        super().prepare(spec)\n        self.latency += 1\n",
        "latency",
        "a latency of 512 samples, but input 'in' is answered after 511",
        "self.latency = 511",
        more=_SEPARATOR,
    ),
    "late-model": Animal(
        _SEGMENTS.format("return np.pad(batch, ((0, 0), (0, 0), (100, 0)))[:, None, :, :-100]"),
        "latency",
        "answered most after 10339 samples, not after 10239",
        "the model shifts its stems by 100 samples inside the segment: undo it there",
    ),
    "one-stem-late": Animal(
        _delay(100, 0).replace(
            "outs['out'][:] = past", "outs['out'][:] = ins['in']\n        outs['rest'][:] = 0.5 * past"
        ),
        "latency",
        "output 'rest' answers input 'in' after 100 samples, the outputs together after 0",
        "delay the early outputs",
        more="ports=Ports((Port('in'),), (Port('out'), Port('rest')))",
    ),
    "late-by-parameter": Animal(
        "from late_by_parameter import Late\n"
        + _delay(0, 0).replace("'in'].channels, 0)", "'in'].channels, self.params.late)"),
        "latency",
        "with late=64, it declares a latency of 0 samples, but input 'in' is answered after 64",
        "self.latency = 64",
        more="params=Late",
        cards="class Late(Params, frozen=True):\n"
        "    late: Annotated[int, param('samples', ge=0, le=64, fixed=True)] = 0",
    ),
    "latency-that-moves": Animal(
        _block(_COPY + "\nself.latency += 1"),
        "cuts",
        "process() changed latency from 0 to 1",
        "in prepare() only",
    ),
    "sounds-on": Animal(
        _delay(2000, 0).replace("past[:, :n]", "past[:, :n] + ins['in']"),
        "tail",
        "still sounds 2000 samples",
        "self.tail = 2000",
    ),
    "sounds-for-ever": Animal(
        _block("outs['out'][:] = ins['in'] + np.float32(0.01)"),
        "tail",
        "still sounds after at least ",
        "let it fall silent",
    ),
    # terms
    "for-files-only": Animal(
        _block(_COPY, _prepare("assert not spec.realtime, 'too slow'")),
        "live",
        "under Spec(realtime=True), prepare() raised AssertionError: too slow",
        "realtime=False on the card",
    ),
    "other-when-live": Animal(
        _block("outs['out'][:] = ins['in'] * np.float32(0.99 if self.spec.realtime else 1)"),
        "live",
        "live and over files part",
        "let the output be the same live",
    ),
    "normalises-the-batch": Animal(
        _SEGMENTS.format("return (batch / (np.abs(batch).mean() + 1e-3))[:, None]"),
        "live",
        "live and over files part",
        "treat each segment of a batch by itself",
        more="realtime=False",
    ),
    "hears-the-length": Animal(
        _block("outs['out'][:] = ins['in'] * np.float32(0.5 if self.spec.length else 1)"),
        "length",
        "when the programme's length is known, output 'out' differs first at sample 0",
        "over a pipe it is None",
    ),
    # state
    "forgets-nothing": Animal(
        _delay(50, 50) + "    def reset(self):\n        if not hasattr(self, 'past'):\n"
        "            self.past = np.zeros((self.spec.inputs['in'].channels, 50), np.float32)\n",
        "reset",
        "after reset(), output 'out' differs first at sample 0",
        "forget all of the signal",
    ),
    "prepares-once": Animal(
        _delay(50, 50) + "    def reset(self):\n        if not hasattr(self, 'past'):\n"
        "            self.past = np.zeros((self.spec.inputs['in'].channels, 50), np.float32)\n",
        "reprepare",
        "after release() and prepare()",
        "make all state anew",
    ),
    "ignores-the-seed": Animal(
        _block("outs['out'][:] = ins['in'] + np.random.standard_normal(ins['in'].shape) * 1e-3"),
        "seed",
        "run again with the same seed, output 'out' differs",
        "default_rng(spec.seed)",
    ),
    "shares-its-state": Animal(
        _block(
            "outs['out'][:] = ins['in'] + sum(Animal.heard)\n"
            "Animal.heard.append(float(ins['in'][0, :1].sum()))",
            "heard = []\n"
            + _prepare("Animal.heard.clear()")
            + "def reset(self):\n    Animal.heard.clear()\n",
        ),
        "instances",
        "while a second instance runs",
        "never in the class",
    ),
    "starts-over-at-set": Animal(
        _delay(50, 50) + "    def set(self, params):\n        self.reset()\n",
        "set",
        "after set() with unchanged parameters",
        "leave the signal's state alone",
    ),
    # sound
    "divides-by-silence": Animal(
        _block("with np.errstate(all='ignore'):\n    outs['out'][:] = ins['in'] / np.abs(ins['in'])"),
        "finite",
        "silence gives nan in output 'out' at sample 0",
        "guard divisions",
    ),
    "overflows": Animal(
        _block("with np.errstate(all='ignore'):\n    outs['out'][:] = np.square(ins['in'] * 1.9e19)"),
        "extremes",
        "a full-scale square wave gives inf in output 'out' at sample 0",
        "powers inside float32",
    ),
    "residual-of-another-layout": Animal(
        _block("outs['out'][:] = ins['in'].mean(axis=0)"),
        "sums",
        "forms a residual but changes the layout",
        "let the card's ports, layouts and residual fit together",
        more=_SEPARATOR
        + ", layouts_for=lambda params, inputs: {'out': Layout.parse('mono'), 'rest': inputs['in']}",
        cards="from unbraid.host.contract import Layout",
    ),
    "swaps-channels": Animal(
        _block("outs['out'][:] = ins['in'][::-1]"), "roles", "L of output 'out' holds Rs", "channel order"
    ),
    "front-only": Animal(
        _block(_COPY + "\nouts['out'][2:] = 0"),
        "roles",
        "of 5.1, C, LFE, Ls, Rs went in and is silent in every output",
        "process every channel",
    ),
    "speechless-refusal": Animal(
        _block(_COPY),
        "layouts",
        "mono is refused without words: 'no'",
        "say which layout",
        more="layouts_for=stereo",
        cards="def stereo(params, inputs):\n    if inputs['in'].channels != 2:\n"
        "        raise LayoutRefusedError('no')\n    return {'out': inputs['in']}",
    ),
    "stereo-in-secret": Animal(
        _block("outs['out'][0] = ins['in'][0]\nouts['out'][1] = ins['in'][1]"),
        "layouts",
        "with in mono, process() raised IndexError",
        "refuse in layouts_for what cannot run",
    ),
    "one-rate": Animal(
        _block(_COPY, _prepare("assert spec.rate in (44100, 48000)")),
        "rates",
        "at 8000 Hz, prepare() raised AssertionError",
        "PluginError",
    ),
    "bound-that-breaks": Animal(
        _block("outs['out'][:] = ins['in'] / self.params.by"),
        "bounds",
        "with by=0, noise gives inf",
        "narrow the bounds of 'by'",
        more="params=By",
        cards="class By(Params, frozen=True):\n    by: Annotated[float, param('divisor', ge=0, le=1)] = 1.0",
    ),
    "lumpy-knob": Animal(
        _block(
            "for k in range(ins['in'].shape[1]):\n"
            "    if self.at % 12060 == 0:\n        self.gain = self.params.gain\n"
            "    outs['out'][:, k] = ins['in'][:, k] * np.float32(self.gain)\n    self.at += 1",
            _prepare("self.reset()") + "def reset(self):\n    self.at = 0",
        ),
        "automation",
        "gain from 0 to 1 jumps by 0.",
        "glide",
        more="params=Knob",
        cards=_GAIN,
    ),
    "knob-by-blocks": Animal(
        _block(
            "self.gain += 0.1 * (self.params.gain - self.gain)\n"
            "outs['out'][:] = ins['in'] * np.float32(self.gain)",
            _prepare("self.reset()") + "def reset(self):\n    self.gain = self.params.gain",
        ),
        "automation-cuts",
        "while gain moves, other blocks give another output",
        "whatever the block",
        more="params=Knob",
        cards=_GAIN,
    ),
    "compiled-otherwise": Animal(
        """
        from unbraid.kernels import nodes

        class Animal(CompiledProcessor):
            def prepare(self, spec):
                super().prepare(spec)
                self.state = nodes.CopyState([*range(spec.inputs["in"].channels)])
            def process(self, ins, outs):
                outs["out"][:] = ins["in"] * np.float32(0.999)
        """,
        "compiled",
        "compiled and process() part: output 'out' differs first at sample 0",
        "call the compiled function",
    ),
    # what it tells
    "tells-a-list": Animal(
        _block(_COPY, "def findings(self):\n    return {'peaks': [1, 2]}"),
        "findings",
        "findings() before a run gave 'peaks': a list",
        "names with numbers or texts",
    ),
    "tells-too-early": Animal(
        _block("self.peak = 1.0\n" + _COPY, "def findings(self):\n    return {'peak': self.peak}"),
        "findings",
        "findings() before a run raised AttributeError",
        "at any time after prepare()",
    ),
    # what is left behind
    "leaks-threads": Animal(
        "import threading\n"
        + _block(
            _COPY,
            _prepare("threading.Thread(target=threading.Event().wait, daemon=True, name='stray').start()"),
        ),
        "left-behind",
        "3 more threads (threads alive: stray)",
        "end and close in release()",
    ),
    "leaks-files": Animal(
        "import os\n" + _block(_COPY, _prepare("os.open('/dev/null', os.O_RDONLY)")),
        "left-behind",
        "3 more open files",
        "in release()",
    ),
    "leaks-memory": Animal(
        "import os\n" + _block("self.past.append(ins['in'].copy())\n" + _COPY, _prepare("self.past = []")),
        "memory",
        "most of it at leaks_memory_dsp.py:",
        "keep no more of the past",
    ),
    # the card
    "no-licence": Animal(
        _block(_COPY), "card", "its licence is blank", "give the card a licence", "licence=' '"
    ),
    "heavy-card": Animal(
        _block(_COPY),
        "light",
        "listing it imports librosa",
        "in the card's factory only",
        cards="import librosa",
    ),
}

# Those that behave well, each in a way of its own: they pass at the strictest level.

BEHAVE_WELL = {
    "peak-normaliser": Animal(
        """
        from unbraid.host.contract import AnalysisProcessor

        class Animal(AnalysisProcessor):
            def begin(self, number):
                self.peak = 0.0
            def analyse(self, ins):
                self.peak = max(self.peak, float(np.abs(ins["in"]).max(initial=0)))
            def process(self, ins, outs):
                outs["out"][:] = ins["in"] / np.float32(self.peak or 1)
        """,
        more="passes=1",
    ),
    "segments": Animal(
        """
        from unbraid.host.contract import SegmentProcessor

        class Animal(SegmentProcessor):
            segment, hop, batch = 4096, 3072, 2
            def separate(self, batch):
                return 0.5 * batch[:, None]
        """,
        more=_SEPARATOR,
    ),
    "noise-maker": Animal(
        """
        class Animal(BlockProcessor):
            def prepare(self, spec):
                super().prepare(spec)
                self.reset()
            def reset(self):
                self.draw = np.random.default_rng(self.spec.seed)
            def process(self, ins, outs):
                out = outs["out"]
                out[:] = self.draw.uniform(-0.1, 0.1, out.shape[::-1]).T
        """,
        more="ports=Ports((), (Port('out'),)), "
        "layouts_for=lambda params, inputs: {'out': Layout.parse('stereo')}",
        cards="from unbraid.host.contract import Layout",
    ),
    "ducker": Animal(
        _block("outs['out'][:] = ins['in'] / (1 + np.abs(ins['key']))"),
        more="ports=Ports((Port('in'), Port('key')), (Port('out'),))",
    ),
    "roughly-the-same": Animal(
        _block(
            "outs['out'][:] = ins['in'] * np.float32(1 + 1e-6 * np.random.default_rng().standard_normal())"
        ),
        more="deterministic=False",
    ),
    "gate-at-16k": Animal(
        """
        class Animal(StftProcessor[Params]):
            n_fft, hop = 512, 128
            def masks(self, X):
                return {"out": (np.abs(X) > 0.05).astype(np.float32)}
        """,
        more=_SEPARATOR + ", rates=(16000,)",
    ),
    "upmixer": Animal(
        _block("outs['out'][:] = ins['in'] * np.float32([[0.8], [0.6]])"),
        more="ports=Ports((Port('in', layouts=('mono',)),), (Port('out'),)), "
        "layouts_for=lambda params, inputs: {'out': Layout.parse('stereo')}",
        cards="from unbraid.host.contract import Layout",
    ),
    "one-stem-for-the-front": Animal(
        _block("outs['front'][:] = ins['in']\nouts['front'][3:] = 0"),
        more="ports=Ports((Port('in'),), (Port('front'), Port('rest'))), residual='rest'",
        advised={"roles": "of 5.1, LFE, Ls, Rs went in and is silent in output 'front'"},
    ),
    "dithers": Animal(
        """
        class Animal(BlockProcessor):
            def prepare(self, spec):
                super().prepare(spec)
                self.reset()
            def reset(self):
                self.draw = np.random.default_rng(self.spec.seed)
            def process(self, ins, outs):
                outs["out"][:] = 0.05 * ins["in"]
                outs["out"][:] += 0.9e-5 * self.draw.uniform(-1, 1, ins["in"].shape[::-1]).T
        """,
        advised={"tail": "a floor of -101 dB re full scale"},
    ),
    # an untrained network, whose strongest tap is off centre
    "untrained": Animal(
        _SEGMENTS.format(
            "taps = np.float32([0.1, -0.3, 0.2, 0.1, 0.35, -0.25, 0.4])\n"
            "        wide = np.pad(batch, ((0, 0), (0, 0), (3, 3)))\n"
            "        return sum(tap * wide[:, :, k : k + 4096] for k, tap in enumerate(taps))[:, None]"
        ),
        advised={"latency": "so it may be its sound"},
    ),
    "late-and-says-so": Animal(
        _delay(0, 0)
        .replace("'in'].channels, 0)", "'in'].channels, self.latency)")
        .replace("super().prepare(spec)", "super().prepare(spec)\n        self.latency = self.params.late"),
        more="params=Late",
        cards="class Late(Params, frozen=True):\n"
        "    late: Annotated[int, param('samples', ge=0, le=64, fixed=True)] = 7",
    ),
}
