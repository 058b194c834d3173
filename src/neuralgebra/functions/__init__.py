"""Scalar functions: activations as Pfaffian chains, and the numerics of their chain functions."""
