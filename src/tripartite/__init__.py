"""Differentiable neurons, astrocytes and tripartite synapses on JAX."""
