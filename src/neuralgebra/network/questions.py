"""What one may ask of a network, for type checkers.

The methods are bound by `api.py`; the stub beside this file, made from the same table, declares them.
"""

from __future__ import annotations

__all__ = ["Questions"]


class Questions:
    """The methods of Network that live in other storeys."""
