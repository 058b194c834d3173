"""What one may ask of a network: nothing here; the methods are bound by `api.py`, and declared for type checkers in the
stub beside this file, which is made from the same table.
"""

from __future__ import annotations

__all__ = ["Questions"]


class Questions:
    """The methods of Network that live in other storeys."""
