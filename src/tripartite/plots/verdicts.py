"""Numbers of proofs and benchmarks: margins, attention maps, error against time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tripartite.core.arguments import checked
from tripartite.plots.figure import BLUE, CYCLE, INK, ORANGE, RED, axes_or_new, new_figure
from tripartite.proofs import Certificate, Check

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@checked
def certificate(found: Certificate, axes: "Axes | None" = None) -> "Axes":
    """How far inside its bound each check of a certificate lies, on a logarithmic axis.

    A bar to the right of 1 passed; negative controls, which must break the theorem, are orange, and
    what failed is red. A check that did not run has no bar.

    **Raises:** `ValueError` for a certificate of which nothing ran.
    """
    rows = [check for check in found.checks if check.margin is not None]
    if not rows:
        raise ValueError(f"nothing of {found.name} has run, so that there is nothing to draw.")
    # A gap of nothing at all is drawn as what double precision can tell.
    margins = [min(float(check.margin or 0.0), 1e16) for check in rows]
    kinds = [_colour(check) for check in rows]
    axes = axes_or_new(axes, 8.0, 0.6 + 0.28 * len(rows))
    places = np.arange(len(rows))[::-1]
    axes.barh(places, margins, left=0.0, color=kinds, height=0.7)
    axes.set(xscale="log", xlabel="margin: times inside the bound (1)", title=found.name)
    axes.set_yticks(places, [c.name if len(c.name) < 60 else c.name[:57] + "..." for c in rows])
    axes.tick_params(axis="y", labelsize=7)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    return axes


def _colour(check: Check) -> str:
    if not check.passed:
        return RED
    return ORANGE if check.rung == "negative control" else BLUE


@checked
def attention_maps(
    maps: Mapping[str, Any], tokens: Sequence[str] | None = None, *, most: float | None = None
) -> "tuple[Axes, ...]":
    """Attention weights side by side on one scale of colours: `{title: [queries, keys]}`.

    **Arguments:** `tokens`: their names, `[keys]`, written along both axes where there are at most
    40 of them; `most`: the weight of the strongest colour (default: the largest of all).

    **Returns:** the axes, one for each map.

    **Raises:** `ValueError` for no map, one that is not a matrix, or another number of tokens.
    """
    arrays = {title: np.asarray(x) for title, x in maps.items()}
    if not arrays or any(x.ndim != 2 for x in arrays.values()):
        shapes = {title: x.shape for title, x in arrays.items()}
        raise ValueError(f"attention_maps needs matrices [queries, keys], got {shapes}.")
    keys = next(iter(arrays.values())).shape[1]
    if tokens is not None and len(tokens) != keys:
        raise ValueError(f"there are {len(tokens)} tokens for {keys} keys: give one for each.")
    top = max(float(x.max()) for x in arrays.values()) if most is None else most
    figure, grid = new_figure(1, 3.2 * len(arrays) + 0.8, 3.4, ncols=len(arrays))
    drawn: Any = None
    for ax, (title, weights) in zip(grid[0], arrays.items(), strict=True):
        drawn = ax.imshow(weights, vmin=0.0, vmax=top, cmap="viridis", aspect="equal")
        ax.grid(visible=False)
        ax.set(title=title, xlabel="key (token)", ylabel="query (token)")
        if tokens is not None and keys <= 40:
            ax.set_xticks(range(keys), tokens, rotation=90, fontsize=6)
            if weights.shape[0] == keys:
                ax.set_yticks(range(keys), tokens, fontsize=6)
    figure.colorbar(drawn, ax=list(grid[0]), label="attention weight (1)", shrink=0.8)
    return tuple(grid[0])


@checked
def work_precision(
    results: Mapping[str, tuple[Any, Any]],
    axes: "Axes | None" = None,
    *,
    error: str = "error of the spike times (ms)",
    work: str = "time of one solve (s)",
) -> "Axes":
    """Error against work for several methods: `{name: (errors [n], work [n])}`, both logarithmic.

    **Arguments:** `error`, `work`: what the axes say, with their units.

    **Raises:** `ValueError` for numbers that are not positive, or of unequal lengths.
    """
    axes = axes_or_new(axes, 5.5, 4.0)
    for k, (name, (errors, spent)) in enumerate(results.items()):
        errors, spent = np.asarray(errors, float), np.asarray(spent, float)
        if errors.shape != spent.shape or not (np.all(errors > 0) and np.all(spent > 0)):
            raise ValueError(
                f"{name!r} needs as many positive errors as positive times, got {errors} and "
                f"{spent}: a logarithmic axis has no zero."
            )
        axes.plot(spent, errors, "o-", color=CYCLE[k % len(CYCLE)], markersize=4, label=name)
    axes.set(xscale="log", yscale="log", xlabel=work, ylabel=error)
    axes.legend(frameon=False, fontsize=8)
    return axes
