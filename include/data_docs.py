"""A page over the Data Docs that needs no network: each suite over its runs, and the latest values that it refused.

Great Expectations' own index and pages fetch their style and their tables' code from the internet;
this page only links to them. Everything shown is text: nothing of the data runs in it.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from include.validation_runs import Run, usual_volume
from ml.files import write_whole

# Newer ones push older ones off the page; their own pages stay.
SHOWN_RUNS, SHOWN_FAILURES, BARS = 40, 25, 60
BAR_WIDTH, HEIGHT = 7, 56
SUITES = ("raw", "clean", "chunk", "feature", "dataset")
PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Validation</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1a202c}}
table{{border-collapse:collapse;width:100%}}h2{{margin:2rem 0 .6rem}}
th,td{{text-align:left;padding:.35rem .7rem;border-bottom:1px solid #e2e8f0;vertical-align:top}}
td.v{{font-family:ui-monospace,monospace;font-size:13px;overflow-wrap:anywhere}}
td.n,th.n{{text-align:right}}.bad{{color:#9b2c2c}}.amber{{color:#975a16}}.good{{color:#276749}}a{{color:#2a6f97}}
.suites{{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:1rem}}
.suite{{border:1px solid #e2e8f0;border-radius:8px;padding:.7rem 1rem}}
.suite h3{{margin:0;display:inline-block}}.suite p{{margin:.2rem 0;color:#4a5568;font-size:13px}}
.suite .mark{{float:right;font-weight:600}}.suite p.amber{{color:#975a16}}
svg{{display:block;width:100%;height:{height}px}}
</style></head><body>
<h1>Validation</h1><p>What each suite found over its last runs. Grey is rows that passed, red is rows that were
refused: these are quarantined with the rule and the value, and the DAG <code>review_quarantine</code> lists, replays or
releases them. A batch with too many of them stops its task.</p>
<div class="suites">{cards}</div>
<h2>Latest refusals</h2>{failures}
<h2>Runs</h2><p><a href="index.html">All suites and runs by Great Expectations</a> (its tables need the internet).</p>
<table><tr><th>when (UTC)</th><th>suite</th><th class="n">rows</th><th>rules kept</th><th>refused</th></tr>
{rows}</table></body></html>
"""


def write_overview(runs: Sequence[Run], docs: Path) -> Path:
    """Write `overview.html` into the Data Docs."""
    newest = runs[::-1]
    text = PAGE.format(
        height=HEIGHT,
        cards="\n".join(_card(name, [r for r in runs if r.suite == name]) for name in SUITES),
        failures=_failures(newest),
        rows="\n".join(map(_row, newest[:SHOWN_RUNS])),
    )
    page = docs / "overview.html"
    write_whole(page, text)
    return page


def _card(name: str, runs: Sequence[Run]) -> str:
    if not runs:
        return f'<div class="suite"><h3>{name}</h3><p>no run yet</p></div>'
    last, middle = runs[-1], usual_volume(runs, name)
    said = f"{last.rows} rows, {last.refused} refused, {last.volume} in all"
    said += f" (usually {middle:g})" if middle is not None else ""
    warned = "".join(f'<p class="amber">{escape(w)}</p>' for w in last.warnings)
    return (
        f'<div class="suite"><h3>{name}</h3><span class="mark {_colour(last)}">{_verdict(last)}</span>'
        f"{_bars(runs[-BARS:])}<p>{_when(last)}: {said}</p>{warned}</div>"
    )


def _bars(runs: Sequence[Run]) -> str:
    """Draw one bar for each run: its height is the rows, the red part of it the refused ones."""
    most = max(1, *(run.rows for run in runs))
    width = BARS * BAR_WIDTH
    bars = "".join(_bar(run, i * BAR_WIDTH, most) for i, run in enumerate(runs))
    label = f"{len(runs)} runs, at most {most} rows"
    return f'<svg viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{label}">{bars}</svg>'


def _bar(run: Run, x: int, most: int) -> str:
    """Draw a run; whatever was refused can be seen, however little it is."""
    tall = max(2.0, HEIGHT * run.rows / most)
    red = max(3.0, tall * run.refused / max(run.rows, 1)) if run.refused else 0.0
    title = f"<title>{_when(run)}: {run.rows} rows, {run.refused} refused</title>"
    shape = '<rect x="{}" y="{:.1f}" width="{}" height="{:.1f}" fill="{}"/>'
    grey = shape.format(x, HEIGHT - tall, BAR_WIDTH - 2, tall, "#cbd5e0")
    return f"<g>{title}{grey}{shape.format(x, HEIGHT - red, BAR_WIDTH - 2, red, '#c53030')}</g>"


def _failures(newest: Sequence[Run]) -> str:
    found = [(run, *failure) for run in newest for failure in run.failures][:SHOWN_FAILURES]
    if not found:
        return "<p>Nothing was refused.</p>"
    lines = "".join(
        f"<tr><td>{_when(run)}</td><td>{escape(run.suite)}</td><td>{escape(reason)}</td>"
        f'<td class="v">{escape(value)}</td><td class="v">{escape(row[:12])}</td></tr>'
        for run, row, reason, value in found
    )
    head = (
        "<tr><th>when (UTC)</th><th>suite</th><th>column: rule</th><th>value</th><th>row</th></tr>"
    )
    return f"<table>{head}{lines}</table>"


def _row(run: Run) -> str:
    when = f'<a href="{escape(run.page)}">{_when(run)}</a>' if run.page else _when(run)
    refused = [f"{n} × {escape(reason)}" for reason, n in run.reasons.items()]
    refused += [f'<span class="amber">{escape(w)}</span>' for w in run.warnings]
    return (
        f'<tr><td>{when}</td><td>{escape(run.suite)}</td><td class="n">{run.rows}</td>'
        f'<td class="{_colour(run)}">{run.kept} of {run.rules}</td>'
        f"<td>{'<br>'.join(refused) or 'nothing'}</td></tr>"
    )


def _colour(run: Run) -> str:
    return "good" if run.kept == run.rules else "amber" if not run.refused else "bad"


def _verdict(run: Run) -> str:
    return {"good": "all good", "amber": "warned", "bad": "refused some"}[_colour(run)]


def _when(run: Run) -> str:
    return escape(run.at[:19].replace("T", " "))
