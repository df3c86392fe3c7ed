"""Drawing a graph: as text for a terminal, as SVG for a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .view import Box, Edge, View

__all__ = ["to_svg", "to_text"]


def _title(box: Box) -> str:
    parts = [box.plugin] if box.plugin else []
    parts += [f"at {box.rate} Hz"] if box.rate else []
    parts += [f"latency {box.latency}"] if box.latency else []
    parts += ["hears the programme first"] if box.passes else []
    parts += ["in its own process"] if box.isolated else []
    return ", ".join(parts)


def to_text(view: View) -> str:
    """Return one line a box and one an incoming edge: layout, rate, latency on arrival."""
    incoming: dict[str, list[Edge]] = {box.key: [] for box in view.boxes}
    for edge in view.edges:
        incoming[edge.target].append(edge)
    names = {box.key: box.name for box in view.boxes}
    sources = {edge: ".".join(filter(None, (names[edge.source], edge.source_port))) for edge in view.edges}
    width = max((len(source) for source in sources.values()), default=0)
    ports = max((len(edge.target_port) for edge in view.edges), default=0)
    layouts = max((len(edge.layout) for edge in view.edges), default=0)
    lines = []
    for box in view.boxes:
        lines.append(f"{box.kind:<6}  {box.name}  {_title(box)}".rstrip())
        for edge in incoming[box.key]:
            held = f", of which {edge.held} held back" if edge.held else ""
            lines.append(
                f"          {edge.target_port:<{ports}} ◀─ {sources[edge]:<{width}}  "
                f"{edge.layout:<{layouts}}  {edge.rate} Hz  latency {edge.latency}{held}",
            )
    return "\n".join(lines)


# SVG: ranks from left to right by longest path, one column a rank, order within a rank by the mean
# position of the neighbours (Sugiyama, Tagawa and Toda, IEEE SMC 11, 1981). An edge across several
# ranks passes a point in each, so that no line runs behind a box.

_LINE, _PORT, _CHAR, _GAP, _ROW = 18, 16, 7.2, 44, 34
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
font-family="monospace" font-size="12">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0,0 L8,4 L0,8 z" fill="#567"/></marker></defs>
<rect width="100%" height="100%" fill="white"/>"""
_COLOURS = {"input": "#dcefe2", "node": "#e4ebf7", "output": "#f7e9d7"}


@dataclass(eq=False)
class _Cell:
    """A box, or a point where a long edge passes a rank."""

    rank: int
    box: Box | None = None
    lines: list[str] = field(default_factory=list)
    before: list[_Cell] = field(default_factory=list)
    after: list[_Cell] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return max(len(line) for line in self.lines) * _CHAR + 24 if self.lines else 0.0

    @property
    def height(self) -> float:
        ports = max(len(self.before), len(self.after))
        return max(len(self.lines) * _LINE + 14, ports * _PORT + 8) if self.lines else 4.0


def _ranks(view: View) -> dict[str, int]:
    ranks = {box.key: 0 for box in view.boxes}
    for box in view.boxes:  # in order, so sources are ranked before
        inward = [ranks[edge.source] + 1 for edge in view.edges if edge.target == box.key]
        ranks[box.key] = max(inward, default=0)
    last = max(ranks.values(), default=0)
    return {box.key: last if box.kind == "output" else ranks[box.key] for box in view.boxes}


def _cells(view: View) -> tuple[list[list[_Cell]], dict[Edge, list[_Cell]]]:
    ranks = _ranks(view)
    columns: list[list[_Cell]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    of: dict[str, _Cell] = {}
    for box in view.boxes:
        cell = of[box.key] = _Cell(ranks[box.key], box, [box.name, *filter(None, [_title(box)])])
        columns[cell.rank].append(cell)
    routes: dict[Edge, list[_Cell]] = {}
    for edge in view.edges:
        source, target = of[edge.source], of[edge.target]
        bends = [_Cell(rank) for rank in range(source.rank + 1, target.rank)]
        for bend in bends:
            columns[bend.rank].append(bend)
        route = routes[edge] = [source, *bends, target]
        for a, b in pairwise(route):
            a.after.append(b)
            b.before.append(a)
    return columns, routes


def _arrange(columns: list[list[_Cell]], label_width: float) -> tuple[float, float]:
    """Give every cell its place; return the picture's width and height."""
    for sweep in range(6):
        ordered = columns if sweep % 2 == 0 else columns[::-1]
        for column in ordered:
            for i, cell in enumerate(column):
                near = cell.before if sweep % 2 == 0 else cell.after
                cell.y = sum(other.y for other in near) / len(near) if near else float(i * 60)
            column.sort(key=lambda cell: cell.y)
            _stack(column)
    top = min(cell.y - cell.height / 2 for column in columns for cell in column)
    x = 20.0
    for column in columns:
        width = max(cell.width for cell in column)
        for cell in column:
            cell.x, cell.y = x + (width - cell.width) / 2, cell.y - top + 52
        x += width + label_width + _GAP
    bottom = max(cell.y + cell.height / 2 for column in columns for cell in column)
    return x - label_width - _GAP + 20, bottom + 24


def _stack(column: list[_Cell]) -> None:
    """Push cells apart that would overlap, and keep the column's middle where it was."""
    if not column:
        return
    middle = sum(cell.y for cell in column) / len(column)
    for above, cell in pairwise(column):
        cell.y = max(cell.y, above.y + (above.height + cell.height) / 2 + _ROW)
    shift = middle - sum(cell.y for cell in column) / len(column)
    for cell in column:
        cell.y += shift


def _port_heights(routes: dict[Edge, list[_Cell]]) -> dict[tuple[Edge, bool], float]:
    """Spread the edges of each side of a box over its height, in the order of their other ends."""
    sides: dict[tuple[_Cell, bool], list[tuple[float, Edge]]] = {}
    for edge, route in routes.items():
        sides.setdefault((route[0], False), []).append((route[1].y, edge))
        sides.setdefault((route[-1], True), []).append((route[-2].y, edge))
    heights = {}
    for (cell, entering), ends in sides.items():
        ends.sort(key=lambda end: end[0])
        for i, (_, edge) in enumerate(ends):
            heights[edge, entering] = cell.y + cell.height * ((i + 1) / (len(ends) + 1) - 0.5)
    return heights


def _curve(
    edge: Edge, route: list[_Cell], heights: dict[tuple[Edge, bool], float], widest: list[float]
) -> str:
    points = [(route[0].x + route[0].width, heights[edge, False])]
    for bend in route[1:-1]:
        half = widest[bend.rank] / 2
        points += [(bend.x - half, bend.y), (bend.x + half, bend.y)]
    points.append((route[-1].x, heights[edge, True]))
    text = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        mid = (x0 + x1) / 2
        text += f" C{mid:.1f},{y0:.1f} {mid:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    return text


def to_svg(view: View) -> str:
    """Return a self-contained SVG picture, left to right; edges carry layout, rate and latency."""
    columns, routes = _cells(view)
    labels = {edge: _edge_label(edge) for edge in view.edges}
    label_width = max((len(label) for label in labels.values()), default=0) * 6.1
    width, height = _arrange(columns, label_width)
    widest = [max(cell.width for cell in column) for column in columns]
    heights = _port_heights(routes)
    parts = [
        _HEAD.format(width=round(width), height=round(height)),
        f'<text x="20" y="24" fill="#567">{escape(view.title)}</text>',
    ]
    for edge, route in routes.items():
        curve = _curve(edge, route, heights, widest)
        parts.append(
            f'<path d="{curve}" fill="none" stroke="#567" stroke-width="1.3" marker-end="url(#tip)"/>'
        )
    for edge, route in routes.items():
        x, y = route[-1].x - 12, heights[edge, True] - 5
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="end" font-size="10" fill="#345" '
            f'stroke="white" stroke-width="3" paint-order="stroke">{escape(labels[edge])}</text>',
        )
    for column in columns:
        parts += [_svg_box(cell) for cell in column if cell.box is not None]
    return "\n".join([*parts, "</svg>", ""])


def _edge_label(edge: Edge) -> str:
    ports = " → ".join(filter(None, (edge.source_port, edge.target_port)))
    return f"{ports}  {edge.label}".strip()


def _svg_box(cell: _Cell) -> str:
    assert cell.box is not None  # noqa: S101 - the caller sorted them
    top = cell.y - cell.height / 2
    styles = ['font-weight="bold"', *['fill="#456"'] * (len(cell.lines) - 1)]
    text = "".join(
        f'<text x="{cell.x + 12:.1f}" y="{top + 20 + i * _LINE:.1f}" {style}>{escape(line)}</text>'
        for i, (line, style) in enumerate(zip(cell.lines, styles, strict=True))
    )
    return (
        f'<g><rect x="{cell.x:.1f}" y="{top:.1f}" width="{cell.width:.1f}" height="{cell.height:.1f}" rx="6" '
        f'fill="{_COLOURS[cell.box.kind]}" stroke="#789"/>{text}</g>'
    )
