"""Ion channels: data that a conductance cell is made of."""

from tripartite.channels.channel import AbstractChannel, Channel, Gate
from tripartite.channels.leak import Leak
from tripartite.channels.potassium import Potassium
from tripartite.channels.rates import AbstractRate, Exponential, Linoid, Sigmoid
from tripartite.channels.sodium import Sodium

__all__ = [
    "AbstractChannel",
    "AbstractRate",
    "Channel",
    "Exponential",
    "Gate",
    "Leak",
    "Linoid",
    "Potassium",
    "Sigmoid",
    "Sodium",
]
