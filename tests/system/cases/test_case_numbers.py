"""Tables whose numbers, lines and names are written as people write them."""

from pathlib import Path

import pytest
from case_rows import Cli, metric, rows

THREE = ["temperature", "humidity", "yield"]


@rows("tables/features2.csv", "tables/features2_numbers.csv")
def test_thousands_among_the_features(name: str, path: Path, cli: Cli, shared_cases: Path) -> None:
    plain = cli.numbers(shared_cases / "tables" / "features2_numbers.csv")
    assert plain["area"][:2] == [4469, 4801]
    assert cli.numbers(path) == plain
    if "numbers" in name:
        return
    cli.check(path, "price").said("'4,469' is 4469", "data.read.")
    summary, printed = cli.fit(path, "price")
    assert metric(summary, "r2") == pytest.approx(0.996, abs=0.002)
    assert "'4,469' is 4469" in printed


@rows("tables/houses.csv", "tables/houses_space.csv")
def test_thousands_in_all_columns(path: Path, cli: Cli, shared_cases: Path) -> None:
    plain = cli.numbers(shared_cases / "tables" / "features2_numbers.csv")
    assert cli.numbers(path) == {column: plain[column] for column in ("area", "income", "price")}
    checked = cli.check(path, "price")
    assert checked.json["task"]["name"] == "regression"
    assert checked.kinds == {"area": "numeric", "income": "numeric"}
    checked.said("4469", "data.read.")


@rows("tables/orders2.csv", "tables/orders2_numbers.csv")
def test_percent_and_money(name: str, path: Path, cli: Cli, shared_cases: Path) -> None:
    table = cli.read(path)
    plain = cli.read(shared_cases / "tables" / "orders2_numbers.csv")
    assert table["churned"].equals(plain["churned"])
    values = {column: table[column].cast(float).to_list() for column in ("discount", "cost", "profit", "n")}
    assert values == {column: plain[column].cast(float).to_list() for column in values}
    assert (values["discount"][0], values["cost"][0]) == (16.0, 1403.06)
    assert -56.51 in values["profit"]
    if "numbers" in name:
        return
    summary, printed = cli.fit(path, "churned")
    assert metric(summary, "accuracy") == pytest.approx(0.778, abs=0.001)
    assert "'16.0%' is 16.0" in printed


@rows("tables/orders_target.csv")
@pytest.mark.parametrize("target", ["cost", "discount"])
def test_money_as_the_target(path: Path, target: str, cli: Cli) -> None:
    summary, _ = cli.fit(path, target, "training.epochs=2")
    assert summary["task"]["name"] == "regression"
    assert cli.numbers(path)["discount"][0] == 16.0


@rows("tables/german_int.csv", "tables/us_semicolon.csv")
def test_a_point_or_a_comma_between_thousands(name: str, path: Path, cli: Cli) -> None:
    numbers = cli.numbers(path)
    whole = numbers["Menge" if "german" in name else "qty"]
    assert whole[0] == 76586
    assert all(value is not None and value == int(value) for value in whole)
    if "german" in name:
        assert {943, 76586} <= set(whole)
        assert numbers["Preis"][0] == 10940.86


@rows("tables/title.csv")
@pytest.mark.parametrize("option", ["skip=2", "header=3"])
def test_a_title_above_the_table(path: Path, option: str, cli: Cli) -> None:
    cli.check(path, "yield").refused("title.csv", "Monthly export of station 7", "--read skip=2")
    table = cli.read(path, option)
    assert (table.columns, table.height) == (THREE, 300)
    checked = cli.check(path, "yield", read=(option,))
    assert checked.kinds == {"temperature": "numeric", "humidity": "numeric"}


@rows("tables/comment.csv")
@pytest.mark.parametrize("option", ["comment=#", "skip=2", "header=3"])
def test_comments_above_the_table(path: Path, option: str, cli: Cli) -> None:
    cli.check(path, "yield").refused("comment.csv", "--read comment=#")
    table = cli.read(path, option)
    assert (table.columns, table.height) == (THREE, 300)


@rows("tables/units.csv", "tables/repeated_header.csv")
def test_rows_that_are_no_data(name: str, path: Path, cli: Cli) -> None:
    first = "°C" if "units" in name else "temperature"
    lines = path.read_text().splitlines()
    line = next(at for at, text in enumerate(lines, start=1) if text.startswith(first) and at > 1)
    checked = cli.check(path, "yield")
    checked.said(f"line {line} ", "data.read.rows: all")
    assert checked.json["task"]["name"] == "regression"
    assert set(checked.kinds.values()) == {"numeric"}
    table = cli.read(path)
    assert (table.columns, table.height) == (THREE, 300)
    assert cli.read(path, "rows=all").height == 301
    _, printed = cli.fit(path, "yield", "training.epochs=1")
    assert f"line {line} " in printed


@rows("tables/total2.csv")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_row_of_totals(path: Path, seed: int, cli: Cli) -> None:
    cli.check(path, "yield").said("line 302", "'Total'", "data.read.rows: all")
    assert cli.read(path).height == 300
    assert cli.read(path, "rows=all").height == 301
    summary, printed = cli.fit(path, "yield", f"data.split.seed={seed}")
    assert metric(summary, "r2") > 0.95
    assert "line 302" in printed


@rows("tables/duplicate_header.csv")
def test_names_that_stand_twice(path: Path, cli: Cli) -> None:
    assert cli.read(path).columns == ["age", "score", "priors", "score.1"]
    checked = cli.check(path, "score")
    checked.said("'score'", "'score.1'", "twice")
    checked.said("Equal in all rows", "'score.1'", "data.drop=[score.1]")
    summary, printed = cli.fit(path, "score", "data.drop=[score.1]", "training.epochs=1")
    assert [column["name"] for column in summary["columns"]] == ["age", "priors"]
    assert "'score.1'" in printed


@rows("tables/single_quotes.csv")
def test_single_quotes(path: Path, cli: Cli) -> None:
    table = cli.read(path)
    assert {str(value) for value in table["column_3"].to_list()} == {"-1", "1"}
    checked = cli.check(path, 3)
    assert checked.json["task"]["classes"] == ["-1", "1"]
    checked.said("quotes", "taken off", "data.read.quote")
