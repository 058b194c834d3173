"""What other storeys remember about a network."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["Memory"]

_MOST = 64


class Memory(dict[Any, Any]):
    """Results by key, some of them in groups of which only the latest stay."""

    def once(self, group: str, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make()` gives, computed when first asked for; the oldest of a full group is forgotten.

        Parameters
        ----------
        group : str
            What kind of result it is.
        key : hashable
            Which one.
        make : callable
            () -> result.

        Returns
        -------
        object
            The result.
        """
        try:
            return self[group][key]
        except KeyError:
            known, found = self.setdefault(group, {}), make()
        for oldest in list(known)[: max(0, len(known) - _MOST + 1)]:
            known.pop(oldest, None)
        known[key] = found
        return found
