"""Series as people have them: alone, in any order, with gaps, several in one table."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from case_rows import Cli, metric, rows

import handrail

FORECAST = "data.task=forecast"


@rows("series/random_walk_season.csv")
def test_a_random_walk_has_no_season(path: Path, cli: Cli) -> None:
    summary, printed = cli.fit(path, "rate", FORECAST, "data.forecast.horizon=6")
    assert metric(summary, "mae", "last value") == pytest.approx(0.0050, abs=0.00005)
    assert not any("season" in baseline for baseline in summary["baselines"])
    assert "no season" in printed
    assert "is clearly better" not in printed


@rows("series/random_walk.csv", "series/only_target.csv")
def test_a_series_alone(name: str, path: Path, cli: Cli) -> None:
    target = "rate" if "walk" in name else "load"
    checked = cli.check(path, target, FORECAST)
    assert checked.json["task"]["horizon"] == 24
    checked.said(path.name, "dates", "order")
    summary, printed = cli.fit(path, target, FORECAST, "training.epochs=1")
    assert "last value" in summary["baselines"]
    assert "no column of dates" in printed
    assert ("no season" in printed) == ("walk" in name)


@pytest.mark.parametrize("form", ["series", "frame"])
def test_a_series_with_dates_as_index(form: str, shared_cases: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    table = pandas.read_csv(shared_cases / "series" / "holes.csv", parse_dates=["time"])
    data = table.set_index("time")["load" if form == "series" else ["load"]]
    found = handrail.check(data, "load", changes={"data.task": "forecast"})
    assert found.data.task.season == 24
    assert any("108 of 960" in str(finding) for finding in found.findings)


@rows("series/two_unequal.csv", "series/long.csv")
def test_several_series_in_one_table_wait(path: Path, cli: Cli) -> None:
    cli.check(path, "sales", FORECAST).refused("'store'", "north", "south", "data.forecast.series")
    series = "data.forecast.series=store"
    cli.check(path, "sales", FORECAST, series).refused("data.forecast.series", "yet")


@rows("series/mname.csv", "series/ym.csv", "series/newest_first.csv")
def test_months_are_read_and_put_in_order(name: str, path: Path, cli: Cli) -> None:
    settings = (FORECAST, "data.forecast.horizon=6", "training.epochs=1")
    summary, printed = cli.fit(path, "y", *settings)
    assert "in the order of 'month'" in printed
    assert summary["task"]["season"] == 12
    if "ym" not in name:
        twin, _ = cli.fit(path.with_name("ym.csv"), "y", *settings, out="twin")
        assert summary["metrics"] == twin["metrics"]
        assert summary["baselines"] == twin["baselines"]
    assert cli.run("predict", "run", path, "-o", "answers.csv").code == 0
    answers = pl.read_csv(cli.folder / "answers.csv", infer_schema=False)
    assert answers["date"].to_list()[0].startswith("2020-01")


@rows("series/investing.csv")
def test_days_newest_first(path: Path, cli: Cli) -> None:
    _, printed = cli.fit(path, "Price", FORECAST, "training.epochs=1")
    assert "in the order of 'Date'" in printed
    assert cli.run("predict", "run", path, "-o", "answers.csv").code == 0
    answers = pl.read_csv(cli.folder / "answers.csv", infer_schema=False)
    assert answers["date"].to_list()[0].startswith("2022-01-02")


@rows("series/holes.csv")
def test_missing_steps(path: Path, cli: Cli) -> None:
    checked = cli.check(path, "load", FORECAST)
    assert checked.json["task"]["season"] == 24
    checked.said("'time'", "108 of 960 hours are missing", "data.forecast.gaps=")
    _, printed = cli.fit(path, "load", FORECAST, "training.epochs=1")
    assert "season of 24" in printed
    assert "108 of 960 hours are missing" in printed


@rows("series/irregular.csv")
def test_uneven_steps(path: Path, cli: Cli) -> None:
    cli.check(path, "v", FORECAST).said("'time'", "not evenly spaced", "second", "hours")


@rows("series/trailing_empty.csv")
def test_empty_rows_at_the_end(path: Path, cli: Cli, shared_cases: Path) -> None:
    cli.check(path, "load", FORECAST).said("last 6 rows", "'load'", "2024-02-09 23:00")
    _, printed = cli.fit(path, "load", FORECAST)
    assert "last 6 rows" in printed
    answers = []
    for source in (path, shared_cases / "series" / "holes.csv"):
        assert cli.run("predict", "run", source, "-o", "answers.csv", "--overwrite").code == 0
        answers.append(pl.read_csv(cli.folder / "answers.csv"))
    assert answers[0].equals(answers[1])
    assert answers[0]["date"][0].startswith("2024-02-10T00:00")
    # The README's figures are those of rows as they stand; missing hours are put in otherwise.
    cli.fit(path, "load", "data.task=forecast", "data.forecast.horizon=6", "data.forecast.gaps=keep")
    assert cli.run("predict", "run", path, "-o", "answers.csv", "--overwrite").code == 0
    kept = pl.read_csv(cli.folder / "answers.csv")["prediction"]
    assert kept[:2].to_list() == pytest.approx([46.14, 51.08], abs=0.3)


@rows("series/known.csv")
def test_what_is_known_of_the_future_waits(path: Path, cli: Cli) -> None:
    known = "data.forecast.known=[holiday]"
    cli.check(path, "y", FORECAST, known).refused("data.forecast.known", "yet", "holiday")
    cli.check(path, "y", FORECAST)
