"""What is written by handrail, dates among it, can be read back by the run that it came from."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from handrail import fit
from handrail.data.columns.values import as_seconds
from handrail.errors import DataError


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%m/%d/%y", "%d %b %Y"])
def test_dates_of_any_notation_are_read_back_as_they_are_written(tmp_path: Path, written: str) -> None:
    rng = np.random.default_rng(0)
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 900, 60)]
    frame = pl.DataFrame({"when": [f"{day:{written}}" for day in days], "a": rng.normal(size=60)})
    changes = {"data.task": "reconstruction", "training.epochs": 2, "evaluation.resamples": 100}
    run = fit(frame, changes=changes, out=tmp_path / "run")
    given = run.use("reconstruct", frame).frame
    given.write_csv(tmp_path / "given.csv")
    assert len(run.use("reconstruct", tmp_path / "given.csv").frame) == 60
    again = run.predict(tmp_path / "given.csv").frame
    assert again.equals(run.predict(given).frame)
    wrong = frame.with_columns(pl.lit("20th of May").alias("when"))
    with pytest.raises(DataError, match="expected a date as in training"):
        run.predict(wrong)


def test_dates_by_iso_8601_are_read_where_dates_have_a_year() -> None:
    texts = pl.Series(["03.05.2021", "2021-05-03", "2021-05-03T00:00:00", "x"])
    seconds = datetime.datetime(2021, 5, 3, tzinfo=datetime.UTC).timestamp()
    assert as_seconds(texts, "%d.%m.%Y").to_list() == [seconds, seconds, seconds, None]
    times = pl.Series(["10:30", "2021-05-03"])
    assert as_seconds(times, "%H:%M").to_list()[1] is None
