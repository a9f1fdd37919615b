"""The figures of the benchmark page."""

from write import FIGURES

# Okabe and Ito's palette: distinct to colour-blind readers, too.
COLOURS = {
    "tripartite": "#0072B2",
    "C": "#000000",
    "Jaxley": "#D55E00",
    "NEURON": "#009E73",
    "CoreNEURON": "#56B4E9",
    "Arbor": "#CC79A7",
    "Brian2 C++": "#E69F00",
}
MARKERS = "osD^vP<>X*"


def figure(width, height):
    """A figure that needs no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def store(drawing, name):
    FIGURES.mkdir(exist_ok=True)
    drawing.savefig(FIGURES / f"{name}.png", dpi=130)


def bars(name, labels, found, who, axis):
    """One bar for each row, on a logarithmic axis, with least and most as whiskers."""
    drawing = figure(9.0, 1.2 + 0.22 * len(labels))
    ax = drawing.subplots()
    for place, (entry, whose) in enumerate(zip(found, who, strict=True)):
        middle = entry["median"]
        reach = [[middle - entry["least"]], [entry["most"] - middle]]
        ax.barh(place, middle, color=COLOURS[whose], height=0.7, zorder=2)
        ax.errorbar(middle, place, xerr=reach, color="#555555", linewidth=1, zorder=3)
        ax.annotate(
            f" {middle:.3g}", (max(middle, entry["most"]), place), va="center", fontsize=7
        )
    ax.set(xscale="log", xlabel=f"{axis} (logarithmic)", ylim=(len(labels) - 0.4, -0.6))
    ax.set_yticks(range(len(labels)), labels, fontsize=7)
    ax.grid(axis="x", alpha=0.3, linewidth=0.5, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    store(drawing, name)


def curves(name, series, axes, floor=None, target=None):
    """`series` of `(label, who, x, y)` on two logarithmic axes, named by `axes`."""
    drawing = figure(9.0, 6.4)
    ax = drawing.subplots()
    marks = {}
    for label, who, x, y in series:
        style = marks.setdefault(who, iter(range(99)))
        number = next(style)
        ax.plot(
            x,
            y,
            color=COLOURS[who],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=("-", "--", ":", "-.")[number % 4],
            markersize=4,
            linewidth=1.2,
            label=label,
        )
    ax.set(xscale="log", yscale="log", xlabel=axes[0], ylabel=axes[1])
    if floor is not None:
        ax.axvspan(ax.get_xlim()[0], floor, color="#999999", alpha=0.25, linewidth=0)
        ax.annotate("floor", (floor, ax.get_ylim()[1]), fontsize=7, ha="right", va="top")
    if target is not None:
        ax.axvline(target, color="#999999", linewidth=0.8, linestyle=":")
    ax.invert_xaxis()
    ax.grid(alpha=0.3, linewidth=0.5, which="both")
    ax.spines[["top", "right"]].set_visible(False)
    drawing.legend(fontsize=7, loc="outside right upper", frameon=False)
    store(drawing, name)
