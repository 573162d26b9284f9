"""Messages name arguments and commands as whoever reads them gives them."""

from pathlib import Path

import polars as pl
import pytest

import handrail
from handrail.data.writers import convert
from handrail.errors import DataError, HandrailError
from handrail.tools.interface import argument, argument_name, call, command_line, setting_form


def test_both_ways_of_saying_it() -> None:
    said = [
        argument("allow_pickle"),
        argument("target", "the price"),
        argument_name("skip_bad"),
        call("resume", Path("runs/a b")),
        call("tune --resume", "s", function="resume_search"),
        setting_form(),
    ]
    assert said == [
        "allow_pickle=True",
        "target='the price'",
        "skip_bad",
        "handrail.resume('runs/a b')",
        "handrail.resume_search('s')",
        'changes={"NAME": VALUE}',
    ]
    with command_line():
        assert argument("allow_pickle") == "--allow-pickle"
        assert argument("target", "the price") == "--target 'the price'"
        assert argument_name("skip_bad") == "--skip-bad"
        assert call("resume", Path("runs/a b")) == "handrail resume 'runs/a b'"
        assert call("tune --resume", "s", function="resume_search") == "handrail tune --resume s"
        assert setting_form() == "-s NAME=VALUE"
    assert argument("allow_pickle") == "allow_pickle=True"


def test_python_is_told_of_its_own_arguments(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": range(40), "b": [0, 1] * 20})
    unnamed = r"columns a, b; name it with target='COLUMN' \(data\.target\)"
    with pytest.raises(DataError, match=unnamed) as one:
        handrail.fit(frame, out=tmp_path / "run")
    frame.write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"already exists.*overwrite=True") as two:
        convert(frame, tmp_path / "t.csv")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("{}")
    taken = r"\(out\), replace it \(overwrite=True\), .*handrail\.resume"
    with pytest.raises(HandrailError, match=taken) as three:
        handrail.fit(frame, "b", out=tmp_path / "run")
    assert not any("--" in str(error.value) for error in (one, two, three))
