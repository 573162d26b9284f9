"""A grid of 64 on red wine: learning rate × weight decay × dropout of an 11-64-64-6 network, batches of 32,
50 epochs.

Three ways to search the same networks on the same rows, each as its users would write it, judged by the same
validation rows (the accuracy after the last epoch; handrail keeps the best epoch of each trial besides):

- `handrail.tune`, everything included: reading, division, encoding, training, the ranked table with its
  intervals, baselines, report;
- scikit-learn's `GridSearchCV` with `MLPClassifier`, one split, two jobs; it has no dropout, so that
  momentum's β₁ stands in for it;
- Optuna's grid sampler with a plain PyTorch objective over tensors in memory.

Each runs in a process of its own, in turns; imports are excluded, and for the two others reading and
encoding, too.

    python benchmarks/tuning.py [--turns 3] [--data FOLDER]
"""

import argparse
import importlib
import itertools
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from _common import DATA, Arrays, Found, Job, facts, in_turns, medians, write_result

RATES = (0.0003, 0.001, 0.003, 0.01)
DECAYS = (0.0, 0.0001, 0.001, 0.01)
DROPOUTS = (0.1, 0.2, 0.3, 0.5)
# By torch, at the first step of an optimizer and when a function is traced; that is no training.
IMPORTED_LATE = (
    "torch._dynamo",
    "torch._inductor.compiler_bisector",
    "torch._inductor.fx_passes.dedupe_symint_uses",
    "torch.fx.experimental.validator",
)
EPOCHS, BATCH, HIDDEN = 50, 32, (64, 64)
SOURCE, TARGET = "wine-quality/winequality-red.csv", 12


def encoded(source: Path) -> Arrays:
    """Red wine as arrays: handrail's own division and encoding, the same for both others."""
    from handrail.data.encoders.table import TableEncoder
    from handrail.data.prepare import prepare
    from handrail.recipe.sections import DataRecipe

    data = prepare(DataRecipe(source=str(source), target=TARGET, task="multi-class"))
    encoder = TableEncoder.fit(data.train.features, data.schema, DataRecipe().encoding)
    parts = {"train": data.train, "validation": data.validation}
    inputs = {f"x_{name}": encoder(*encoder.prepare(part.features)).numpy() for name, part in parts.items()}
    return inputs | {f"y_{name}": part.target.numpy() for name, part in parts.items()}


def with_handrail(_: Arrays, source: Path, folder: Path) -> Callable[[], float]:
    """handrail's tune, from the file to the report."""
    import handrail
    import handrail.report.search
    import handrail.tuning.search  # the public names are looked up when they are first used

    optimizer = "learning.gradient.optimizer.adamw"
    space = {
        f"{optimizer}.learning_rate": list(RATES),
        f"{optimizer}.weight_decay": list(DECAYS),
        "model.mlp.dropout": list(DROPOUTS),
    }
    changes = {
        "data.task": "multi-class",
        "model": {"mlp": {"hidden": list(HIDDEN)}},
        "training.epochs": EPOCHS,
        "training.batch_size": BATCH,
        "training.patience": None,
        "tuning.metric": "accuracy",
    }

    def search() -> float:
        tried = handrail.tune(str(source), TARGET, space=space, changes=changes, out=folder / "search")
        return max(tried.frame()["accuracy"].drop_nulls())

    return search


def with_scikit_learn(arrays: Arrays, _source: Path, _folder: Path) -> Callable[[], float]:
    """scikit-learn's GridSearchCV over its MLPClassifier."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.neural_network import MLPClassifier

    x = np.concatenate([arrays["x_train"], arrays["x_validation"]])
    y = np.concatenate([arrays["y_train"], arrays["y_validation"]])
    fold = np.repeat([-1, 0], [len(arrays["x_train"]), len(arrays["x_validation"])])
    network = MLPClassifier(
        HIDDEN,
        batch_size=BATCH,  # pyright: ignore[reportArgumentType] - the stubs know "auto" only
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS + 1,
        tol=0,
        random_state=0,
    )
    grid = {"learning_rate_init": RATES, "alpha": DECAYS, "beta_1": [0.9, 0.8, 0.7, 0.5]}
    search = GridSearchCV(network, grid, cv=PredefinedSplit(fold), n_jobs=2, refit=False)

    def run() -> float:
        search.fit(x, y)
        return float(search.best_score_)

    return run


def with_optuna(arrays: Arrays, _source: Path, _folder: Path) -> Callable[[], float]:
    """Optuna's grid sampler and a plain PyTorch objective."""
    import optuna
    import torch
    from torch import nn

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x, y, held_x, held_y = (
        torch.from_numpy(arrays[name]) for name in ("x_train", "y_train", "x_validation", "y_validation")
    )

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_categorical("rate", RATES)
        decay = trial.suggest_categorical("decay", DECAYS)
        dropout = trial.suggest_categorical("dropout", DROPOUTS)
        torch.manual_seed(0)
        sizes = (x.shape[1], *HIDDEN)
        layers = [
            layer
            for a, b in itertools.pairwise(sizes)
            for layer in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))
        ]
        network = nn.Sequential(*layers, nn.Linear(HIDDEN[-1], int(y.max()) + 1))
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
        accuracy = 0.0
        for _ in range(EPOCHS):
            network.train()
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():
                accuracy = float((network(held_x).argmax(dim=1) == held_y).float().mean())
        return accuracy

    def search() -> float:
        grid = {"rate": RATES, "decay": DECAYS, "dropout": DROPOUTS}
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GridSampler(grid, seed=0))
        study.optimize(objective)
        assert len(study.trials) == len(RATES) * len(DECAYS) * len(DROPOUTS)
        return float(study.best_value)

    return search


CONTENDERS = {"handrail": with_handrail, "scikit-learn": with_scikit_learn, "Optuna + PyTorch": with_optuna}
TITLES = {
    "handrail": "handrail.tune, from file to report",
    "scikit-learn": "GridSearchCV, MLPClassifier, 2 jobs",
    "Optuna + PyTorch": "Optuna, plain PyTorch objective",
}


def run_one(name: str, path: Path, source: Path) -> Found:
    """Search by one contender in this process."""
    warnings.simplefilter("ignore")
    if name != "scikit-learn":
        for module in IMPORTED_LATE:
            importlib.import_module(module)
    search = CONTENDERS[name](dict(np.load(path)), source, path.parent / f"run-{time.time_ns()}")
    began = time.perf_counter()
    best = search()
    return {"seconds": time.perf_counter() - began, "best": best}


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help=f"some of {', '.join(CONTENDERS)}")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    source = asked.data.absolute() / SOURCE
    if asked.one:
        print(json.dumps(run_one(asked.one, asked.arrays, source)))
        return
    names = asked.contenders.split(",")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wine.npz"
        np.savez(path, allow_pickle=False, **encoded(source))
        jobs = {
            name: Job(["--one", name, "--arrays", str(path), "--data", str(asked.data.absolute())])
            for name in names
        }
        figures = {
            name: medians(runs)
            for name, runs in in_turns(__file__, jobs, turns=asked.turns, folder=Path(folder)).items()
        }
    lines = [
        "# A grid of 64 on red wine",
        "",
        facts("handrail", "torch", "scikit-learn", "optuna"),
        f"Medians of {asked.turns} turns.",
        "",
    ]
    lines += ["| | seconds | times handrail | best validation accuracy |", "|---|---|---|---|"]
    own = figures[names[0]]["seconds"]
    lines += [
        f"| {TITLES[name]} | {run['seconds']:.1f} | {run['seconds'] / own:.1f} | {run['best']:.4f} |"
        for name, run in figures.items()
    ]
    text = "\n".join(lines) + "\n"
    if len(names) == len(CONTENDERS):
        write_result("tuning.md", text)
    print(text)


if __name__ == "__main__":
    main()
