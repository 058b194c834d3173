"""Networks fitted to values and derivatives together."""
