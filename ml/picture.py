"""The corpus as a picture: every passage a dot, passages of like meaning close together.

Places are computed three ways (PCA, t-SNE, UMAP), each the same for the same corpus; a page lets
people switch between them and between colours, an image shows them side by side. Neither holds the
words of a passage. Not here: which passages are drawn, and where the picture is kept.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.types import Chunk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Places = NDArray[np.float64]

# Below this, nothing has a neighbourhood, and PCA places the few.
FEW = 5
MARKERS = {"article": "o", "post": "D", "code": "s"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
REST = "#8b949e"
NAMES_SHOWN = 12


def place_pca(embeddings: NDArray[np.float32]) -> Places:
    """Place embeddings (n, d) on their two widest axes (n, 2); an axis points where its longest part does."""
    centred = np.asarray(embeddings, dtype=float) - np.mean(embeddings, axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = (
        axes[:2] * np.sign(axes[np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    )
    places = np.zeros((len(centred), 2))
    places[:, : len(axes)] = centred @ axes.T
    return places


def place_tsne(embeddings: NDArray[np.float32]) -> Places:
    """Place embeddings (n, d) by t-SNE (n, 2), which keeps neighbours together."""
    from sklearn.manifold import TSNE

    if len(embeddings) < FEW:
        return place_pca(embeddings)
    near, start = min(30.0, (len(embeddings) - 1) / 3), _start(embeddings, 1e-4)
    model = TSNE(perplexity=near, metric="cosine", init=start, random_state=0, n_jobs=1)
    return np.asarray(model.fit_transform(embeddings), dtype=float)


def place_umap(embeddings: NDArray[np.float32], cache_dir: Path) -> Places:
    """Place embeddings (n, d) by UMAP (n, 2): neighbours, and more of the whole's shape than t-SNE.

    Its compiler (numba) takes about ten seconds once per process; what it keeps goes into `cache_dir`.
    """
    if len(embeddings) < FEW:
        return place_pca(embeddings)
    import numba

    # Before UMAP is imported, which else writes beside the installed packages.
    numba.config.CACHE_DIR = str(cache_dir / "numba")  # type: ignore[attr-defined]
    from umap.umap_ import UMAP

    near, start = min(15, len(embeddings) - 1), _start(embeddings, 10.0)
    model = UMAP(n_neighbors=near, metric="cosine", init=start, random_state=0, n_jobs=1)
    return np.asarray(model.fit_transform(embeddings), dtype=float)


def _start(embeddings: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """Begin from PCA, `size` wide; equal points stay apart by a hair, the same hair each time."""
    places = place_pca(embeddings)
    places = places / max(float(places.std()), 1e-12) * size
    hair = np.random.default_rng(0).normal(0, size / 1000, places.shape)
    return np.asarray(places + hair, dtype=np.float32)


def draw_page(
    chunks: Sequence[Chunk], places: Mapping[str, Places], absent: Mapping[str, str], counts: str
) -> str:
    """Draw passages as one HTML page that needs no network: `places` (n, 2) by the projection's name.

    `absent` says which projections are not there, and why; `counts` how many passages are.
    """
    from plotly.offline import get_plotlyjs

    data = {
        "counts": counts,
        "places": {name: np.round(at.T, 4).tolist() for name, at in places.items()},
        "absent": dict(absent),
        "dots": [_dot(row, chunk) for row, chunk in enumerate(chunks)],
    }
    # Within a script element only "<" could end it; addresses stay as they are, so that an erasure finds them.
    written = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    page = page.replace("__TITLE__", escape("The corpus"))
    # The corpus comes last: what a title says is not replaced by anything.
    return page.replace("__PLOTLY__", get_plotlyjs()).replace("__DATA__", written)


def _dot(row: int, chunk: Chunk) -> dict[str, object]:
    at = chunk.published_at
    return {
        "row": row,
        "title": chunk.title,
        "heading": chunk.heading,
        "url": chunk.url,
        "author": chunk.author,
        "kind": chunk.kind,
        "at": int(at.timestamp() * 1000) if at else None,
    }


def draw_image(
    chunks: Sequence[Chunk], places: Mapping[str, Places], counts: str, file: Path
) -> None:
    """Draw passages into a PNG: a column for each projection; a row each by author, kind and time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(places) + 2.6, 12.4), dpi=100, layout="constrained")
    figure.suptitle(f"The corpus: {counts}", parse_math=False)
    grid = figure.subplots(3, len(places), squeeze=False)
    for column, (name, at) in enumerate(places.items()):
        grid[0][column].set_title(name)
        _by_name(grid[0][column], [c.author for c in chunks], chunks, at)
        _by_name(grid[1][column], [c.kind for c in chunks], chunks, at)
        _by_time(grid[2][column], chunks, at, bar=column == len(places) - 1)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axes.spines[:].set_color("#d4dae1")
    for row in (0, 1):
        beside = grid[row][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        for text in beside.get_texts():
            text.set_parse_math(False)
    figure.savefig(file, format="png")


def _by_name(axes: "Axes", names: Sequence[str], chunks: Sequence[Chunk], at: Places) -> None:
    for rank, (name, count) in enumerate(Counter(names).most_common()):
        # An underscore in front would hide a name from the legend.
        shown = f"{name.lstrip('_')} ({count})" if rank < NAMES_SHOWN else "_"
        colour = COLOURS[rank] if rank < len(COLOURS) else REST
        for kind, marker in MARKERS.items():
            rows = [i for i, c in enumerate(chunks) if (names[i], c.kind) == (name, kind)]
            if rows:
                axes.scatter(
                    at[rows, 0],
                    at[rows, 1],
                    s=14,
                    c=colour,
                    marker=marker,
                    alpha=0.75,
                    lw=0,
                    label=shown,
                )
                shown = "_"


def _by_time(axes: "Axes", chunks: Sequence[Chunk], at: Places, *, bar: bool) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    dated = [i for i, c in enumerate(chunks) if c.published_at]
    rest = [i for i, c in enumerate(chunks) if not c.published_at]
    axes.scatter(at[rest, 0], at[rest, 1], s=14, c=REST, alpha=0.6, lw=0)
    if dated:
        times = [date2num(chunks[i].published_at) for i in dated]
        drawn = axes.scatter(
            at[dated, 0], at[dated, 1], s=14, c=times, cmap="viridis_r", alpha=0.85, lw=0
        )
        if bar and axes.figure is not None:
            ticks = AutoDateLocator()
            axes.figure.colorbar(
                drawn, ax=axes, label="published", ticks=ticks, format=ConciseDateFormatter(ticks)
            )
