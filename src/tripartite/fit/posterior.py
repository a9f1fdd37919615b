"""The posterior of parameters, for a sampler."""

import dataclasses
from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from tripartite.core.arguments import checked, require_fields
from tripartite.fit.packing import Constraints, Packing, Where, pack


@dataclasses.dataclass(frozen=True, eq=False)
class LogDensity:
    """`log_density(z)`, the logarithm of a posterior of free numbers, up to a constant.

    `packing.values(z)` are the parameters there, `packing.zero()` the model's own.
    """

    packing: Packing
    loss: Callable[[Any, Any], Array]
    data: Any
    log_prior: Callable[[dict[str, Array]], Array] | None

    def __post_init__(self) -> None:
        require_fields(self)

    def __call__(self, z: Array) -> Array:
        found = self.packing.log_volume(z) - self.loss(self.packing.unpack(z), self.data)
        if self.log_prior is not None:
            found = found + self.log_prior(self.packing.values(z))
        return found


@checked
def log_density(
    model: Any,
    loss: Callable[[Any, Any], Array],
    data: Any,
    *,
    where: Where = None,
    constraints: Constraints = None,
    log_prior: Callable[[dict[str, Array]], Array] | None = None,
) -> LogDensity:
    """The posterior density of a model's parameters given data.

        log p(z | data) = -loss(model(z), data) + log prior(values(z)) + log |d values / d z|

    The free numbers `z` are unbounded, as samplers want them: with BlackJAX
    `blackjax.nuts(density, ...)`, and each sample's `density.packing.values(z)`.

    **Arguments:**

    - `loss`: minus the log-likelihood, such as one by `fit.negative_log_likelihood`.
    - `log_prior`: of the values by name, per unit of the values; by default flat in the values,
        which is a proper density only if the data make it one.
    - `model`, `where`, `constraints`: as in `fit.pack`.

    **Raises:** `ValueError` as `fit.pack`.
    """
    return LogDensity(pack(model, where, constraints), loss, data, log_prior)
