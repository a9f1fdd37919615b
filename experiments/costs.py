"""Additions and multiplications of the released nets, counted as their authors count them."""

from experiments import nets

# Per unit (for s-LIF2HH and 4x: per unit as its authors count it) and tick.
WITHIN = {"lif": (3, 3), "4lif": (3, 3), "release_hh": (16, 23), "slif2hh": (14, 15)}


def released_operations(kind, shape, sizes):
    """Additions and multiplications of one picture, by the rules of the released notebook.

    A sum of n products is n multiplications and n - 1 additions, at each tick; within a unit
    `WITHIN`; the layer of 50 once, the heads and the biases not at all. For the convolutional
    s-LIF2HH net the notebook's own multiplications are lower by its 145,800 second-layer products
    per 15 ticks, since it adds up that layer's additions instead.
    """
    ticks, many = nets.TICKS[kind], {"slif2hh": 3}.get(kind, 1)
    width = 4 if kind == "4lif" else 1
    if shape == "fc":
        units = [sizes.hidden * width]
        fan_in = [sizes.side**2]
        read = sizes.hidden * (4 if kind in ("4lif", "slif2hh") else 1)
    else:
        sides = nets.sides(sizes)
        units = [c * width * n**2 for c, n in zip(sizes.channels, sides, strict=True)]
        fan_in = [sizes.kernel**2, 9 * sizes.channels[0] * width]
        four = 4 if kind in ("4lif", "slif2hh") else 1
        read = sizes.channels[1] * four * (sides[1] // 2) ** 2
    inner = WITHIN[kind]
    pairs = list(zip(units, fan_in, strict=True))
    adds = sum(ticks * n * (many * (f - 1) + inner[0]) for n, f in pairs)
    multiplications = sum(ticks * n * (many * f + inner[1]) for n, f in pairs)
    return adds + 50 * (read - 1), multiplications + 50 * read
