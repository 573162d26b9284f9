"""Rows that are streamed from files: what is read at once, where encoded rows lie, and in what order they are
trained on.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data.balance import block_order, by_blocks, epoch_order
from handrail.data.rows import cut, row_bytes, take
from handrail.data.streaming import parquet
from handrail.data.streaming.parquet import ParquetRows
from handrail.data.streaming.part import scatter
from handrail.data.streaming.row_file import BLOCK_BYTES, RowFile, Streamed
from handrail.data.streaming.scan import slim_columns
from handrail.errors import DataError
from handrail.recipe.reading import ReadOptions


def streamed(values: torch.Tensor, folder: Path, *, block: int = 16, held: int = 3) -> Streamed:
    """Rows in a file, in blocks of so many."""
    file = RowFile(len(values), values, folder=folder)
    file.write(np.arange(len(values)), values)
    streamed = Streamed(file)
    streamed.block, streamed.held = block, held
    return streamed


def files(folder: Path, *frames: pl.DataFrame, row_group_size: int | None = None) -> list[Path]:
    """The frames as Parquet files."""
    paths = [folder / f"part-{number}.parquet" for number in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        frame.write_parquet(path, row_group_size=row_group_size)
    return paths


def read(paths: list[Path], **options: object) -> ParquetRows:
    return ParquetRows(paths, "files", ReadOptions.model_validate(options))


@given(
    places=st.lists(st.integers(0, 99), min_size=1, max_size=300),
    block=st.integers(1, 40),
    held=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_taken_rows_are_those_at_their_places(places: list[int], block: int, held: int) -> None:
    values = torch.arange(300, dtype=torch.float32).reshape(100, 3)
    rows = streamed(values, Path("/tmp"), block=block, held=held)
    asked = torch.tensor(places)
    for some in asked.split(50):  # what is in memory from before does no harm
        assert torch.equal(take(rows, some), values[some])  # pyright: ignore[reportArgumentType]


def test_neighbours_are_cut(tmp_path: Path) -> None:
    values = torch.randn(50, 4)
    rows = streamed(values, tmp_path)
    assert torch.equal(cut(rows, 7, 33), values[7:33])  # pyright: ignore[reportArgumentType]
    assert torch.equal(cut(rows, 45, 99), values[45:])  # pyright: ignore[reportArgumentType]
    assert cut(rows, 50, 60).shape == (0, 4)  # pyright: ignore[reportAttributeAccessIssue]
    assert row_bytes(rows) == 16
    assert not list(tmp_path.iterdir())


def test_rows_are_written_wherever_they_belong(tmp_path: Path) -> None:
    values = torch.randn(200, 5)
    order = np.random.default_rng(0).permutation(200)
    file = RowFile(200, values, folder=tmp_path)
    for some in np.array_split(order, 7):
        file.write(some.astype(np.uint32), values[torch.from_numpy(some)])
    assert torch.equal(Streamed(file).cut(0, 200), values)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000])
def test_an_epoch_has_every_row_once_in_an_order_of_its_own(size: int, tmp_path: Path) -> None:
    order = block_order(streamed(torch.zeros(size, 1), tmp_path))
    first, again, second = (order(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.sort().values, torch.arange(size))
    assert torch.equal(first, again)
    assert size == 1 or not torch.equal(first, second)


def test_an_epoch_reads_each_block_once(tmp_path: Path) -> None:
    rows = streamed(torch.arange(1000.0).reshape(1000, 1), tmp_path, block=10, held=4)
    reads: list[int] = []
    read_from_file = rows.file.read

    def counted(start: int, into: torch.Tensor) -> None:
        reads.append(start // 10)
        read_from_file(start, into)

    rows.file.read = counted  # pyright: ignore[reportAttributeAccessIssue]
    for some in block_order(rows)(torch.Generator().manual_seed(0)).split(33):
        take(rows, some)
    assert sorted(reads) == list(range(100))


def test_neighbours_in_an_epoch_come_from_all_over_the_table(tmp_path: Path) -> None:
    """Rows of a sorted table are scattered when they are written, and blocks are mixed in each epoch."""
    size = 200_000
    written = scatter(np.arange(size), seed=0)
    assert np.array_equal(np.sort(written), np.arange(size))
    order = block_order(streamed(torch.zeros(size, 1), tmp_path, block=8000, held=16))(
        torch.Generator().manual_seed(0)
    )
    batch = written[order[:1024].numpy()]
    assert batch.min() < size * 0.02
    assert batch.max() > size * 0.98
    assert abs(batch.mean() / size - 0.5) < 0.03


def test_balanced_epochs_keep_blocks_together(tmp_path: Path) -> None:
    codes = torch.tensor([0] * 900 + [1] * 100)
    rows = streamed(torch.zeros(1000, 1), tmp_path, block=10, held=5)
    order = epoch_order(codes, "oversample", rows)(torch.Generator().manual_seed(0))
    assert torch.bincount(codes[order]).tolist() == [900, 900]
    blocks = (order // 10)[:90]
    assert len(blocks.unique()) <= 5
    mixed = by_blocks(torch.arange(1000), rows, torch.Generator().manual_seed(0))
    assert torch.equal(mixed.sort().values, torch.arange(1000))


def test_blocks_are_never_larger_than_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"a": np.arange(1000), "b": [f"w{i % 7}" for i in range(1000)]})
    monkeypatch.setattr(parquet, "BLOCK", 128)
    source = read(files(tmp_path, frame[:600], frame[600:], row_group_size=500))
    blocks = list(source.blocks())
    assert max(len(block) for _, block in blocks) <= 128
    ends = np.cumsum([len(block) for _, block in blocks]).tolist()
    assert [start for start, _ in blocks] == [0, *ends[:-1]]
    assert pl.concat([block for _, block in blocks]).equals(frame)
    assert next(block.columns for _, block in source.blocks(["b"])) == ["b"]


def test_single_rows_are_fetched(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": np.arange(1000), "b": [f"w{i}" for i in range(1000)]})
    source = read(files(tmp_path, frame[:600], frame[600:], row_group_size=100))
    places = np.array([999, 0, 599, 600, 250])
    assert source.fetch(places).equals(frame[places])
    assert source.row_name(600) == "row 1 of part-1.parquet"


def test_types_agree_over_files(tmp_path: Path) -> None:
    first = pl.DataFrame(
        {
            "a": pl.Series([1, 2], dtype=pl.Int32),
            "b": pl.Series([None, None], dtype=pl.Null),
            "c": ["x", " y "],
        }
    )
    second = pl.DataFrame({"c": ["?", "z"], "b": [1.5, 2.5], "a": [0.5, 1.5]})
    rows = pl.concat([block for _, block in read(files(tmp_path, first, second)).blocks()])
    assert rows.schema == {"a": pl.Float64, "b": pl.Float64, "c": pl.String}
    assert rows["c"].to_list() == ["x", "y", None, "z"]
    assert rows["b"].to_list() == [None, None, 1.5, 2.5]


def test_names_of_the_user_replace_those_of_the_file(tmp_path: Path) -> None:
    source = read(files(tmp_path, pl.DataFrame({"a": [1, 2], "b": [3, 4]})), names=["x", "y"])
    assert source.columns == ["x", "y"]
    assert [block.to_dict(as_series=False) for _, block in source.blocks(["y"])] == [{"y": [3, 4]}]


def test_nested_columns_may_be_dropped(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2], "tags": [["x"], []], "b": [0.5, 1.5]})
    paths = files(tmp_path, frame)
    with pytest.raises(DataError, match=r"'tags' holds nested values.*data\.drop=\[tags\]"):
        read(paths)
    rows = ParquetRows(paths, "t", ReadOptions(), ["tags"])
    assert rows.columns == ["a", "tags", "b"]
    assert next(rows.blocks())[1].rows() == [(1, None, 0.5), (2, None, 1.5)]
    assert next(rows.blocks(["b"]))[1]["b"].to_list() == [0.5, 1.5]


def test_files_that_differ_are_told_at_once(tmp_path: Path) -> None:
    frames = (
        pl.DataFrame({"a": [1], "b": [2]}),
        pl.DataFrame({"a": [1], "c": [2]}),
        pl.DataFrame({"a": ["x"], "b": [2]}),
    )
    with pytest.raises(DataError) as error:
        read(files(tmp_path, *frames))
    assert "part-1.parquet has other columns" in str(error.value)
    assert "it lacks 'b' and has besides 'c'" in str(error.value)
    assert "part-2.parquet: column 'a' holds String, and Int64 in the files before it" in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", None, "b", "c"],
        [3, 1, None, 3, 2],
        [300, 1, None, 3, 2],
        [0.5, None, 1.5, 0.5, 2.0],
        [True, False, None, True, True],
    ],
)
def test_slim_columns_hold_what_was_there(
    values: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BLOCK", 2)
    source = read(files(tmp_path, pl.DataFrame({"t": values, "x": range(5)})))
    assert slim_columns(source, ["t"])["t"].to_list() == values
    assert slim_columns(source, ["t"], as_text=["t"])["t"].to_list() == values


def test_many_words_stay_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.data.streaming.scan._MOST_CODES", 3)
    monkeypatch.setattr(parquet, "BLOCK", 2)
    words = ["a", "b", None, "c", "d", "a", "e"]
    column = slim_columns(read(files(tmp_path, pl.DataFrame({"t": words}))), ["t"])["t"]
    assert column.dtype == pl.String
    assert column.to_list() == words


def test_blocks_have_a_size_that_suits_the_rows(tmp_path: Path) -> None:
    def block(width: int) -> int:
        return Streamed(RowFile(10, torch.zeros(10, width), folder=tmp_path)).block

    assert [block(1), block(256), block(1_000_000)] == [16_384, BLOCK_BYTES // 1024, 16]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
