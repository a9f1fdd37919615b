"""The learning experiments of He et al. (2024), with the real Hodgkin-Huxley equations."""
