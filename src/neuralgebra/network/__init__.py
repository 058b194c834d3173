"""A network as mathematics: structured matrices, layers, the let-form, and names."""
