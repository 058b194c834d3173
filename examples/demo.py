"""The main job on a real network: what `make demo` prints."""

from pathlib import Path

import numpy as np

import neuralgebra as na
from neuralgebra.show.summary import summary_text

HERE = Path(__file__).parent
MODEL = HERE / "diabetes.onnx"
ROWS = 3
HEAD = 6


def main() -> None:
    """Read, show, print formulas and numbers, check."""
    f = na.load(MODEL)
    table = np.loadtxt(HERE / "diabetes.csv", delimiter=",", skiprows=1)
    x = table[:ROWS]

    title(f"The network: {MODEL.name}")
    print(summary_text(f))
    print("\nThe StandardScaler of the inputs and the scaling of the target are folded into the first and last layer:")
    print("it takes raw measurements and returns the raw target.")

    title("Its formula")
    print(f.formula().text())

    title("Its Jacobian as formula, numbers rounded to 4 digits")
    known = set(f.formula().text().splitlines())
    print_new(f.formula(1, digits=4).text(), {line.split(" = ")[0] for line in known})

    title("Its Hessian as formula, the first lines")
    print_new(f.formula(2, digits=4).text(), {line.split(" = ")[0] for line in f.formula(1).text().splitlines()}, HEAD)
    print("neuralgebra formula examples/diabetes.onnx --order 2 prints all of it, with every digit.")

    title("The chain rule behind it")
    print(f.explain("jacobian"))

    title(f"Numbers at {ROWS} real rows")
    with np.printoptions(precision=4, suppress=True, linewidth=118):
        print("inputs", *f.input_names)
        print(x)
        print("value\n", f(x)[:, 0])
        print("Jacobian\n", f.jacobian(x)[:, 0])
        print("Hessian at the first row\n", f.hessian(x)[0, 0])

    title("Proven everywhere on the box of these rows")
    box = dict(zip(f.input_names, zip(table.min(axis=0), table.max(axis=0), strict=True), strict=True))
    proven = f.enclose(box)
    print(f"{proven.low[0]:.2f} <= progression <= {proven.high[0]:.2f}")
    for claim in ("increasing in bmi", "increasing in age"):
        print(f.certify(claim, box))

    title(f"Checked at {len(table)} real rows")
    print(f.check(table, model=MODEL.read_bytes()))


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'─' * len(text)}")


def print_new(text: str, known: set[str], limit: int | None = None) -> None:
    """Print the lines whose name is not known yet, at most a number of them."""
    lines = [line for line in text.splitlines() if line.split(" = ")[0] not in known]
    print("\n".join(lines[:limit]))
    if limit and len(lines) > limit:
        print(f"… and {len(lines) - limit} lines more")


if __name__ == "__main__":
    main()
