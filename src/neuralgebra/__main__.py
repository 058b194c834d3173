"""The command line as ``python -m neuralgebra``."""

from neuralgebra.cli import main

main()
