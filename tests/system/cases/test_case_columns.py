"""Tables whose columns are not what they look like: dates, markers, identifiers, leaks, few rows."""

import re
from pathlib import Path

import polars as pl
import pytest
from case_rows import Cli, metric, rows

import handrail


def dates_of(path: Path, target: str, column: str, **settings: object) -> pl.Series:
    """A column of dates by row, in seconds since 1970: what the network is given."""
    changes = {f"data.dates.{name}": value for name, value in settings.items()}
    data = handrail.check(path, target, changes=changes).data
    parts = [(part.rows, part.features[column]) for part in (data.train, data.validation)]
    frames = [pl.DataFrame({"row": at, "seconds": seconds}) for at, seconds in parts]
    return pl.concat(frames).sort("row")["seconds"]


@rows("tables/mixed_dates.csv", "tables/named_dates.csv")
def test_dates_in_several_formats(name: str, path: Path, cli: Cli) -> None:
    checked = cli.check(path, "result")
    assert checked.kinds["when"] == "datetime"
    seconds = dates_of(path, "result", "when")
    assert seconds.null_count() == 0
    assert seconds.equals(dates_of(path.with_name("named_dates.csv"), "result", "when"))
    days = pl.from_epoch(seconds.cast(pl.Int64), time_unit="s").dt.strftime("%Y-%m-%d").to_list()
    assert {"2023-02-19", "2023-05-27", "2022-05-11"} <= set(days)
    _, printed = cli.fit(path, "result", "training.epochs=1")
    if "mixed" in name:
        checked.said("'when'", "formats", "data.dates.formats.when")
        assert "'when'" in printed


@rows("tables/slash2.csv")
def test_day_or_month_first(path: Path, cli: Cli) -> None:
    checked = cli.check(path, "value")
    assert checked.kinds["when"] == "datetime"
    checked.said("'when'", "data.dates.order=", "data.dates.formats.when=")
    _, printed = cli.fit(path, "value", "training.epochs=1")
    assert "data.dates.order=" in printed
    by_day, by_month = (dates_of(path, "value", "when", order=order) for order in ("dmy", "mdy"))
    assert not by_day.equals(by_month)
    assert by_day.equals(dates_of(path, "value", "when", formats={"when": "%d/%m/%Y"}))
    for order in ("dmy", "mdy"):
        cli.check(path, "value", f"data.dates.order={order}").said_nothing_of("'when'", "data.dates.order=")


@rows("tables/impossible_date.csv", "tables/impossible_date_mended.csv")
def test_a_date_that_does_not_exist(name: str, path: Path, cli: Cli) -> None:
    checked = cli.check(path, "count")
    assert checked.kinds["day"] == "datetime"
    lines = path.read_text().splitlines()
    bad = [at for at, line in enumerate(lines, start=1) if line.startswith("2021-02-29")]
    summary, printed = cli.fit(path, "count", "training.epochs=1")
    assert {column["kind"] for column in summary["columns"] if column["name"] == "day"} == {"datetime"}
    assert len(bad) == ("mended" not in name)
    for line in bad:
        checked.said("'day'", "2021-02-29", f"line {line} ")
        assert f"line {line} " in printed


@rows("tables/sentinel_nines.csv")
def test_nines_that_stand_for_missing(path: Path, cli: Cli) -> None:
    checked = cli.check(path, "y")
    sentence = checked.said("'income'", "99999999", "data.read.missing=")
    assert "1e+08" not in checked.out
    setting = re.search(r"data\.read\.missing=\[[^]]*]", sentence)
    assert setting
    after = cli.check(path, "y", setting[0])
    after.said_nothing_of("'income' (99999999")
    income = cli.read(path, "missing=[99999999]")["income"]
    assert income.null_count() == path.read_text().count("99999999")
    assert max(float(value) for value in income.drop_nulls().to_list()) < 1e6
    _, printed = cli.fit(path, "y", "training.epochs=1")
    assert "99999999" in printed


@rows("tables/hidden_zero.csv")
def test_zeros_far_from_all_other_values(path: Path, cli: Cli) -> None:
    sentence = cli.check(path, "y").said("'bmi'", "ero", "missing")
    assert "'age'" not in sentence
    setting = re.search(r"data\.[\w.]*missing[\w.]*=\[[^]]*]", sentence)
    assert setting
    cli.check(path, "y", setting[0]).said_nothing_of("'bmi'", "zeros where")


@rows("tables/random_id_named_nr.csv", "tables/random_id_no_header.csv")
def test_identifiers_without_a_telling_name(name: str, path: Path, cli: Cli) -> None:
    target, column = ("kind", "nr") if "named" in name else (2, "column_1")
    sentence = cli.check(path, target).said("looks like an identifier", f"data.drop=[{column}]")
    assert "radius" not in sentence
    after = cli.check(path, target, f"data.drop=[{column}]")
    assert column not in after.kinds
    after.said_nothing_of("looks like an identifier")


@rows("tables/sum_leak.csv")
def test_a_sum_of_columns_gives_the_target_away(path: Path, cli: Cli) -> None:
    sentence = cli.check(path, "total").said("'total'", "'casual'", "'registered'", "data.drop=")
    assert "'temp'" not in sentence
    _, printed = cli.fit(path, "total", "training.epochs=1")
    assert "'registered'" in printed


@rows("tables/missingness_leak.csv")
def test_a_gap_gives_the_target_away(path: Path, cli: Cli) -> None:
    checked = cli.check(path, "y")
    checked.said("'event_date'", "whether the value is missing", "target", "data.drop=[event_date]")
    _, printed = cli.fit(path, "y", "training.epochs=1")
    assert "whether the value is missing" in printed


@rows("tables/time_ordered.csv")
def test_rows_in_the_order_of_time(path: Path, cli: Cli) -> None:
    sentence = cli.check(path, "level").said("'date'", "order of time", "data.split.method=time")
    assert "data.split.column=date" in sentence
    by_time = ("data.split.method=time", "data.split.column=date")
    cli.check(path, "level", *by_time).said_nothing_of("order of time")
    _, printed = cli.fit(path, "level", "training.epochs=1")
    assert "data.split.method=time" in printed


@rows("tables/perfect_small.csv")
def test_twelve_of_twelve_is_not_certainty(path: Path, cli: Cli) -> None:
    summary, printed = cli.fit(path, "y")
    accuracy = summary["metrics"]["accuracy"]
    assert (summary["rows"]["validation"], accuracy["value"]) == (12, 1.0)
    assert (round(accuracy["low"], 2), round(accuracy["high"], 2)) == (0.76, 1.0)
    assert re.search(r"accuracy +1\S* \(0\.7\d* to 1\S*\)", printed)


@rows("tables/imbalanced_linear.csv")
def test_one_way_to_choose_a_threshold_for_all(path: Path, cli: Cli) -> None:
    """A linear network and the linear baseline are the same model: no threshold makes one win."""
    summary, printed = cli.fit(path, "y", "model=linear")
    ours, theirs = metric(summary, "f1"), metric(summary, "f1", "linear")
    assert ours == pytest.approx(theirs, abs=0.15)
    assert min(ours, theirs) > 0.4
    assert f"Decided: 'yes' where its probability is above {summary['decisions']['threshold']:.3g}" in printed
