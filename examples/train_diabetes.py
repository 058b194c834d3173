"""Train the network that `make demo` shows, and write diabetes.onnx and diabetes.csv beside this file.

The data are the 442 patients of Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression" (2004), as they come
with scikit-learn: ten measurements and the progression of the disease one year later. Run once; the results are
committed.
"""

from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuralgebra as na

HERE = Path(__file__).parent


def train() -> tuple[TransformedTargetRegressor, np.ndarray]:
    """Return the fitted estimator and the held-back rows."""
    data = load_diabetes(as_frame=True, scaled=False)
    x, held_back, y, truth = train_test_split(data.data, data.target, test_size=0.25, random_state=0)
    network = MLPRegressor(
        hidden_layer_sizes=(6,), activation="tanh", solver="lbfgs", alpha=10.0, max_iter=5000, random_state=0
    )
    estimator = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    estimator.fit(x, y)
    print(f"R² {estimator.score(x, y):.3f} on {len(x)} training rows")
    print(f"R² {estimator.score(held_back, truth):.3f} on {len(truth)} rows held back")
    return estimator, held_back


def main() -> None:
    """Train, convert, write."""
    estimator, held_back = train()
    f = na.from_sklearn(estimator).rename(outputs=["progression"])
    f.save(HERE / "diabetes.onnx", overwrite=True)
    held_back.head(20).to_csv(HERE / "diabetes.csv", index=False)
    gap = np.abs(f(held_back.to_numpy(dtype=float))[:, 0] - estimator.predict(held_back)).max()
    print(f"{f}\nlargest difference to the estimator on the held-back rows: {gap:.1e}")


if __name__ == "__main__":
    main()
