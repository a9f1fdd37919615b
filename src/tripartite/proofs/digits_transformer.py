"""A small vision transformer that reads handwritten digits, with its attention left open.

Pre-norm encoder after Dosovitskiy et al. 2021 (arXiv 2010.11929, equations 1 to 4), with the mean
over tokens in place of the class token.
"""

from collections.abc import Callable
from importlib import resources

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

_PATCH = 2
_TOKENS = 16
_DIGITS = 10

type HeadArray = Float[Array, "heads tokens d_head"]
type Attend = Callable[[HeadArray, HeadArray, HeadArray], HeadArray]
