"""The reader: YAML 1.2's core schema and JSON, with lines; refuses what is odd and is not made to work."""

from __future__ import annotations

import json
import math
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unbraid.host.contract import GraphError
from unbraid.host.graph.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_VALUES, Parsed, read

# Section 10.3.2 of YAML 1.2.2, its example 10.9 among them, and texts that YAML 1.1 took for something else.
NAN = float("nan")
CORE_SCHEMA: dict[str, Any] = {
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
    "nULL": "nULL",
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "tRUE": "tRUE",
    "0": 0,
    "-19": -19,
    "+7": 7,
    "012": 12,
    "0o7": 7,
    "0o14": 12,
    "0x3A": 58,
    "0o8": "0o8",
    "0O14": "0O14",
    "0X3A": "0X3A",
    "-0x3A": "-0x3A",
    "0x": "0x",
    "0b11": "0b11",
    "1_000": "1_000",
    "1,000": "1,000",
    "0.": 0.0,
    "-0.0": -0.0,
    ".5": 0.5,
    "+12e03": 12000.0,
    "-2E+05": -200000.0,
    "1e3": 1000.0,
    "1.5e-3": 0.0015,
    ".": ".",
    "1e": "1e",
    "e3": "e3",
    "1.2.3": "1.2.3",
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "+.INF": math.inf,
    ".iNF": ".iNF",
    "inf": "inf",
    ".nan": NAN,
    ".NaN": NAN,
    ".NAN": NAN,
    "+.nan": "+.nan",
    "nan": "nan",
    "no": "no",
    "yes": "yes",
    "on": "on",
    "off": "off",
    "y": "y",
    "n": "n",
    "00:00:10.000": "00:00:10.000",
    "1:30": "1:30",
    "2026-01-02": "2026-01-02",
    "=": "=",
    "<<": "<<",
    "٣": "٣",
    "١٢.٥": "١٢.٥",
}


def same(a: object, b: object) -> bool:
    """Equality that tells 1 from 1.0 and from True, 0.0 from -0.0, and knows nan."""
    return repr(a) == repr(b)


def fault(text: str, source: str = "song.yaml") -> str:
    with pytest.raises(GraphError) as caught:
        read(text, source)
    return str(caught.value)


# What is read


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA.items())
def test_plain_scalars_resolve_by_the_core_schema(text: str, value: object) -> None:
    assert same(read(f"key: {text}", "g").value, {"key": value})
    assert same(read(f"- {text}\n- x", "g").value, [value, "x"])


@pytest.mark.parametrize("text", [text for text in CORE_SCHEMA if text])
def test_a_quoted_scalar_is_always_text(text: str) -> None:
    assert read(f"['{text}', \"{text}\"]", "g").value == [text, text]
    assert read(f"key: |-\n  {text}\n", "g").value == {"key": text}


def test_a_version_directive_does_not_bring_the_old_schema_back() -> None:
    assert read("%YAML 1.1\n---\n[no, 012, 1:30, 1_000]", "g").value == ["no", 12, "1:30", "1_000"]


def test_numbers_serve_as_keys_by_their_value_and_other_scalars_do_not() -> None:
    assert read("{1: a, 0x10: b, two: c}", "g").value == {"1": "a", "16": "b", "two": "c"}
    for key in ("true", "~"):
        assert "a key must be a name" in fault(f"{key}: 1")


def test_merge_keys_are_keys_like_any_other() -> None:
    text = "base: &base {a: 1}\nmore: {<<: *base, b: 2}\n"
    assert read(text, "g").value["more"] == {"<<": {"a": 1}, "b": 2}


def test_an_alias_gives_a_copy_so_a_change_stays_in_one_place() -> None:
    value = read("one: &x {a: [1]}\ntwo: *x\n", "g").value
    value["two"]["a"].append(2)
    assert value == {"one": {"a": [1]}, "two": {"a": [1, 2]}}


def test_anchors_name_scalars_lists_and_mappings_and_can_be_set_anew() -> None:
    text = "[&a 1, &b [x], &c {k: v}, *a, *b, *c, &a 2, *a]"
    assert read(text, "g").value == [1, ["x"], {"k": "v"}, 1, ["x"], {"k": "v"}, 2, 2]


def test_an_empty_document_is_nothing() -> None:
    for text in ("", "\n", "# only a comment\n", "---\n", "\ufeff"):
        assert read(text, "g").value is None


# JSON escapes everything but U+007F, which YAML takes for a control character.
TEXT = st.text(st.characters(exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=25,
)
SEPARATORS = [(",", ":"), (", ", ": "), (" ,\t", "\t:\t"), ("\t, ", " : ")]


@given(JSON, st.sampled_from([None, 0, 1, 2, 7, "\t", "\t\t", " \t"]), st.sampled_from(SEPARATORS))
@example({"a": {"b": [{}, [], {"c": None}]}}, "\t", (",", ":"))
@example("\U0001f600 \u2028 \x85 \ufeff \x00", None, (", ", ": "))
@example({"<<": "null", "": ["", "~", "# no comment", "- x", "a: b"]}, 2, (",", ":"))
def test_any_json_reads_as_a_json_parser_reads_it(
    value: Any, indent: int | str | None, separators: tuple[str, str]
) -> None:
    text = json.dumps(value, indent=indent, separators=separators)
    assert same(read(text, "g").value, json.loads(text))


PRINTABLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufffe\uffff"), max_size=20
)


@given(st.dictionaries(PRINTABLE, PRINTABLE))
def test_json_need_not_be_escaped_to_ascii(value: dict[str, str]) -> None:
    assert read(json.dumps(value, ensure_ascii=False), "g").value == value


# Where it stands

NAMES = st.text("abcxyz_-", min_size=1, max_size=5).map(lambda name: f"k{name}")
BLOCKS = st.recursive(
    st.integers(0, 99),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4) | st.dictionaries(NAMES, inner, min_size=1, max_size=4)
    ),
    max_leaves=20,
)


def emit(
    value: Any, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], at: int
) -> list[str]:
    """Write ``value`` in block style, a comment before every entry but a first; note each entry's line."""
    if isinstance(value, int):
        return [str(value)]
    text: list[str] = []
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        text += ["# remark", ""] if text else []
        here = lines[*path, key] = at + len(text)
        if isinstance(value, list):
            inner = emit(item, (*path, key), lines, here)
            text += [f"- {inner[0]}", *(f"  {line}".rstrip() for line in inner[1:])]
        elif isinstance(item, int):
            text.append(f"{key}: {item}")
        else:
            text.append(f"{key}:")
            text += [f"  {line}".rstrip() for line in emit(item, (*path, key), lines, here + 1)]
    return text


@given(BLOCKS, st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_key_and_item_knows_its_line(value: Any, ending: str) -> None:
    lines: dict[tuple[str | int, ...], int] = {}
    text = emit(value, (), lines, at=3)
    parsed = read(ending.join(["# first", "---", *text]), "g")
    assert parsed.value == value
    assert {path: line for path, line in parsed.lines.items() if path} == lines


def test_a_place_names_source_line_and_path() -> None:
    parsed = read("nodes:\n  bed:\n    from: [a,\n      b]\n", "song.yaml")
    assert str(parsed.place(("nodes", "bed", "from", 1))) == "song.yaml:4: nodes.bed.from[1]"


def test_what_is_not_in_the_document_stands_where_its_nearest_ancestor_does() -> None:
    parsed = read("a: &x {b: 1}\nc: *x\n", "song.yaml")
    assert str(parsed.place(("c", "b"))) == "song.yaml:2: c.b"
    assert str(parsed.place(("a", "z"))) == "song.yaml:1: a.z"
    assert str(Parsed({}, "graph").place(("a",))) == "graph: a"


# What is refused, by source and line

REFUSED: dict[str, tuple[str, int, str]] = {
    "a key twice": ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice"),
    "a key twice, in JSON": ('{"a": 1,\n "a": 2}', 2, "'a' stands twice"),
    "a key twice, written in two ways": ("16: x\n0x10: y\n", 2, "'16' stands twice"),
    "a python tag": ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "python/object/apply:os.system"),
    "a python name tag": ("a: !!python/name:os.system x\n", 1, "python/name:os.system"),
    "a binary tag": ("a: !!binary aGk=\n", 1, "binary"),
    "a tag of one's own": ("a: 1\n\nb: !custom {c: 1}\n", 3, "!custom"),
    "even a tag that says the obvious": ("a: !!str x\n", 1, "str"),
    "a declared tag": ("%TAG !e! tag:e.org,2000:\n---\na: !e!x y\n", 3, "tag:e.org,2000:x"),
    "a tag on a key": ("!custom a: 1\n", 1, "!custom"),
    "a second document": ("a: 1\n---\nb: 1\n", 2, "second document"),
    "a second document after an end": ("a: 1\n...\n---\nb: 1\n", 3, "second document"),
    "an unknown alias": ("a: 1\nb: *nobody\n", 2, "*nobody"),
    "an alias before its anchor": ("a: *x\nb: &x 1\n", 1, "*x"),
    "a recursive list": ("a: 1\nb: &x\n  - *x\n", 3, "*x"),
    "a recursive mapping": ("a: &x {b: *x}\n", 1, "*x"),
    "a list as key": ("a: 1\n? [b, c]\n: 2\n", 2, "a key must be a name"),
    "a mapping as key": ("{a: 1}: 2\n", 1, "a key must be a name"),
    "a list as key, by alias": ("a: &x [1]\n*x : 2\n", 2, "a key must be a name"),
    "a null character": ("a: 1\nb: \x00\n", 2, "U+0000"),
    "a bell": ("a: 1\r\nb: 2\r\nc: 'x\x07'\r\n", 3, "U+0007"),
    "a delete in JSON": ('{"a":\r"\x7f"}', 2, "U+007F"),
    "a line separator": ("a: 1\nb: x\u2028y\n", 2, "U+2028"),
    "half a character": ("a: 1\nb: \ud800\n", 2, "U+D800"),
    "half a character, escaped": ('a: 1\nb: "\\ud800"\n', 2, "surrogate"),
    "an escape outside Unicode": ('a: 1\nb: "\\U00110000"\n', 2, "not valid YAML"),
    "an escape far outside Unicode": ('a: 1\nb: "\\UFFFFFFFF"\n', 2, "not valid YAML"),
    "a version of many digits": ("%YAML 1." + "1" * 5000 + "\n---\na\n", 1, "not valid YAML"),
    "an open bracket": ("a: 1\nb: [1, 2\n", 3, "not valid YAML"),
    "an open quote": ('a: 1\nb: "x\n', 3, "not valid YAML"),
    "a tab as indentation": ("a:\n\tb: 1\n", 2, "not valid YAML"),
    "wrong indentation": ("a:\n    b: 1\n  c: 2\n", 3, "not valid YAML"),
    "two colons": ("a: 1\nb: c: d\n", 2, "not valid YAML"),
    "a closing bracket alone": ("a: 1\nb: ]\n", 2, "not valid YAML"),
    "a reserved sign": ("a: 1\nb: @x\n", 2, "not valid YAML"),
    "text after a JSON document": ('{"a": 1}\nrest\n', 2, "not valid YAML"),
}


@pytest.mark.parametrize(("text", "line", "what"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_file_line_and_fault(text: str, line: int, what: str) -> None:
    said = fault(text)
    assert said.startswith(f"song.yaml:{line}: "), said
    assert what in said
    assert "\n" not in said


# Bombs


def laughs(levels: int, width: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * width) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * width) + "]" for i in range(1, levels)]
    return "\n".join(lines)


def ladder(anchors: int) -> str:
    """Each anchor lies in brackets around the one before: every piece is shallow, the whole is deep."""
    lines = ["- &a0 [x]"]
    lines += [f"- &a{i} {'[' * 20}*a{i - 1}{']' * 20}" for i in range(1, anchors)]
    return "\n".join(lines)


def quadratic(width: int) -> str:
    return f"a: &a [{'x, ' * width}]\nb: [{'*a, ' * width}]"


BOMBS = {
    "a long text": ("a: " + "x" * MAX_BYTES, "bytes"),
    "many entries": ("- 1\n" * (MAX_BYTES // 4 + 1), "bytes"),
    "long in bytes, not in characters": ("é" * (MAX_BYTES // 2 + 1), "bytes"),
    "flow lists": ("[" * 100_000, "nested deeper"),
    "flow mappings": ("{a: " * 100_000, "nested deeper"),
    "flow of both": ("[{a: " * 50_000, "nested deeper"),
    "block lists in a line": ("- " * 100_000, "nested deeper"),
    "block lists": ("\n".join(" " * i + "-" for i in range(1400)), "nested deeper"),
    "block mappings": ("\n".join(" " * i + "a:" for i in range(1400)), "nested deeper"),
    "complex keys": ("? " * 100_000, "a key must be a name"),
    "a billion laughs": (laughs(10, 10), "aliases"),
    "a wide laugh": (laughs(2, 20_000), "aliases"),
    "a quadratic bomb": (quadratic(20_000), "aliases"),
    "a quadratic bomb in keys": (
        "a: &a {" + ", ".join(f"k{i}: 0" for i in range(9000)) + "}\nb: [" + "*a, " * 9000 + "]",
        "aliases",
    ),
    "depth by aliases": (ladder(60), "nested deeper"),
}


@pytest.mark.parametrize(("text", "what"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_within_two_seconds(text: str, what: str) -> None:
    start = time.process_time()
    said = fault(text)
    assert time.process_time() - start < 2
    assert said.startswith("song.yaml:")
    assert what in said
    assert len(said) < 400


#: Unfolded, the quadratic one's pointers alone would take 128 MB.
HEAVY = {name: BOMBS[name][0] for name in ("flow lists", "a billion laughs", "depth by aliases")}
HEAVY["a quadratic bomb"] = quadratic(4000)


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY)
def test_a_bomb_takes_little_memory(text: str) -> None:
    fault("[")  # imports are not the bomb's
    tracemalloc.start()
    try:
        fault(text)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


def test_the_limits_themselves_are_allowed() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(read(deep, "g").value) == deep
    assert "nested deeper" in fault(f"[{deep}]")
    # A list is a value too: one anchor and its aliases unfold to 1000 each, then 999 scalars and the whole.
    aliases = ["&a [" + ",".join("1" * 999) + "]", *["*a"] * (MAX_VALUES // 1000 - 2), *"1" * 999]
    many = "[" + ",".join(aliases) + "]"
    value = read(many, "g").value
    assert sum(len(item) + 1 if isinstance(item, list) else 1 for item in value) + 1 == MAX_VALUES
    assert f"more than {MAX_VALUES} values" in fault(f"[{many}]")
    long = '"' + "x" * (MAX_BYTES - 2) + '"'
    assert len(read(long, "g").value) == MAX_BYTES - 2
    alias = "[" + "[" * 28 + "&a [[x]]" + "]" * 28 + ", " + "[" * 29 + "*a" + "]" * 29 + "]"
    read(alias, "g")
    assert "nested deeper" in fault(f"[{alias}]")


@pytest.mark.parametrize("digits", [100_000, 1_000_000])
@pytest.mark.parametrize("form", ["-{}", "0x{}", "{}.5", "0.{}", "1e{}"])
def test_a_number_of_very_many_digits_costs_nothing(form: str, digits: int) -> None:
    start = time.process_time()
    value = read(f"a: {form.format('7' * digits)}", "g").value["a"]
    assert time.process_time() - start < 2
    assert isinstance(value, float | str)  # a float, at last infinite; hexadecimal of that length is text


# Anything at all

PIECES = [
    *("\n", " ", "  ", "-", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "&a", "*a", "!", "!!", "!<", ">"),
    *(
        "|",
        "|2",
        ">-",
        '"',
        "'",
        "%",
        "%YAML ",
        "%TAG ",
        "---",
        "...",
        "#",
        " #",
        "\\",
        "\\u",
        "\\x",
        "\\U0011",
    ),
    *(
        "a",
        "1",
        "~",
        "\t",
        "\ufeff",
        "é",
        "@",
        "`",
        "0",
        "e",
        ".",
        "\r",
        "\U0001f600",
        "<<",
        "%E",
        "=",
        "\x85",
    ),
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("[\n  !<%E")
@example('"\\UFFFFFFFF"')
@example("&a &a a")
def test_any_text_reads_or_is_refused(text: str) -> None:
    try:
        read(text, "g")
    except GraphError as error:
        assert str(error).startswith("g:")  # noqa: PT017 - most texts are refused, some are not


@given(st.binary(max_size=60))
def test_any_bytes_read_or_are_refused(data: bytes) -> None:
    for encoding in ("latin-1", "utf-8", "utf-16"):
        try:
            read(data.decode(encoding, "surrogatepass" if encoding != "latin-1" else "strict"), "g")
        except (GraphError, UnicodeDecodeError):
            continue
