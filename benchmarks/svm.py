"""A linear support vector machine (squared hinge, L2) beside scikit-learn's LinearSVC, at the same objective.

Both get the same standardised rows in the same process, in turns. The median time of each is given with the
objective (mean squared hinge + ‖w‖²/2Cn) that it reached. Writes `benchmarks/results/svm.md`.

    python benchmarks/svm.py [--turns 3]
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from _common import facts
from handrail.sklearn import NetworkClassifier

_RESULTS = Path(__file__).parent / "results" / "svm.md"
_SIZES = ((1_000, 20), (10_000, 50), (100_000, 50))
_HEAD = "| rows | columns | handrail, s | LinearSVC, s | ratio | our objective | LinearSVC's |"


def network(rows: int) -> NetworkClassifier:
    """C = 1."""
    settings: dict[str, Any] = {
        "model": "linear",
        "loss": {"hinge": {"squared": True}},
        "penalties": [{"l2": {"strength": 1 / (2 * rows)}}],
        "learning": {"gradient": {"optimizer": "lbfgs"}},
    }
    return NetworkClassifier(**settings, epochs=3, patience=None, validation_fraction=None, random_state=0)


def objective(rows: np.ndarray, codes: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> float:
    """Mean squared hinge + ‖w‖²/2n."""
    hinge = np.maximum(0, 1 - (2 * codes - 1) * (rows @ weights[0] + bias[0]))
    return float((hinge**2).mean() + (weights**2).sum() / (2 * len(rows)))


def measured(count: int, columns: int, turns: int) -> str:
    """A row of the table."""
    raw, drawn = make_classification(count, columns, n_informative=columns // 2, random_state=0)
    rows, codes = np.asarray(StandardScaler().fit_transform(raw)), np.asarray(drawn)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    found: dict[str, float] = {}
    for _ in range(turns):
        contenders: dict[str, Any] = {"ours": network(count), "theirs": LinearSVC(random_state=0)}
        for name, model in contenders.items():
            began = time.perf_counter()
            model.fit(rows, codes)
            seconds[name].append(time.perf_counter() - began)
        head = contenders["ours"].pipeline_.network.head
        weights, bias = (np.asarray(part.tolist()) for part in (head.weight, head.bias))
        found["ours"] = objective(rows, codes, weights, bias)
        found["theirs"] = objective(rows, codes, contenders["theirs"].coef_, contenders["theirs"].intercept_)
    ours, theirs = (statistics.median(seconds[name]) for name in ("ours", "theirs"))
    times = f"{ours:.3f} | {theirs:.3f} | {ours / theirs:.2f}"
    return f"| {count:,} | {columns} | {times} | {found['ours']:.6f} | {found['theirs']:.6f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args().turns
    NetworkClassifier(model="linear", epochs=1).fit(np.eye(20), np.arange(20) % 2)  # imports are no work
    lines = [_HEAD, "|---" * 7 + "|", *(measured(*size, turns) for size in _SIZES)]
    table = "\n".join(lines)
    _RESULTS.write_text(f"# Linear support vector machine\n\n{facts('torch', 'scikit-learn')}\n\n{table}\n")
    print(table)


if __name__ == "__main__":
    main()
