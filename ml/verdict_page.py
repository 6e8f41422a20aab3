"""Show a verdict to people: every check as a line with its interval and its bound, on one page without scripts."""

from collections.abc import Mapping, Sequence
from html import escape

from ml.gate import Check, Verdict

WIDTH, ROW = 420, 26
STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #6b7280; --good: #2f7d4f; --bad: #b3412e; --page: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e3; --soft: #9aa2ad; --good: #6fc08f; --bad: #ee8a76; --page: #16181b; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .35rem .6rem; border-top: 1px solid #8884; vertical-align: middle; }
.good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
svg { display: block; } svg text { font-size: 11px; fill: var(--soft); }
"""


# What was measured beside the models themselves.
BESIDE = {
    "answers": "The answer path, before any model speaks",
    "voices": "The judge of likeness, on texts that it never saw",
    "support": "The measure of groundedness, on pairs whose truth is known",
}


def draw_verdict(
    verdict: Verdict,
    facts: Mapping[str, object],
    samples: Sequence[Sequence[str]],
    beside: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Return the decision record as one HTML page; `samples` are (prompt, said) of the candidate."""
    word, colour = ("Promote", "good") if verdict.promote else ("Keep the champion", "bad")
    rows = "".join(_row(check) for check in verdict.checks)
    listed = "".join(
        f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items()
    )
    measured = "".join(
        f"<h2>{BESIDE[name]}</h2><table>{_numbers(values)}</table>"
        for name, values in (beside or {}).items()
        if values
    )
    said = "".join(f"<tr><td>{escape(p)}</td><td>{escape(s)}</td></tr>" for p, s in samples)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Verdict: {word}</title><style>{STYLE}</style>"
        f'<h1 class="{colour}">{word}</h1>'
        f"<ul>{''.join(f'<li>{escape(reason)}</li>' for reason in verdict.reasons)}</ul>"
        '<h2>Checks</h2><p class="soft">A dot is the mean difference, the bar its 95% interval, the dashed line what '
        "is allowed or claimed. Left is better.</p>"
        f"<table><tr><th>check</th><th></th><th>evidence</th></tr>{rows}</table>"
        f"<h2>What was compared</h2><table>{listed}</table>"
        f"{measured}<h2>Numbers</h2><table>{_numbers(verdict.evidence)}</table>"
        f"<h2>What the candidate said</h2><table><tr><th>asked</th><th>said</th></tr>{said}</table>"
    )


def _numbers(values: Mapping[str, float]) -> str:
    return "".join(
        f"<tr><td>{escape(k.replace('_', ' '))}</td><td>{v:.4f}</td></tr>"
        for k, v in values.items()
    )


def _row(check: Check) -> str:
    colour, word = ("good", "holds") if check.passed else ("bad", "fails")
    if check.kind == "note":
        colour, word = "soft", "told only"
    return (
        f'<tr><td>{escape(check.metric)}<br><span class="soft">{check.kind}</span></td>'
        f'<td class="{colour}">{word}</td><td>{_interval(check)}<span>{escape(check.said)}</span></td></tr>'
    )


def _interval(check: Check) -> str:
    """Draw one interval against its bound, to a scale of its own."""
    marks = (check.low, check.high, check.mean, check.bound, 0.0)
    left, right = min(marks), max(marks)
    room = (right - left or 1.0) * 0.12

    def at(value: float) -> float:
        return round(WIDTH * (value - left + room) / (right - left + 2 * room), 1)

    colour = "var(--good)" if check.passed else "var(--bad)"
    middle = ROW / 2
    lines = (
        _line(at(0), at(0), 0, ROW, 'stroke="var(--soft)"'),
        _line(
            at(check.bound), at(check.bound), 0, ROW, f'stroke="{colour}" stroke-dasharray="4 3"'
        ),
        _line(at(check.low), at(check.high), middle, middle, f'stroke="{colour}" stroke-width="3"'),
        f'<circle cx="{at(check.mean)}" cy="{middle}" r="5" fill="{colour}"/>',
    )
    label = f"{check.mean:.3f}, bound {check.bound:.3f}"
    return f'<svg width="{WIDTH}" height="{ROW}" role="img" aria-label="{label}">{"".join(lines)}</svg>'


def _line(x1: float, x2: float, y1: float, y2: float, looks: str) -> str:
    return f'<line x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}" {looks}/>'
