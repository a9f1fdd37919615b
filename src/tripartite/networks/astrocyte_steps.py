"""Astrocytes that move in longer steps than the neurons around them."""

import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes import AbstractAstrocyte, AstrocyteDrive
from tripartite.cells import AbstractCell
from tripartite.core import Relaxation, constant
from tripartite.core.errors import concrete_float
from tripartite.networks.glia import Glia, Heard, glia_of, moved

if TYPE_CHECKING:
    from tripartite.networks.network import Network, NetworkState

AstrocyteStep = float | Literal["auto"] | None

# The step that is chosen (ms), for a network of so many units; and from where on it is too long.
_USUAL, _ENOUGH, _LONG = 10.0, 100, 50.0


class Windows(NamedTuple):
    """`elapsed` since the window began, and the time `now`, in ms; `heard`, by population."""

    elapsed: Array
    now: Array
    heard: dict[str, Heard]


class AstrocyteSteps(eqx.Module):
    """How a network's astrocytes move in a solve with fixed steps: once in a window of `step` ms.

    Within a window they only listen: what they hear is added up, and at its end they take one step
    of its length under the mean. What others read of them is continued from the last window, along
    the exponentials that the states were on: both are of second order in `step`.

    **Arguments:** `step` and `dt`, in ms.
    """

    step: float = constant(static=True)
    dt: float = constant(static=True)

    def init(self, network: "Network", populations: dict[str, Any]) -> Windows:
        """A window that begins, nothing heard."""
        parts = _glia(network)
        zero = jnp.zeros((), jax.tree.leaves(populations)[0].dtype)
        heard = {
            name: glia.silent(populations[name], read=name in network.served)
            for name, glia in parts.items()
        }
        return Windows(zero, zero, heard)

    def blocks(self, network: "Network") -> Windows:
        """Time and what is heard are integrated first; the rest is held."""
        heard = Heard(0, None, None, None, None)  # pyright: ignore[reportArgumentType]
        return Windows(0, None, dict.fromkeys(astrocytes(network), heard))  # pyright: ignore[reportArgumentType]

    def units(self, network: "Network") -> Windows:
        """ms; inputs times ms; pure numbers; those of the states, per ms."""
        parts = _glia(network).items()
        heard = {name: glia.units(read=name in network.served) for name, glia in parts}
        return Windows("ms", "ms", heard)  # pyright: ignore[reportArgumentType]

    def jump(
        self, network: "Network", t: Array, y: "NetworkState", inputs: dict[str, Any]
    ) -> tuple[dict[str, Any], Windows]:
        """The astrocytes and their windows at the end of a step, at `t` (ms)."""
        assert y.windows is not None
        elapsed, _, heard = y.windows
        heard = {name: _arrived(x, inputs[name], elapsed) for name, x in heard.items()}
        parts = _glia(network)

        def ended(own: dict[str, Any], heard: dict[str, Heard], elapsed: Array, t: Array) -> Any:
            after, begun = {}, {}
            for name, glia in parts.items():
                after[name], mean = glia.closed(own[name], heard[name], elapsed, t)
                new = jax.tree.map(jnp.zeros_like, heard[name])
                if heard[name].path is not None:
                    new = new._replace(path=glia.relax(t, after[name], mean))
                begun[name] = new
            return after, begun, jnp.zeros_like(elapsed)

        def going_on(own: Any, heard: Any, elapsed: Array, t: Array) -> Any:
            return own, heard, elapsed

        own = {name: y.populations[name] for name in parts}
        full = elapsed > self.step - 0.5 * self.dt
        own, heard, elapsed = jax.lax.cond(full, ended, going_on, own, heard, elapsed, t)
        return own, Windows(elapsed, t.astype(elapsed.dtype), heard)


def held(own: Any) -> Relaxation:
    """Of a state that is not integrated."""
    still = jax.tree.map(jnp.zeros_like, own)
    return Relaxation(still, still)


def listening(y: Windows | None, inputs: dict[str, Any]) -> Relaxation:
    """Within a window time and what is heard add up: drives without a decay."""
    if y is None:
        return Relaxation(None, None)
    still = jax.tree.map(jnp.zeros_like, y)
    heard = {name: x._replace(drive=_lasting(inputs[name])) for name, x in still.heard.items()}
    return Relaxation(Windows(jnp.ones_like(y.elapsed), still.now, heard), still)


def unit_noise(y: Windows | None) -> dict[str, Any]:
    """The sources of noise of astrocytes amid a window: their increments add up as they are."""
    heard = {} if y is None else y.heard
    return {
        name: jax.tree.map(jnp.ones_like, x.noise)
        for name, x in heard.items()
        if x.noise is not None
    }


def kicked(still: Windows | None, kicks: dict[str, Any]) -> Windows | None:
    """The windows' share of the network's kicks."""
    if still is None:
        return None
    heard = {
        name: x if x.noise is None else x._replace(noise=kicks[name])
        for name, x in still.heard.items()
    }
    return still._replace(heard=heard)


def read(y: "NetworkState", name: str) -> Any:
    """The state of a population as others read it: astrocytes amid a window are continued."""
    own = y.populations[name]
    if y.windows is None or name not in y.windows.heard:
        return own
    path = y.windows.heard[name].path
    return own if path is None else moved(own, path, y.windows.elapsed)


def recorded(network: "Network", y: "NetworkState", name: str) -> Any:
    """The state of a population as it is recorded: astrocytes as if their window ended now."""
    own = y.populations[name]
    if y.windows is None or name not in y.windows.heard:
        return own
    elapsed, now, heard = y.windows
    return glia_of(network, name).closed(own, heard[name], elapsed, now)[0]


def astrocytes(network: "Network") -> list[str]:
    """The names of the populations of astrocytes."""
    parts = network.populations.items()
    return [name for name, part in parts if isinstance(part.unit, AbstractAstrocyte)]


def _glia(network: "Network") -> dict[str, Glia]:
    return {name: glia_of(network, name) for name in astrocytes(network)}


def _lasting(u: Any) -> Any:
    """An input without what arrives at once."""
    return u._replace(spikes=jnp.zeros_like(u.spikes)) if isinstance(u, AstrocyteDrive) else u


def _arrived(heard: Heard, u: Any, elapsed: Array) -> Heard:
    if heard.spikes is None:
        return heard
    moments = heard.moments + elapsed * u.spikes
    return heard._replace(spikes=heard.spikes + u.spikes, moments=moments)


def checked_step(given: AstrocyteStep, network: "Network") -> AstrocyteStep:
    """**Raises:** `ValueError` for anything but a positive number, `None` and `"auto"`."""
    if given is None or given == "auto":
        return given
    if isinstance(given, str):
        raise ValueError(f'astrocyte_step must be a number of ms, None or "auto", got {given!r}.')
    step = concrete_float("astrocyte_step", given)
    if step <= 0:
        raise ValueError(
            f"astrocyte_step must be positive, got {step} ms: give a multiple of dt, or None for "
            "astrocytes that move with every step."
        )
    if not astrocytes(network):
        raise ValueError(
            f"astrocyte_step = {step} ms is the step of astrocytes, and the network has none: "
            f"leave it out; its populations are {', '.join(map(repr, network.populations))}."
        )
    return step


def steps_for(network: "Network", dt: float | None) -> AstrocyteSteps | None:
    """How the astrocytes move in steps of `dt` ms (`None`: in an adaptive solve).

    Warns of steps above 50 ms.

    **Raises:** `ValueError` for a step that is no multiple of `dt`, or an adaptive solve.
    """
    given = network.astrocyte_step
    if given is None or (given == "auto" and dt is None):
        return None
    if given == "auto":
        assert dt is not None
        number = round(_USUAL / dt)
        return AstrocyteSteps(number * dt, dt) if number > 1 and _worth(network) else None
    if dt is None:
        raise ValueError(
            f"astrocyte_step = {given:g} ms is for fixed steps: pass dt=, or make the network with "
            "astrocyte_step=None for one adaptive solve."
        )
    number = round(given / dt)
    if number < 1 or abs(given / dt - number) > 1e-9 * number:
        whole = max(1, number) * dt
        raise ValueError(
            f"astrocyte_step = {given:g} ms must be a whole number of steps of dt = {dt:g} ms: "
            f"take {whole:g} ms, or another dt."
        )
    if given > _LONG:
        warnings.warn(
            f"astrocytes take steps of {given:g} ms: above {_LONG:g} ms their error, which grows "
            f"with the square, reaches a per cent; {_USUAL:g} ms is usual.",
            stacklevel=2,
        )
    return AstrocyteSteps(number * dt, dt)


def _worth(network: "Network") -> bool:
    """Whether there are cells beside the astrocytes, and enough units in all."""
    parts = network.populations.values()
    cells = any(isinstance(part.unit, AbstractCell) for part in parts)
    return cells and bool(astrocytes(network)) and sum(p.size for p in parts) >= _ENOUGH


def described(network: "Network") -> str:
    """For `stats["plan"]`: who moves in steps of their own."""
    if network.astrocyte_steps is None:
        return ""
    names = " and ".join(map(repr, astrocytes(network)))
    return f"{names} every {network.astrocyte_steps.step:g} ms"
