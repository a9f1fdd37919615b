"""How a time grows with the number of tokens, and from where on one is below another."""

import math


def exponent(times, least=1024):
    """The exponent of the time in the number of tokens, by least squares from `least` on."""
    points = [
        (math.log(int(n)), math.log(t["median"])) for n, t in times.items() if int(n) >= least
    ]
    if len(points) < 2:
        return None
    x, y = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def crossover(ours, theirs):
    """The least number of tokens from which on ours is faster wherever both were measured."""
    both = sorted(int(n) for n in ours if n in theirs)
    found = None
    for n in reversed(both):
        if ours[str(n)]["median"] >= theirs[str(n)]["median"]:
            break
        found = n
    return found
