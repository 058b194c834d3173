"""Renderings of a network as a formula: one let-form, several notations."""
