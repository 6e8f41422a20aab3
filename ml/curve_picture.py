"""Curves over steps as an SVG: one line for each training, to one scale, without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, EDGE = 720, 300, 46
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: its (step, value) points in order, and how it is drawn."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = "var(--soft)"
    width: float = 1.2
    dashed: bool = False


def draw_curves(curves: Sequence[Series], what: str) -> str:
    """Return the curves as one SVG; `what` is said to who cannot see it."""
    points = [p for c in curves for p in c.points]
    if not points:
        return f"<p>There is no {escape(what)} to draw.</p>"
    left, right = min(s for s, _ in points), max(s for s, _ in points)
    low, high = min(x for _, x in points), max(x for _, x in points)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = (point[0] - left) / ((right - left) or 1)
        down = (high - point[1]) / ((high - low) or 1)
        x, y = EDGE + across * (WIDTH - 2 * EDGE), EDGE / 2 + down * (HEIGHT - 1.5 * EDGE)
        return round(x, 1), round(y, 1)

    lines = "".join(_line(c, [at(p) for p in c.points]) for c in curves if c.points)
    words = (
        f'<text x="0" y="{at((left, high))[1] + 4}">{high:.3f}</text>'
        f'<text x="0" y="{at((left, low))[1] + 4}">{low:.3f}</text>'
        f'<text x="{EDGE}" y="{HEIGHT - 6}">step {left:g}</text>'
        f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 6}" text-anchor="end">step {right:g}</text>'
    )
    said = f'role="img" aria-label="{escape(what)}"'
    return f'<svg width="{WIDTH}" height="{HEIGHT}" {said}>{lines}{words}</svg>'


def _line(curve: Series, places: Sequence[tuple[float, float]]) -> str:
    looks = f'stroke="{curve.colour}" stroke-width="{curve.width}"'
    looks += ' stroke-dasharray="5 4"' if curve.dashed else ""
    x, y = places[-1]
    path = " ".join(f"{a},{b}" for a, b in places)
    title = f"<title>{escape(curve.name)}: {curve.points[-1][1]:.4f}</title>"
    dot = f'<circle cx="{x}" cy="{y}" r="3.5" fill="{curve.colour}">{title}</circle>'
    return f'<polyline points="{path}" fill="none" {looks}/>{dot}'
