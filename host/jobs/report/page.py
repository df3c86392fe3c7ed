"""The report as pages of HTML: each in one file that asks for nothing else, and runs nothing of anyone's."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...contract.errors import plain
from .amounts import clock, size, span, speed
from .thumbnails import HEIGHT, RANGE, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..task import Output
    from .looking import Entry
    from .status import Status

__all__ = ["MARK", "foot", "head", "row"]

#: What a page begins with, so that a later report knows an earlier one.
MARK = "<!doctype html>\n<!-- unbraid batch report -->\n"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --dim: #666; }
:root { --bad: #b00020; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --dim: #aaa; --bad: #ff8a80; --warn: #ffca6a; } }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; }
h1 { font-size: 1.3em; margin: 0 0 .3em; overflow-wrap: anywhere; }
p { margin: .3em 0; max-width: 75em; }
nav a, nav b { margin-right: .6em; }
table { border-collapse: collapse; width: 100%; margin-top: 1em; }
th { position: sticky; top: 0; background: Canvas; text-align: left; border-bottom: 2px solid var(--line); }
th button { all: unset; cursor: pointer; font-weight: 600; padding: .3em .5em; }
th button:focus-visible { outline: 2px solid; }
th button[data-up="1"]::after { content: " \\2191"; }
th button[data-up="0"]::after { content: " \\2193"; }
td { vertical-align: top; padding: .4em .5em; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.failed td:first-child, tr.quarantined td:first-child { box-shadow: inset 4px 0 var(--bad); }
tr.warned td:first-child { box-shadow: inset 4px 0 var(--warn); }
td:nth-child(1) { min-width: 16em; } td:nth-child(2) { white-space: nowrap; }
td:nth-child(3) { min-width: 30em; }
.place { font-weight: 600; } .dim { color: var(--dim); }
.bad { color: var(--bad); } .warn { color: var(--warn); }
.out { display: flex; gap: .7em; margin-bottom: .5em; }
.out img, .none { width: 160px; height: 48px; flex: none; background: var(--soft); }
pre { font-size: 12px; max-height: 24em; overflow: auto; background: var(--soft); padding: .5em; }
pre { white-space: pre-wrap; }
ul { margin: .2em 0; padding-left: 1.2em; }
"""
_SCRIPT = """
document.querySelectorAll("th button").forEach((button, k) => button.addEventListener("click", () => {
  const up = button.dataset.up !== "1";
  document.querySelectorAll("th button").forEach(other => delete other.dataset.up);
  button.dataset.up = up ? "1" : "0";
  const value = row => row.cells[k].dataset.v;
  const body = document.querySelector("tbody");
  const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === "" || y === "") return (x === "") - (y === "");
    return up ? compare(x, y) : compare(y, x);
  }).forEach(row => body.append(row));
}));
"""
_COLUMNS = ("Job", "State", "Outputs", "Loudest", "Sound", "Took", "Speed", "Tries", "Memory")


def _policy() -> str:
    """Return a policy that lets a browser run and load what is ours, and nothing that a name smuggled in."""
    style, script = (b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (_STYLE, _SCRIPT))
    return f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'"


def head(found: Status, notes: Sequence[str], pages: Sequence[str], number: int) -> Iterator[str]:
    """Give the beginning of a page.

    Args:
        found: how far the batch is.
        notes: sentences for the reader.
        pages: file names of all pages.
        number: which this is, from 0.
    """
    title = f"Batch {_plain(found.folder)}"
    yield f'{MARK}<html lang="en"><meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
    yield '<meta name="viewport" content="width=device-width">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n<h1>{title}</h1>\n"
    counts = [f"{count:,} {state}" for state, count in found.counts.items() if count]
    states = [
        f'<b class="bad">{text}</b>' if "failed" in text or "quarantined" in text else text for text in counts
    ]
    when = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    yield f"<p>{', '.join(states) or 'no jobs'}; {found.jobs:,} jobs of run {found.run}; as of {when}"
    yield "; <b>a batch is at work</b>" if found.at_work else ""
    sound = f"{span(found.programme)} of sound rendered"
    fast = speed(found.programme, found.seconds)
    yield f"</p>\n<p>{sound}{f', at {fast} real time a worker' if fast else ''}.</p>\n"
    yield "".join(f"<p>{_plain(note)}</p>\n" for note in notes)
    low, high = RANGE
    yield (
        f'<p class="dim">Pictures: time to the right, 40 Hz to 20 kHz upwards, {low:g} dB (dark) to {high:g} '
        "dB re a full-scale sine. A click on a heading sorts the jobs of this page.</p>\n"
    )
    if len(pages) > 1:
        yield "<nav>Pages: "
        for k, name in enumerate(pages):
            yield f"<b>{k + 1}</b>" if k == number else f'<a href="{quote(name)}">{k + 1}</a>'
        yield "</nav>\n"
    yield "<table><thead><tr>"
    yield "".join(f"<th><button>{column}</button></th>" for column in _COLUMNS)
    yield "</tr></thead><tbody>\n"


def foot() -> str:
    """Return the end of a page."""
    return f"</tbody></table>\n<script>{_SCRIPT}</script>\n</html>\n"


def row(entry: Entry, pictures: Sequence[bytes | None], notes: Sequence[str]) -> str:
    """Return a job as a row.

    Args:
        entry: the job.
        pictures: a PNG for each output, or None.
        notes: what there is to say of each output's file; "" for nothing.
    """
    job, outputs = entry.row, entry.outputs
    loud = [each.heard.integrated for each in outputs if each.heard and each.heard.integrated is not None]
    warned = job.warnings or any(each.verdict for each in outputs) or any(notes)
    kind = job.state if job.state != "done" or not warned else "warned"
    ratio = speed(job.programme or 0.0, job.seconds or 0.0) if job.programme else ""
    shown = [_output(*each) for each in zip(outputs, pictures, notes, strict=True)]
    return "".join(
        (
            f'<tr class="{_plain(kind)}">',
            _cell("".join(_job(entry)), job.place, number=False),
            _cell(_plain(job.state), job.state, number=False),
            _cell("".join(shown), outputs[0].name if outputs else "", number=False),
            _cell(f"{max(loud):.1f} LUFS" if loud else "", max(loud) if loud else None),
            _cell("" if job.programme is None else clock(job.programme), job.programme),
            _cell("" if job.seconds is None else span(job.seconds), job.seconds),
            _cell(ratio, (job.programme or 0) / job.seconds if ratio and job.seconds else None),
            _cell(str(job.attempts), job.attempts),
            _cell(size(job.memory) if job.memory else "", job.memory),
            "</tr>\n",
        )
    )


def _cell(text: str, value: float | str | None, *, number: bool = True) -> str:
    key = "" if value is None else _plain(str(value))
    return f'<td{" class=n" if number else ""} data-v="{key}">{text}</td>'


def _job(entry: Entry) -> Iterator[str]:
    job = entry.row
    yield f'<bdi class="place">{_plain(job.place)}</bdi>'
    if job.job.title:
        yield f'<div class="dim"><bdi>{_plain(job.job.title)}</bdi></div>'
    if job.reason or job.kind:
        yield f'<div class="bad">{_plain(job.kind)}: <bdi>{_plain(job.reason)}</bdi></div>'
    yield "".join(f'<div class="warn"><bdi>{_plain(line)}</bdi></div>' for line in job.warnings[:3])
    if more := job.warnings[3:]:
        yield _folded(f"{len(more)} more warnings", more)
    inputs = [f"{seen.name}: {seen.path} ({seen.xxh128[:12]})" for seen in entry.inputs]
    inputs = inputs or [f"{name}: {path}" for name, path in {**job.job.inputs, **job.job.stems}.items()]
    yield _folded(f"{len(inputs)} input{'s' * (len(inputs) != 1)}, graph {job.job.graph}", inputs)
    if len(entry.attempts) > 1:
        tries = [
            f"{each.number}: {each.outcome} after {span(each.seconds)}, {each.worker}; {each.reason}".rstrip(
                "; "
            )
            for each in entry.attempts
        ]
        yield _folded(f"{len(tries)} attempts", tries)
    if job.trace:
        yield f"<details><summary>trace</summary><pre>{_lines(job.trace)}</pre></details>"


def _folded(title: str, lines: Sequence[str]) -> str:
    body = "".join(f"<li><bdi>{_plain(line)}</bdi></li>" for line in lines)
    return f"<details><summary>{_plain(title)}</summary><ul>{body}</ul></details>"


def _output(output: Output, picture: bytes | None, note: str) -> str:
    name = _plain(output.name)
    if picture:
        source = f"data:image/png;base64,{b64encode(picture).decode()}"
        image = f'<img width="{WIDTH}" height="{HEIGHT}" alt="spectrogram of {name}" src="{source}">'
    else:
        image = '<span class="none"></span>'
    length = clock(output.length / output.rate) if output.rate else ""
    form = [output.layout, f"{output.rate} Hz" if output.rate else "", output.subtype or output.form, length]
    facts = " · ".join(_plain(text) for text in (*form, size(output.bytes), output.xxh128[:12]) if text)
    lines = [
        f"<b><bdi>{name}</bdi></b> <bdi>{_plain(output.path)}</bdi>",
        f'<span class="dim">{facts}</span>',
    ]
    lines += [_loudness(output)] if output.heard else []
    lines += [f'<span class="warn">{_plain(output.verdict)}</span>'] if output.verdict else []
    lines += [f'<span class="warn">{_plain(note)}</span>'] if note else []
    return f'<div class="out">{image}<div>{"<br>".join(lines)}</div></div>'


def _loudness(output: Output) -> str:
    heard = output.heard
    assert heard is not None  # noqa: S101 - the caller looked
    if heard.true_peak is None:
        return "silent"
    parts = ((heard.integrated, "LUFS"), (heard.range, "LU range"), (heard.true_peak, "dBTP"))
    return ", ".join(f"{value:.1f} {unit}" for value, unit in parts if value is not None)


def _plain(text: str) -> str:
    """Return a stranger's text as one line that is no markup and turns nothing round."""
    return escape(plain(text.replace("\0", "\\x00") if "\0" in text else text))


def _lines(text: str) -> str:
    """Return a stranger's text of several lines."""
    return "\n".join(_plain(line) for line in text.splitlines())
