"""Rewriting: laws between networks, applied one at a time or by a strategy, with the derivation kept."""
