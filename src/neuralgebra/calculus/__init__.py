"""Derivatives with respect to the inputs: truncated Taylor polynomials (jets) pushed through the layers."""
