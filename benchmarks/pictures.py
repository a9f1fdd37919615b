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


def dots(name, panels, axis):
    """One dot for each row, least to most as a line; `panels` of `(label, who, spread)`."""
    tallest = max(len(rows) for rows in panels.values())
    drawing = figure(6.5 * len(panels), 1.2 + 0.21 * tallest)
    for ax, (title, rows) in zip(drawing.subplots(1, len(panels)), panels.items(), strict=True):
        for place, (_, who, time) in enumerate(rows):
            ax.plot([time["least"], time["most"]], [place, place], color=COLOURS[who], linewidth=1)
            ax.plot(time["median"], place, "o", color=COLOURS[who], markersize=5)
            words = {"fontsize": 7, "va": "center", "color": "#444444"}
            ax.annotate(f"   {time['median']:.3g}", (time["most"], place), **words)
        ax.set(xscale="log", xlabel=axis, ylim=(tallest - 0.4, -0.6), title=title)
        ax.set_yticks(range(len(rows)), [label for label, _, _ in rows], fontsize=7)
        for tick, (_, who, _) in zip(ax.get_yticklabels(), rows, strict=True):
            tick.set_color(COLOURS[who])
        ax.margins(x=0.12)
        ax.grid(alpha=0.3, linewidth=0.5)
        ax.spines[["top", "right"]].set_visible(False)
    store(drawing, name)


def curves(name, series, axes, floor, target):
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
    ax.axvspan(min(floor / 2, ax.get_xlim()[0]), floor, color="#999999", alpha=0.25, linewidth=0)
    words = {"fontsize": 7, "ha": "right", "va": "top", "color": "#444444"}
    ax.annotate("the spike finder's floor ", (floor, ax.get_ylim()[1]), **words)
    ax.axvline(target, color="#999999", linewidth=0.8, linestyle=":")
    ax.invert_xaxis()
    ax.grid(alpha=0.3, linewidth=0.5, which="both")
    ax.spines[["top", "right"]].set_visible(False)
    drawing.legend(fontsize=7, loc="outside right upper", frameon=False)
    store(drawing, name)
