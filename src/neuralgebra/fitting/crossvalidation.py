"""How well a setting fits what it has not seen: k-fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.fitting.fit import fit, fit_report, observed
from neuralgebra.fitting.report import FitReport, Kind
from neuralgebra.fitting.solver import FOLDS, generator

__all__ = ["CrossValidation", "cross_validate"]


@dataclass(frozen=True)
class CrossValidation:
    """Errors on what was held back.

    Parameters
    ----------
    kinds : tuple of Kind
        Each kind of data: `error` is the root mean square on the points that were fitted, `held_back` on the others,
        over all folds.
    reports : tuple of FitReport
        That of each fold.
    """

    kinds: tuple[Kind, ...]
    reports: tuple[FitReport, ...]

    def __str__(self) -> str:
        rows = [
            f"  {k.name}: {k.held_back:.4g} held back, {k.error:.4g} fitted, {k.rms:.4g} in the data"
            for k in self.kinds
        ]
        return "\n".join([f"{len(self.reports)} folds", *rows])


def cross_validate(data: Any, y: Any = None, *, folds: int = 5, **options: Any) -> CrossValidation:
    """Return how well networks fit the points that were held back, each part of them once.

    Parameters
    ----------
    data, y
        As for `fit`.
    folds : int
        Number k of parts; all that is known at one point is in one part.
    **options
        As for `fit`.

    Returns
    -------
    CrossValidation
        Errors by kind of data.

    Examples
    --------
    >>> x = np.linspace(0, 3, 30)[:, None]
    >>> found = cross_validate(x, np.sin(x[:, 0]), folds=3, hidden=(5,))
    >>> found.kinds[0].held_back < 0.01
    True
    """
    names = ("dydx", "d2ydx2", "sample_weight")
    known = observed(data, y, **{name: options.pop(name, None) for name in names})
    parts = known.folds(folds, generator(int(options.get("seed", 0)), 0, FOLDS))
    reports, rests = [], []
    for fitted, held_back in parts:
        f = fit(fitted, held_back=held_back, **options)
        reports.append(fit_report(f))
        rests.append(reports[-1].kinds)
    return CrossValidation(tuple(_pooled(kinds) for kinds in zip(*rests, strict=True)), tuple(reports))


def _pooled(kinds: Sequence[Kind]) -> Kind:
    """Return one kind of data over all folds."""
    held = [k.held_back for k in kinds if k.held_back is not None and np.isfinite(k.held_back)]
    error = float(np.sqrt(np.mean([k.error**2 for k in kinds])))
    rms = float(np.sqrt(np.mean([k.rms**2 for k in kinds])))
    return Kind(kinds[0].name, sum(k.count for k in kinds) // max(1, len(kinds) - 1), kinds[0].weight, rms, error,
                float(np.sqrt(np.mean(np.square(held)))))  # fmt: skip
