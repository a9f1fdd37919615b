"""What takes long says so on a terminal, and nowhere else."""

import contextlib
import io
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cli, fit
from tripartite.core import progress
from tripartite.core.progress import Waiting, is_shown


class Terminal:
    """A stream that takes itself for a terminal, and tells when a text has been written to it."""

    def __init__(self, awaited=""):
        self.text, self.awaited, self.seen = io.StringIO(), awaited, threading.Event()

    def isatty(self):
        return True

    def flush(self):
        pass

    def getvalue(self):
        return self.text.getvalue()

    def write(self, text):
        if self.awaited and self.awaited in text:
            self.seen.set()
        return self.text.write(text)

    def screen(self):
        """The line as it stands: what follows the last return to its start."""
        return self.getvalue().rpartition("\r")[2]


@pytest.fixture
def at_once(monkeypatch):
    """Waits are said at once."""
    monkeypatch.delenv("TRIPARTITE_PROGRESS", raising=False)
    monkeypatch.setattr(progress, "AFTER", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.001)


def test_a_line_is_for_terminals_and_can_be_switched_off(monkeypatch):
    monkeypatch.delenv("TRIPARTITE_PROGRESS", raising=False)
    assert is_shown(None, Terminal()) and is_shown(True, Terminal())
    assert not is_shown(False, Terminal())
    for show in (None, True):
        assert not is_shown(show, io.StringIO()) and not is_shown(show, None)
    monkeypatch.setenv("TRIPARTITE_PROGRESS", "0")
    assert not is_shown(None, Terminal()) and is_shown(True, Terminal())


@pytest.mark.usefixtures("at_once")
def test_a_wait_is_said_and_cleared():
    stream = Terminal("another, 0 s")
    with Waiting("something", stream=stream) as line:
        line.say("another")
        assert stream.seen.wait(60.0)
        stream.awaited = "a third, 0 s"
        stream.seen.clear()
        line.again("a third")
        assert stream.seen.wait(60.0)
    assert stream.screen() == ""


def test_what_is_quick_says_nothing(monkeypatch, at_once):
    monkeypatch.setattr(progress, "AFTER", 1e6)
    stream = Terminal()
    with Waiting("something", stream=stream) as line:
        line.say("still something")
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_the_outer_of_two_has_the_line():
    outer, inner = Terminal("outer"), Terminal()
    with Waiting("outer", stream=outer), Waiting("inner", stream=inner):
        assert outer.seen.wait(60.0)
    assert inner.getvalue() == ""
    again = Terminal("inner")
    with Waiting("inner", stream=again):
        assert again.seen.wait(60.0)


@pytest.mark.usefixtures("at_once")
def test_a_wait_that_fails_is_cleared_and_lets_the_error_through():
    stream = Terminal("something")
    with pytest.raises(ZeroDivisionError), Waiting("something", stream=stream):
        assert stream.seen.wait(60.0)
        raise ZeroDivisionError
    assert stream.screen() == ""


@contextlib.contextmanager
def terminal():
    """A terminal in the place of standard error."""
    stream = Terminal()
    with contextlib.redirect_stderr(stream):
        yield stream
    assert stream.screen() == ""


PASSIVE = tp.cells.ConductanceCell((tp.channels.Leak(0.1, -60.0),))


def solve(**more):
    # A span of its own, so that nothing is compiled yet and there is something to wait for.
    return tp.simulate(PASSIVE, 1.0, t1=7.25, dt=0.05, save_every=0.05, **more)


@pytest.mark.usefixtures("at_once")
def test_a_solve_says_how_long_it_has_run():
    with terminal() as stream:
        solve()
    assert "solve, 0 s" in stream.getvalue()
    with terminal() as silent:
        solve(progress=False)
    assert silent.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_a_solve_under_a_transformation_is_silent():
    with terminal() as stream:
        jax.jit(lambda i: tp.simulate(PASSIVE, i, t1=1.0, dt=0.05).ys["v"])(jnp.ones(()))
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("at_once")
def test_a_solve_with_checkpoints_says_how_far_it_is(tmp_path):
    with terminal() as stream:
        solve(checkpoint=tmp_path / "run", every=3.65)
    assert "solve, 0 % done" in stream.getvalue()


@pytest.mark.usefixtures("at_once")
def test_fits_say_what_they_wait_for():
    def scaled(model, data, stage=0.0):
        return model["a"] * data

    model, x = {"a": jnp.ones(())}, np.linspace(0.0, 1.0, 5)
    with terminal() as stream:
        assert fit.least_squares(model, scaled, x).loss < 1e-6
    assert "least squares, start 1 of 1" in stream.getvalue()
    with terminal() as silent:
        fit.least_squares(model, scaled, x, progress=False)
        fit.fit(model, lambda m, d: jnp.mean(scaled(m, d) ** 2), x, steps=2, progress=False)
    assert silent.getvalue() == ""
    with contextlib.redirect_stderr(Terminal()) as stream:
        fit.fit(model, lambda m, d: jnp.sum(scaled(m, d) ** 2), x, steps=2)
    # A fit leaves its last line standing.
    assert "fit, first step" in stream.getvalue() and stream.getvalue().endswith("steps\n")


@pytest.mark.usefixtures("at_once")
def test_networks_and_edges_say_that_they_are_built(key):
    nets = tp.networks
    with terminal() as stream:
        edges = nets.fixed_fan_in(2000, 2000, 100, key=key)
    assert "drawing edges, 0 s" in stream.getvalue()
    parts = {"cells": nets.population(tp.cells.LIF, 2000)}
    projection = nets.Projection("cells", "cells", tp.synapses.Exponential(0.02), edges)
    with terminal() as stream:
        nets.Network(parts, [projection])
    assert "building the network, 0 s" in stream.getvalue()


def test_the_command_line_has_a_flag():
    arguments = ["verify", "--only", "models", "--no-progress"]
    options = cli._parser().parse_args(arguments)
    assert options.progress is False
    assert cli._parser().parse_args(arguments[:-1]).progress is None
    assert cli._parser().parse_args(["bench", "--no-progress"]).progress is False
