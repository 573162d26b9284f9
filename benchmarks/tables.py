"""Adult, an MLP 128-64, batches of 256, 20 epochs, one network: seconds, peak memory and validation accuracy,
side by side.

Every contender gets the same encoded arrays (float32), trains by Adam with a learning rate of 0.001 and
without weight decay, and is scored once at the end on the same validation rows. Each runs in a process of its
own, in turns, several times; what counts is the median of training alone, imports and reading excluded. As
machines are noisy, read the ratios.

    python benchmarks/tables.py [--repeats 3] [--data FOLDER]
"""

import argparse
import itertools
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from _common import DATA, Found, Job, facts, in_turns, medians, peak_memory, write_result

EPOCHS, BATCH, RATE, HIDDEN = 20, 256, 1e-3, (128, 64)
PRODUCTS = "products"
Arrays = dict[str, np.ndarray]


def encoded(source: Path) -> Arrays:
    """Adult as arrays: handrail's own split and encoding, the same for all."""
    from handrail.data.encoders.table import TableEncoder
    from handrail.data.prepare import prepare
    from handrail.recipe.sections import DataRecipe

    data = prepare(DataRecipe(source=str(source), target=15))
    encoder = TableEncoder.fit(data.train.features, data.schema, DataRecipe().encoding)
    parts = {"train": data.train, "validation": data.validation}
    inputs = {f"x_{name}": encoder(*encoder.prepare(part.features)).numpy() for name, part in parts.items()}
    return inputs | {f"y_{name}": part.target.numpy() for name, part in parts.items()}


def with_handrail(arrays: Arrays) -> Callable[[np.ndarray], np.ndarray]:
    """handrail's scikit-learn estimator."""
    from handrail.sklearn import NetworkClassifier

    network = NetworkClassifier(
        model={"mlp": {"hidden": list(HIDDEN)}},
        learning={"gradient": {"optimizer": {"adam": {"learning_rate": RATE}}}},
        epochs=EPOCHS,
        batch_size=BATCH,
        validation_fraction=0,
        scaling="none",
        random_state=0,
    )
    network.fit(arrays["x_train"], arrays["y_train"])
    return network.predict


def with_scikit_learn(arrays: Arrays) -> Callable[[np.ndarray], Any]:
    """scikit-learn's MLPClassifier."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(
        HIDDEN,
        batch_size=BATCH,  # pyright: ignore[reportArgumentType] - the stubs know "auto" only
        max_iter=EPOCHS,
        learning_rate_init=RATE,
        alpha=0,
        n_iter_no_change=EPOCHS + 1,
        tol=0,
        random_state=0,
    )
    network.fit(arrays["x_train"], arrays["y_train"])
    return network.predict


def torch_network():
    """The same network in plain PyTorch."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    sizes = (108, *HIDDEN)
    layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(HIDDEN[-1], 2))


def with_data_loader(arrays: Arrays) -> Callable[[np.ndarray], np.ndarray]:
    """A plain PyTorch loop over a DataLoader, as tutorials write it."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    network = torch_network()
    rows = TensorDataset(torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"]))
    loader = DataLoader(rows, batch_size=BATCH, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        for x, y in loader:
            optimizer.zero_grad()
            loss_of(network(x), y).backward()
            optimizer.step()
    return lambda x: network(torch.from_numpy(x)).argmax(dim=1).numpy()


def with_skorch(arrays: Arrays) -> Callable[[np.ndarray], np.ndarray]:
    """skorch's NeuralNetClassifier."""
    import torch
    from skorch import NeuralNetClassifier

    network = NeuralNetClassifier(
        torch_network(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        batch_size=BATCH,
        max_epochs=EPOCHS,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    network.fit(arrays["x_train"], arrays["y_train"])
    return network.predict


def with_lightning(arrays: Arrays) -> Callable[[np.ndarray], np.ndarray]:
    """Lightning's Trainer, with logging, checkpoints and progress bar switched off."""
    import logging

    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = torch_network()

        def training_step(self, batch, _index):
            x, y = batch
            return torch.nn.functional.cross_entropy(self.network(x), y)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=RATE)

    module = Module()
    rows = TensorDataset(torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"]))
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(rows, batch_size=BATCH, shuffle=True))
    module.eval()
    return lambda x: module.network(torch.from_numpy(x)).argmax(dim=1).numpy()


CONTENDERS = {
    "handrail": with_handrail,
    "scikit-learn": with_scikit_learn,
    "PyTorch + DataLoader": with_data_loader,
    "skorch": with_skorch,
    "Lightning": with_lightning,
}


def matrix_products(arrays: Arrays) -> Found:
    """Seconds of nothing but the matrix products of the same training: forward, and backward for weights and
    inputs of layers.

    usual: by the library that torch takes. quick: by the one that handrail takes on this processor. Both with
    one thread, on rows that lie in the cache.
    """
    import torch

    from handrail.training.speed.matmul import quick_products

    torch.set_num_threads(1)
    network = torch_network()
    layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    rows = [torch.randn(BATCH, layer.in_features) for layer in layers]
    grads = [torch.randn(BATCH, layer.out_features) for layer in layers]
    steps = EPOCHS * (len(arrays["x_train"]) // BATCH)

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            for index, (layer, inputs, grad) in enumerate(zip(layers, rows, grads, strict=True)):
                torch.mm(inputs, layer.weight.t())
                torch.mm(grad.t(), inputs)
                if index:
                    torch.mm(grad, layer.weight)
        return time.perf_counter() - began

    with torch.no_grad():
        usual = seconds()
        with quick_products(network, rows[0], BATCH):
            return {"usual": usual, "quick": seconds()}


def run_one(name: str, path: Path) -> None:
    """Train one contender in this process and print what was measured."""
    warnings.simplefilter("ignore")
    arrays = dict(np.load(path))
    if name == PRODUCTS:
        print(json.dumps(matrix_products(arrays)))
        return
    modules = {
        "handrail": "handrail.sklearn",
        "scikit-learn": "sklearn.neural_network",
        "skorch": "skorch",
        "Lightning": "lightning",
    }
    __import__(modules.get(name, "torch"))
    if name != "scikit-learn":
        # Torch imports its compiler at the first step of an optimizer; that is no training.
        __import__("torch._dynamo")
    began = time.perf_counter()
    predict = CONTENDERS[name](arrays)
    seconds = time.perf_counter() - began
    accuracy = float((predict(arrays["x_validation"]) == arrays["y_validation"]).mean())
    print(json.dumps({"seconds": seconds, "memory": peak_memory(), "accuracy": accuracy}))


def measure(path: Path, repeats: int) -> dict[tuple[str, str], Found]:
    """All contenders in turns, with the threads that libraries take by themselves and with a single one."""
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    jobs = {
        (name, threads): Job(["--one", name, "--arrays", str(path)], environment)
        for threads, environment in (("default", {}), ("1", single))
        for name in CONTENDERS
    } | {(PRODUCTS, "1"): Job(["--one", PRODUCTS, "--arrays", str(path)], single)}
    measured = in_turns(__file__, jobs, turns=repeats, folder=path.parent)
    return {key: medians(runs) for key, runs in measured.items()}


def as_table(figures: dict[tuple[str, str], Found], repeats: int) -> str:
    """Markdown."""
    lines = [
        "# One network on a table",
        "",
        f"Adult, 22,793 training rows × 108 inputs, MLP {'-'.join(map(str, HIDDEN))}, batch {BATCH}, "
        f"{EPOCHS} epochs; median of {repeats} turns.",
        facts("handrail", "torch", "scikit-learn", "skorch", "lightning"),
        "",
    ]
    for threads, title in (("default", "Threads as each library takes them"), ("1", "One thread each")):
        own = figures["handrail", threads]["seconds"]
        lines += [
            f"## {title}",
            "",
            "| | seconds | times handrail | peak memory (MB) | validation accuracy |",
            "|---|---|---|---|---|",
        ]
        for name in CONTENDERS:
            run = figures[name, threads]
            lines.append(
                f"| {name} | {run['seconds']:.2f} | {run['seconds'] / own:.1f} | {run['memory']:.0f} | "
                f"{run['accuracy']:.4f} |"
            )
        lines.append("")
    return "\n".join([*lines, *_share(figures[PRODUCTS, "1"], figures["handrail", "1"]["seconds"])])


def _share(products: Found, own: float) -> list[str]:
    """What of handrail's time the arithmetic takes."""
    usual, quick = products["usual"], products["quick"]
    return [
        "## What the arithmetic takes",
        "",
        "The matrix products of the same training and nothing else, one thread, rows in the cache: "
        f"{usual:.2f} s by torch's usual library, {quick:.2f} s as handrail has them done; "
        f"that is {usual / own:.0%} and {quick / own:.0%} of the {own:.2f} s that handrail takes in all.",
        "",
    ]


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--one", choices=[*CONTENDERS, PRODUCTS])
    parser.add_argument("--arrays", type=Path)
    asked = parser.parse_args()
    if asked.one:
        run_one(asked.one, asked.arrays)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adult.npz"
        np.savez(path, allow_pickle=False, **encoded(asked.data / "adult-census" / "adult-train.csv"))
        text = as_table(measure(path, asked.repeats), asked.repeats)
    write_result("tables.md", text)
    print(text)


if __name__ == "__main__":
    main()
