"""Copied rows behind a running number, and leaks that no single column gives away exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handrail.data.prepare import prepare, reopen
from handrail.errors import DataError
from handrail.recipe.sections import DataRecipe


def findings(frame: pl.DataFrame | Path, target: str, **settings: Any) -> dict[str, str]:
    """What `prepare` says, by the name of the finding."""
    data = prepare(DataRecipe.model_validate({"source": frame, "target": target, **settings}))
    return {finding.name: finding.seen for finding in data.findings}


def copied_rows() -> pl.DataFrame:
    """60 rows with random labels, each six times, in random order."""
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=60).round(3), "b": rng.normal(size=60).round(3)}
    frame = pl.DataFrame({**columns, "y": rng.choice(["p", "q"], size=60)})
    return pl.concat([frame] * 6).sample(fraction=1, shuffle=True, seed=1)


NUMBERS: dict[str, Callable[[int], list[Any]]] = {
    "counting up": lambda rows: list(range(rows)),
    "in any order": lambda rows: np.random.default_rng(3).permutation(rows).tolist(),
    "as decimals": lambda rows: [float(row) for row in range(rows)],
    "codes": lambda rows: [f"r{row * 7919 % 100_003:05d}" for row in range(rows)],
    "with zeros": lambda rows: [f"{row:06d}" for row in range(rows)],
}


@pytest.mark.parametrize("how", NUMBERS)
def test_a_name_of_each_row_does_not_hide_copies(how: str) -> None:
    frame = copied_rows()
    frame = frame.with_columns(pl.Series("nr", NUMBERS[how](len(frame)), strict=False))
    assert "54 of 54 validation rows" in findings(frame, "y")["duplicates"]
    assert "'nr'" in findings(frame, "y")["duplicates"]
    with pytest.raises(DataError, match="leaves no validation rows: all 54 repeat"):
        findings(frame, "y", duplicates="drop")


def test_copies_of_some_rows_are_dropped_whatever_their_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"a": rng.normal(size=400), "y": rng.normal(size=400)})
    frame = pl.concat([frame, frame[:100]]).sample(fraction=1, shuffle=True, seed=2).with_row_index("nr")
    for stream in (False, True):
        frame.write_parquet(tmp_path / "t.parquet")
        recipe = DataRecipe.model_validate(
            {"source": str(tmp_path / "t.parquet"), "target": "y", "duplicates": "drop", "stream": stream}
        )
        data = prepare(recipe)
        rows = [*data.train.rows, *data.validation.rows]
        kept = frame[[int(row) for row in rows]]
        assert not set(kept[: len(data.train)]["a"]) & set(kept[len(data.train) :]["a"])
        assert len(data.train) + len(data.validation) + data.sealed.rows < 500
        assert not [finding for finding in data.findings if finding.name == "duplicates"]


def test_a_column_that_is_dropped_tells_no_rows_apart() -> None:
    frame = copied_rows().with_columns(noise=pl.Series(np.random.default_rng(5).normal(size=360)))
    assert "duplicates" not in findings(frame, "y")
    assert "54 of 54 validation rows" in findings(frame, "y", drop=["noise"])["duplicates"]


def test_prices_and_short_texts_still_tell_rows_apart() -> None:
    rng = np.random.default_rng(6)
    price = rng.choice(10**6, size=300, replace=False)
    frame = pl.DataFrame({"price": price, "sex": rng.choice(["f", "m"], size=300), "y": rng.random(300)})
    assert "duplicates" not in findings(frame.with_columns(y=pl.col("y").round(1)), "y")


def test_classes_of_test_rows_alone_are_told_before_the_seal_is_opened() -> None:
    frame = pl.DataFrame({"x": np.arange(100.0) % 7, "y": ["a", "b"] * 42 + ["a"] + ["c"] * 15})
    recipe = DataRecipe.model_validate({"source": frame, "target": "y", "split": {"method": "order"}})
    data = prepare(recipe)
    with pytest.raises(DataError, match="test rows are of classes that training did not have"):
        reopen(recipe, data.schema, data.task, expected=data.fingerprint)


def test_a_sum_of_columns(shared_cases: Path) -> None:
    seen = findings(shared_cases / "tables" / "sum_leak.csv", "total")["sum"]
    assert "'registered' + 'casual'" in seen


@pytest.mark.parametrize("noise", [0.0, 0.004, 1.0])
def test_only_exact_sums_are_sums(noise: float) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 5)) * 100
    y = 2 * x[:, 0] - x[:, 3] + 40 + rng.uniform(-noise, noise, size=300)
    frame = pl.DataFrame({**{f"x{i}": x[:, i] for i in range(5)}, "y": y})
    seen = findings(frame, "y")
    if noise == 1.0:
        assert "sum" not in seen
    else:
        assert "2 · 'x0' - 'x3'," in seen["sum"]


def test_gaps_that_tell_the_target(shared_cases: Path) -> None:
    assert "'event_date'" in findings(shared_cases / "tables" / "missingness_leak.csv", "y")["telling-gaps"]


def test_gaps_that_tell_numbers_and_gaps_that_tell_nothing() -> None:
    rng = np.random.default_rng(8)
    y = np.where(rng.random(400) < 0.5, 10.0, 20.0) + rng.normal(size=400) * 0.01
    left = pl.Series([None if value > 15 else float(number) for number, value in enumerate(y)])
    at_random = pl.Series([None if rng.random() < 0.4 else rng.normal() for _ in y])
    frame = pl.DataFrame({"left": left * 0 + rng.normal(size=400), "other": at_random, "y": y})
    seen = findings(frame, "y").get("telling-gaps", "")
    assert "'other'" not in seen
    classes = frame.with_columns(y=pl.when(pl.col("y") > 15).then(pl.lit("high")).otherwise(pl.lit("low")))
    assert "'left'" in findings(classes, "y")["telling-gaps"]


@pytest.mark.parametrize(("wrong", "said"), [(0.03, True), (0.2, False)])
def test_a_flag_that_is_right_nearly_always(wrong: float, said: bool) -> None:
    rng = np.random.default_rng(9)
    y = rng.choice(["no", "yes"], size=1000)
    flag = np.where(rng.random(1000) < wrong, np.where(y == "no", "yes", "no"), y)
    frame = pl.DataFrame({"flag": flag, "x": rng.normal(size=1000), "y": y})
    assert ("'flag'" in findings(frame, "y").get("giveaway", "")) is said


def test_what_a_column_of_pictures_is_does_not_hang_on_one_row(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image").new("L", (4, 4)).save(tmp_path / "a.png")
    paths = ["a.png"] * 59 + ["none.txt"]
    pl.DataFrame({"picture": paths, "y": [0, 1] * 30}).write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"line 61: there is no picture none\.txt"):
        findings(tmp_path / "t.csv", "y")
