"""Policies for `sac`: a dense network of the newest observation, and its spiking counterpart."""

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray


class DensePolicy(eqx.Module):
    """A network of two hidden layers of the newest observation in the window."""

    net: eqx.nn.MLP
    actions: int = eqx.field(static=True)

    def __init__(self, observations: int, actions: int, width: int, *, key: PRNGKeyArray) -> None:
        self.net = eqx.nn.MLP(observations, 2 * actions, width, 2, key=key)
        self.actions = actions

    def __call__(self, window: Float[Array, "window observation"]) -> tuple[Array, Array]:
        found = self.net(window[-1])
        return found[: self.actions], found[self.actions :]
