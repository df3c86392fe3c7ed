"""The contract's data: layouts, parameters, ports, cards, errors; and the built-in cards held to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.host.contract import (
    API_VERSION,
    NAMED_LAYOUTS,
    Cancelled,
    GraphError,
    Layout,
    LayoutRefusedError,
    MediaError,
    NodeError,
    Params,
    ParamsError,
    Place,
    PluginCard,
    PluginError,
    Port,
    Ports,
    Problem,
    UnbraidError,
    param,
    same_layout,
)
from unbraid.host.contract.audio import LayoutNameError
from unbraid.host.contract.errors import nearest
from unbraid.host.contract.params import ParamInfo, convert, describe
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

# Layouts

# 5.1 and 7.1 in the channel order of SMPTE ST 428-12 (L R C LFE Ls Rs; L R C LFE Lss Rss Lrs Rrs, its
# 7.1DS); the .2 and .4 beds append their heights, front before rear, left before right, as ITU-R BS.2051
# lists its upper layer (systems D and J).
STANDARD = {
    "mono": "M",
    "stereo": "L R",
    "5.1": "L R C LFE Ls Rs",
    "7.1": "L R C LFE Lss Rss Lrs Rrs",
    "7.1.2": "L R C LFE Lss Rss Lrs Rrs Lts Rts",
    "5.1.4": "L R C LFE Ls Rs Ltf Rtf Ltr Rtr",
    "7.1.4": "L R C LFE Lss Rss Lrs Rrs Ltf Rtf Ltr Rtr",
}


@pytest.mark.parametrize(("name", "roles"), STANDARD.items())
def test_a_named_layout_has_the_channels_of_the_standard(name: str, roles: str) -> None:
    layout = Layout.parse(name)
    assert " ".join(layout.roles) == roles
    assert str(layout) == name
    counts = {"mono": 1, "stereo": 2} | {
        name: sum(map(int, name.split("."))) for name in STANDARD if "." in name
    }
    assert layout.channels == counts[name]


def test_there_is_no_other_named_layout() -> None:
    assert set(NAMED_LAYOUTS) == set(STANDARD)


@pytest.mark.parametrize("channels", [1, 2, 8, 64, 1023, 1024])
def test_discrete_channels_are_numbered_from_one(channels: int) -> None:
    layout = Layout.parse(f"discrete:{channels}")
    assert layout.channels == channels
    assert layout.roles == tuple(str(number) for number in range(1, channels + 1))
    assert Layout.parse(f"discrete:00{channels}") == layout


@pytest.mark.parametrize(
    "name",
    [
        *(
            "discrete:0",
            "discrete:1025",
            "discrete:-1",
            "discrete:",
            "discrete",
            "discrete:2.0",
            "discrete: 2",
        ),
        *("discrete:" + "9" * 5000, "discrete:٢", "discrete:1_0", "", "5", "5.1 ", "Stereo"),
    ],
)
def test_other_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(LayoutNameError, match=r"unknown layout .*(did you mean|known: .*7\.1\.4)"):
        Layout.parse(name)


@given(st.text(max_size=12))
def test_any_name_is_a_layout_or_refused(name: str) -> None:
    try:
        assert Layout.parse(name).channels > 0
    except LayoutNameError as error:
        assert repr(name) in str(error)  # noqa: PT017 - hardly any is a layout


@pytest.mark.parametrize(
    ("channels", "name"),
    [(1, "mono"), (2, "stereo"), (3, "discrete:3"), (6, "5.1"), (8, "discrete:8"), (12, "discrete:12")],
)
def test_a_plain_file_is_taken_for_what_its_count_makes_certain(channels: int, name: str) -> None:
    assert Layout.of_channels(channels) == Layout.parse(name)


@pytest.mark.parametrize("channels", [0, -1, 1025])
def test_no_file_has_that_many_channels(channels: int) -> None:
    with pytest.raises(LayoutNameError):
        Layout.of_channels(channels)


# Parameters


class Knobs(Params, frozen=True):
    level: Annotated[float, param("how loud", unit="dB", ge=-60, le=12)] = 0.0
    floor: Annotated[float, param("at least", unit="Hz", ge=20)] = 20.0
    ceiling: Annotated[float, param("at most", le=1)] = 1.0
    free: Annotated[float, param("anything")] = 0.0
    count: Annotated[int, param("how many", ge=0, le=9)] = 0
    on: Annotated[bool, param("a switch")] = False
    order: Annotated[Literal[6, 12], param("steepness", unit="dB/octave", fixed=True)] = 6
    mode: Annotated[Literal["hard", "soft"], param("manner")] = "soft"
    label: Annotated[str, param("a name")] = ""
    weights: Annotated[tuple[Annotated[float, param("one", ge=0, le=1)], ...], param("each", unit="x")] = ()
    pair: Annotated[tuple[int, int], param("from and to")] = (0, 1)
    grid: Annotated[tuple[tuple[float, ...], ...], param("rows")] = ()
    limit: Annotated[Annotated[float, param("", ge=0, le=5)] | None, param("none or a number")] = None
    table: Annotated[dict[str, tuple[str, ...]], param("groups")] = msgspec.field(default_factory=dict)


INFOS = {info.name: info for info in describe(Knobs)}

TAKEN: list[tuple[str, Any, Any]] = [
    ("level", -60, -60.0),
    ("level", 12, 12.0),
    ("level", 3, 3.0),
    ("free", -1e308, -1e308),
    ("count", 9, 9),
    ("on", True, True),
    ("order", 12, 12),
    ("mode", "hard", "hard"),
    ("weights", [0, 1, 0.5], (0.0, 1.0, 0.5)),
    ("weights", (), ()),
    ("pair", [3, 4], (3, 4)),
    ("grid", [[1], [], [2, 3]], ((1.0,), (), (2.0, 3.0))),
    ("limit", None, None),
    ("limit", 5, 5.0),
    ("table", {"a": ["L", "R"]}, {"a": ("L", "R")}),
]


@pytest.mark.parametrize(("name", "given", "taken"), TAKEN)
def test_good_values_are_taken_in_their_own_type(name: str, given: Any, taken: Any) -> None:
    params = convert(Knobs, {name: given})
    assert repr(getattr(params, name)) == repr(taken)
    others = {other: getattr(params, other) for other in INFOS if other != name}
    assert others == {other: getattr(Knobs(), other) for other in INFOS if other != name}


REFUSED: list[tuple[str, Any, str]] = [
    ("level", 12.5, "level = 12.5 is out of bounds: -60 to 12 dB"),
    ("level", -61, "level = -61 is out of bounds: -60 to 12 dB"),
    ("level", math.nan, "level = nan is not finite: -60 to 12 dB"),
    ("level", True, "level = True is not valid: number, -60 to 12 dB"),
    ("level", "3", "level = '3' is not valid: number"),
    ("level", None, "level = None is not valid"),
    ("level", [1], "level = [1] is not valid"),
    ("level", 10**400, "is not valid: number"),
    ("floor", 19.9, "floor = 19.9 is out of bounds: at least 20 Hz"),
    ("ceiling", 1.1, "ceiling = 1.1 is out of bounds: at most 1"),
    ("free", math.inf, "free = inf is not finite: any number"),
    ("count", 1.5, "count = 1.5 is not valid: integer, 0 to 9"),
    ("count", True, "count = True is not valid: integer"),
    ("count", 10, "count = 10 is out of bounds: 0 to 9"),
    ("on", 1, "on = 1 is not valid: boolean"),
    ("on", "yes", "on = 'yes' is not valid: boolean"),
    ("order", 18, "order = 18 is not allowed: one of 6, 12"),
    ("mode", "sofd", "mode = 'sofd' is not allowed: one of hard, soft"),
    ("mode", ["soft"], "is not allowed: one of hard, soft"),
    ("label", 3, "label = 3 is not valid: text"),
    ("weights", 1, "weights = 1 is not valid: list of numbers, 0 to 1 x"),
    ("weights", [0, 2], "weights[1] = [0, 2] is not valid: list of numbers, 0 to 1 x"),
    ("weights", [0, math.nan], "is not finite"),
    ("pair", [1], "is not valid: list of integers"),
    ("grid", [[0], [math.inf]], "is not finite"),
    ("grid", [[0], ["x"]], "grid[1][0] = "),
    ("limit", 6, "limit = 6 is out of bounds: 0 to 5"),
    ("table", {"a": [math.nan]}, "is not finite"),
    ("table", {"a": 1}, "is not valid: mapping"),
    ("lewel", 1, "unknown parameter 'lewel'; did you mean 'level'?"),
]


@pytest.mark.parametrize(("name", "given", "what"), REFUSED)
def test_a_bad_value_is_named_with_what_would_do(name: str, given: Any, what: str) -> None:
    with pytest.raises(ParamsError) as caught:
        convert(Knobs, {name: given})
    assert what in str(caught.value)
    assert list(caught.value.faults) == [name]


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(ParamsError) as caught:
        convert(Knobs, {"level": 99, "count": "x", "on": True, "tilt": 1})
    assert set(caught.value.faults) == {"level", "count", "tilt"}
    assert str(caught.value).count("\n") == 2


def test_a_struct_can_judge_the_whole() -> None:
    class Band(Params, frozen=True):
        low: float = 1.0
        high: float = 2.0

        def __post_init__(self) -> None:
            if self.low >= self.high:
                raise ValueError("low must lie below high")

    assert convert(Band, {"low": 1.5}).low == 1.5
    with pytest.raises(ParamsError, match="low must lie below high"):
        convert(Band, {"low": 3})


@given(
    st.dictionaries(
        st.sampled_from([*INFOS, "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_any_values_are_taken_or_refused_by_name(values: dict[str, Any]) -> None:
    try:
        params = convert(Knobs, values)
    except ParamsError as error:
        assert set(error.faults) <= set(values)  # noqa: PT017 - most are refused
    else:
        assert -60 <= params.level <= 12
        assert all(0 <= weight <= 1 for weight in params.weights)


def test_parameters_are_described_as_data() -> None:
    assert list(INFOS) == list(Knobs.__struct_fields__)
    level = ParamInfo("level", "number", 0.0, -60, 12, (), "dB", "how loud", fixed=False)
    assert INFOS["level"] == level
    assert {name: info.kind for name, info in INFOS.items()} == {
        "level": "number",
        "floor": "number",
        "ceiling": "number",
        "free": "number",
        "count": "integer",
        "on": "boolean",
        "order": "choice",
        "mode": "choice",
        "label": "text",
        "weights": "list of numbers",
        "pair": "list of integers",
        "grid": "list of values",
        "limit": "number or nothing",
        "table": "mapping",
    }
    assert INFOS["order"].choices == (6, 12)
    assert (INFOS["weights"].ge, INFOS["weights"].le, INFOS["weights"].doc) == (0, 1, "each")
    assert (INFOS["limit"].le, INFOS["limit"].doc) == (5, "none or a number")
    assert INFOS["table"].default == {}


def test_bounds_read_as_words() -> None:
    words = {name: INFOS[name].bounds for name in ("level", "floor", "ceiling", "free", "mode", "weights")}
    assert words == {
        "level": "-60 to 12 dB",
        "floor": "at least 20 Hz",
        "ceiling": "at most 1",
        "free": "any number",
        "mode": "one of hard, soft",
        "weights": "0 to 1 x",
    }


def test_scalars_that_are_not_fixed_can_be_automated() -> None:
    automatable = {name for name, info in INFOS.items() if info.automatable}
    assert automatable == {"level", "floor", "ceiling", "free", "count", "on", "mode"}


# Ports and cards

CARD: dict[str, Any] = {
    "id": "mine",
    "name": "Mine",
    "version": "1",
    "licence": "MIT",
    "factory": "mine.dsp:Mine",
}


class Needy(Params, frozen=True):
    must: float


class Undecided(Params, frozen=True):
    """Its default is not allowed."""

    amount: float = 0.0

    def __post_init__(self) -> None:
        if self.amount == 0:
            raise ValueError("amount must not be 0")


class Crooked(Params, frozen=True):
    text: Annotated[str, param("bounds that do not suit text", ge=0)] = ""


TWO = Ports(outputs=(Port("part"), Port("rest")))
BAD_CARDS: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "plugin id '' must match"),
    ({"id": "Mine"}, "plugin id 'Mine' must match"),
    ({"id": "a.b"}, "plugin id 'a.b' must match"),
    ({"id": "a b"}, "plugin id 'a b' must match"),
    ({"id": "1a"}, "plugin id '1a' must match"),
    ({"id": "a\n"}, "must match"),
    ({"id": "a" * 65}, "must match"),
    ({"factory": "mine.dsp"}, "'mine': factory 'mine.dsp' must read package.module:Class"),
    ({"factory": "mine.dsp:"}, "must read package.module:Class"),
    ({"factory": ":Mine"}, "must read package.module:Class"),
    ({"factory": "mine:Mine.Inner()"}, "must read package.module:Class"),
    ({"factory": "os:system('x')"}, "must read package.module:Class"),
    (
        {"api": API_VERSION + 1},
        f"'mine' is written for contract {API_VERSION + 1}, this host speaks {API_VERSION}",
    ),
    ({"api": 0}, "'mine' is written for contract 0"),
    ({"residual": "rest"}, "'mine': residual 'rest' is none of its outputs: ['out']"),
    ({"residual": "rset", "ports": TWO}, "residual 'rset' is none of its outputs: ['part', 'rest']"),
    ({"residual": "rest", "ports_for": lambda _: Ports()}, "residual 'rest' is none of its outputs"),
    ({"ports": Ports((Port("in"), Port("in")))}, "'mine': two ports have one name: ['in', 'in']"),
    ({"ports": Ports(outputs=(Port("out"), Port("out")))}, "'mine': two ports have one name"),
    ({"params": Needy}, "'mine': its parameters do not run bare: parameter 'must' needs a default"),
    ({"params": Undecided}, "'mine': its parameters do not run bare: amount must not be 0"),
    ({"params": Crooked}, "'mine': its parameters do not run bare: "),
    ({"ports_for": lambda params: params.nothing}, "'mine': its ports_for failed: AttributeError"),
    ({"devices_for": lambda _: ("cuda",)}, "devices_for gives ('cuda',), which must be some of ('cpu',)"),
    ({"devices_for": lambda _: ()}, "devices_for gives (), which must be some of"),
]


@pytest.mark.parametrize(("terms", "what"), BAD_CARDS)
def test_a_bad_card_is_refused_when_it_is_made(terms: dict[str, Any], what: str) -> None:
    with pytest.raises(PluginError) as caught:
        PluginCard(**{**CARD, **terms})
    assert what in str(caught.value)


def test_a_plain_card_has_one_input_and_one_output_and_runs_anywhere() -> None:
    card = PluginCard(**CARD)
    assert [port.name for port in card.ports_of(Params()).inputs] == ["in"]
    assert [port.name for port in card.ports_of(Params()).outputs] == ["out"]
    assert (card.residual, card.rates, card.devices, card.api) == (None, (), ("cpu",), 1)
    assert PluginCard(**{**CARD, "id": "a" * 64}).id == "a" * 64
    assert PluginCard(**CARD, ports=TWO, residual="rest").residual == "rest"


STEREO, MONO, FIVE = (Layout.parse(name) for name in ("stereo", "mono", "5.1"))


def test_outputs_take_the_layout_of_the_inputs() -> None:
    ports = Ports((Port("a"), Port("b")), (Port("x"), Port("y")))
    assert same_layout(ports, {"a": FIVE, "b": FIVE}) == {"x": FIVE, "y": FIVE}
    with pytest.raises(LayoutRefusedError, match=r"one layout, but a is 5\.1, b is mono"):
        same_layout(ports, {"a": FIVE, "b": MONO})
    with pytest.raises(PluginError, match="layouts_for"):
        same_layout(Ports(inputs=()), {})


def test_a_card_names_the_layouts_an_input_takes() -> None:
    card = PluginCard(**CARD, ports=Ports((Port("in", layouts=("mono", "stereo")),)))
    assert card.layouts_of(Params(), {"in": MONO}) == {"out": MONO}
    with pytest.raises(LayoutRefusedError, match=r"its input 'in' takes mono or stereo, not 5\.1"):
        card.layouts_of(Params(), {"in": FIVE})


def test_a_card_can_say_itself_what_comes_out() -> None:
    def down(params: Params, inputs: Mapping[str, Layout]) -> dict[str, Layout]:
        if inputs["in"] != FIVE:
            raise LayoutRefusedError("five only")
        return {"out": STEREO}

    card = PluginCard(**CARD, layouts_for=down)
    assert card.layouts_of(Params(), {"in": FIVE}) == {"out": STEREO}
    with pytest.raises(LayoutRefusedError, match="five only"):
        card.layouts_of(Params(), {"in": MONO})
    with pytest.raises(PluginError, match="'mine': its layouts_for failed: KeyError"):
        card.layouts_of(Params(), {})
    short = PluginCard(**CARD, ports=TWO, layouts_for=lambda _params, _inputs: {"part": MONO})
    with pytest.raises(PluginError, match="'mine': its layouts_for leaves out the output 'rest'"):
        short.layouts_of(Params(), {"in": MONO})


# Errors


def test_every_error_is_one_kind_and_knows_its_exit_code() -> None:
    refusals = (GraphError, PluginError, ParamsError, LayoutRefusedError, LayoutNameError)
    assert {error.exit_code for error in refusals} == {2}
    assert {error.exit_code for error in (MediaError, NodeError, UnbraidError)} == {1}
    assert Cancelled.exit_code == 130
    for error in (*refusals, MediaError, NodeError, Cancelled):
        assert issubclass(error, UnbraidError)


def test_an_error_reads_as_place_fault_remedy() -> None:
    problems = [
        Problem(Place("song.yaml", 7, "nodes.a"), "second", "mend it"),
        Problem(Place("song.yaml", 2), "first"),
        Problem(Place("graph"), "nowhere"),
    ]
    assert str(GraphError(problems)) == (
        "graph: nowhere\nsong.yaml:2: first\nsong.yaml:7: nodes.a: second; mend it"
    )
    assert str(NodeError("a", "gain", 512, "no")) == "node 'a' (gain) failed at sample 512: no"


def test_a_remedy_offers_the_nearest_or_lists_what_there_is() -> None:
    assert nearest("gian", ["mix", "gain"]) == "did you mean 'gain'?"
    assert nearest("xyz", ["mix", "gain"]) == "known: gain, mix"
    assert nearest("xyz", []) == "none is known"
    many = nearest("~", [f"n{k:02}" for k in range(20)])
    assert many.startswith("known: n00, n01, ")
    assert many.endswith("n11 and 8 more")


# The built-in cards


OWN = {card.id: card for card in Registry.discover().cards.values() if card.factory.startswith("unbraid.")}


def test_the_built_in_plugins_are_found() -> None:
    assert {"gain", "mix", "subtract", "delay", "highpass", "lowpass", "split", "join", "wind"} <= set(OWN)


@pytest.mark.parametrize("card", OWN.values(), ids=OWN)
def test_a_built_in_card_says_what_it_is(card: PluginCard) -> None:
    assert card.doc.strip()
    assert card.doc.endswith(".")
    assert card.name.strip()
    assert card.licence.startswith("MIT")
    assert [int(part) >= 0 for part in card.version.split(".")] == [True] * 3


PARAMETERS = {
    f"{card.id}.{info.name}": (card, info) for card in OWN.values() for info in describe(card.params)
}


@pytest.mark.parametrize(("card", "info"), PARAMETERS.values(), ids=PARAMETERS)
def test_a_built_in_parameter_has_words_bounds_and_a_good_default(card: PluginCard, info: ParamInfo) -> None:
    assert info.doc.strip()
    if "number" in info.kind or "integer" in info.kind:
        assert info.ge is not None
        assert info.le is not None
        assert info.ge < info.le
    plain = msgspec.to_builtins(info.default)
    assert getattr(convert(card.params, {info.name: plain}), info.name) == info.default
