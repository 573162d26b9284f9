"""Classes as the data writes them, and which of two is the positive one."""

from collections.abc import Iterable, Sequence

import polars as pl

from handrail.data.columns.values import BOOLEANS, YES_NO, are_numbers, as_booleans, as_labels

Value = bool | int | float | str
# What is there, or true, is the positive class, whichever is rarer.
_PAIRS = frozenset(
    [
        *(
            ("0", "1"),
            ("-1", "1"),
            ("-", "+"),
            ("neg", "pos"),
            ("negative", "positive"),
            ("absent", "present"),
        ),
        *((no, yes) for yes_words, no_words in YES_NO for yes in yes_words for no in no_words),
    ]
)


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels by number where all are numbers, else by letter."""
    labels = tuple(labels)
    try:
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(labels))


def find_positive(classes: Sequence[str], train: pl.Series) -> tuple[str, str]:
    """The positive class of two, and why: the second of 0/1, −1/+1, no/yes …, else the rarer one.

    Arguments:
        classes: two labels; where both are equally frequent, the second is taken.
        train: the class of each training row, as one of the labels.
    """
    first, second = (label.lower() for label in classes)
    if (first, second) in _PAIRS:
        return classes[1], "as its word says"
    if (second, first) in _PAIRS:
        return classes[0], "as its word says"
    counts = [int((train == label).sum()) for label in classes]
    if counts[0] == counts[1]:
        return classes[1], "the second of two equally frequent ones"
    return classes[int(counts[1] < counts[0])], "the rarer one of the training rows"


def written_values(
    series: pl.Series, labels: pl.Series, classes: Sequence[str], *, is_text: bool
) -> tuple[Value, ...]:
    """Each class as the data writes it most often: a text, a number or true and false.

    Arguments:
        series: the target column without missing values; labels: the class of each row.
        is_text: whether the format knows no types, so that '1' is a number and 'true' a truth value.
    """
    table = pl.DataFrame({"value": series, "label": labels}).group_by("label", "value").len()
    table = (
        table.sort("len", "value", descending=[True, False]).group_by("label", maintain_order=True).first()
    )
    written = dict(zip(table["label"].to_list(), table["value"].to_list(), strict=True))
    values = [written.get(name, name) for name in classes]
    if series.dtype in (pl.Categorical, pl.Enum) or series.dtype.is_temporal() or series.dtype.is_decimal():
        return tuple(classes)
    return _with_types([str(value) for value in values]) if is_text else tuple(values)


def _with_types(texts: Sequence[str]) -> tuple[Value, ...]:
    if all(text.lower() in BOOLEANS for text in texts):
        return tuple(bool(BOOLEANS[text.lower()]) for text in texts)
    numbers = pl.Series(texts)
    if not are_numbers(numbers):
        return tuple(texts)
    whole = numbers.cast(pl.Int64, strict=False)
    return tuple((numbers.cast(pl.Float64) if whole.null_count() else whole).to_list())


def written_answers(series: pl.Series, *, is_text: bool) -> tuple[Value, Value]:
    """No and yes as a column of a label writes them most often; see `written_values`."""
    codes = as_labels(as_booleans(series))
    return written_values(series, codes, ("0", "1"), is_text=is_text)  # pyright: ignore[reportReturnType]
