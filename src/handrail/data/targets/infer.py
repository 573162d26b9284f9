"""What the targets ask for, by the rows outside the sealed part: classes or values, one or several."""

from collections.abc import Sequence

import polars as pl

from handrail.data.columns.schema import infer_column
from handrail.data.columns.values import are_numbers, as_booleans, as_labels, as_numbers
from handrail.data.labels import Value, find_positive, sort_classes, written_answers, written_values
from handrail.data.stores.store import Classed, Store, Stores
from handrail.data.targets.lists import describe_lists, find_lists
from handrail.data.targets.odd_words import RowName, describe_odd_words
from handrail.data.targets.spellings import Spelling, merge_spellings
from handrail.data.targets.void import find_void
from handrail.data.task import STORED_TASKS, TEXT_TASKS, TaskName, TaskSpec
from handrail.errors import DataError, did_you_mean
from handrail.tools.words import plural

MOST_CLASSES = 20  # whole numbers with more different values than this are taken as quantities


def infer_task(
    frame: pl.DataFrame,
    targets: Sequence[str],
    *,
    task: str = "auto",
    positive: str | None = None,
    stores: Stores | None = None,
    train: pl.DataFrame | None = None,
    is_text: bool = False,
    labels: Spelling = "auto",
    ignore: Sequence[str] | None = None,
    row_name: RowName | None = None,
) -> TaskSpec:
    """What the targets ask for, by the rows outside the sealed part.

    Arguments:
        frame: training and validation rows.
        targets: the names of the target columns.
        task: "auto" or the task that the user gives.
        positive: for two classes, the one that counts as positive; by default see `find_positive`, and of
            masks the second in order.
        stores: of the columns that hold places in a store, such as masks.
        train: the training rows, whose rarer class is the positive one; by default `frame`.
        is_text: whether the format knows no types, so that its answers are written by what they look like.
        labels: what becomes of classes that differ in case, white space or a final dot (`merge_spellings`).
        ignore: the values of masks that are no class; by default those that usually are none.
        row_name: what a person would call the row of `frame` at a position.

    Raises: `DataError` when a target is missing everywhere, has a single value, or does not fit the task.
    """
    store = (stores or {}).get(targets[0])
    if store is not None or task in (*STORED_TASKS, *TEXT_TASKS):
        spec = _infer_for_items(frame[targets[0]], store, task=task, several=len(targets) > 1)
        if spec.name == "mask":
            spec = _without_ignored(spec, ignore)
    else:
        for name in targets:
            _check_target(frame[name])
        if len(targets) > 1 or task == "multi-label":
            spec = _infer_for_several(frame, tuple(targets), task, row_name)
        else:
            spec = _infer_for_one(frame[targets[0]], task, labels, row_name)
    if labels != "auto" and not spec.is_classification:
        raise DataError(
            f"data.labels: '{labels}' has no effect on {spec.name}; expected a target of classes."
        )
    if positive is not None and spec.positive is None:
        raise DataError(
            f"data.positive: '{positive}' has no effect on {spec.name}; expected a target with two classes."
        )
    if spec.positive is not None:
        spec = _order_classes(spec, positive, (frame if train is None else train)[spec.targets[0]])
    return _with_values(spec, frame, is_text=is_text)


def _order_classes(spec: TaskSpec, positive: str | None, train: pl.Series) -> TaskSpec:
    """The spec with the positive class behind the other, and the reason."""
    if positive is not None:
        chosen, reason = _find_class(spec.classes, positive), "as data.positive says"
    elif spec.name == "mask":
        chosen, reason = spec.classes[1], "the second"
    else:
        chosen, reason = find_positive(spec.classes, spec.labels(train))
    other = next(name for name in spec.classes if name != chosen)
    why = f"{spec.why}; the positive class is '{chosen}', {reason}"
    return spec.model_copy(update={"classes": (other, chosen), "why": why})


def _with_values(spec: TaskSpec, frame: pl.DataFrame, *, is_text: bool) -> TaskSpec:
    values: tuple[Value, ...] = ()
    if spec.is_classification:
        series = frame[spec.targets[0]].drop_nulls()
        if series.dtype == pl.String and not are_numbers(series):  # where a class is spelled as it is called
            own = series.filter(series.is_in(list(spec.classes)))
            series = own if own.n_unique() == len(spec.classes) else series
        values = written_values(series, spec.labels(series), spec.classes, is_text=is_text)
    elif spec.name == "multi-label":
        answers = [written_answers(frame[name].drop_nulls(), is_text=is_text) for name in spec.targets]
        values = tuple(value for pair in answers for value in pair)
    return spec.model_copy(update={"values": values})


def _infer_for_items(series: pl.Series, store: Store | None, *, task: str, several: bool) -> TaskSpec:
    """For masks and boxes, and for texts that the network writes."""
    kind = None if store is None else store.kind
    name = next((name for name, stored in STORED_TASKS.items() if stored == kind), task)
    if (
        several
        or task not in ("auto", name)
        or (name in STORED_TASKS) != (kind is not None)
        or kind not in (None, *STORED_TASKS.values())
    ):
        target = "several targets" if several else f"a target of {kind or 'plain values'}"
        raise DataError(
            f"data.task: found '{task}' with {target} ('{series.name}'), which do not fit each other; leave "
            "data.task out."
        )
    in_bins = name == "next-token" and series.dtype.is_float()
    if name in TEXT_TASKS and series.dtype != pl.String and not in_bins:
        raise DataError(
            f"the target '{series.name}': found {series.dtype}, expected text for data.task={name}."
        )
    classes = tuple(store.classes_of(series.drop_nulls().to_numpy())) if isinstance(store, Classed) else ()
    return TaskSpec(
        name=name,  # pyright: ignore[reportArgumentType]
        targets=(series.name,),
        classes=classes,
        why=f"a column of {kind or ('numbers' if in_bins else 'texts')}",
    )


def _without_ignored(spec: TaskSpec, ignore: Sequence[str] | None) -> TaskSpec:
    """Masks without the values that are no class. Raises: `DataError` when no class is left."""
    ignored = tuple(find_void(spec.classes) if ignore is None else ignore)
    classes = tuple(name for name in spec.classes if name not in ignored)
    if ignored and not classes:
        raise DataError(
            f"data.masks.ignore: training and validation masks hold nothing but {', '.join(ignored)}; "
            "expected at least one value that is a class."
        )
    why = f"{spec.why}; {', '.join(ignored)} is no class" if ignored else spec.why
    return spec.model_copy(update={"classes": classes, "ignored": ignored, "why": why})


def _infer_for_one(column: pl.Series, task: str, spelling: Spelling, row_name: RowName | None) -> TaskSpec:
    series, name, why = column.drop_nulls(), column.name, "as given"
    by_values = task == "auto"
    if by_values:
        task, why = _classes_or_regression(column, row_name)
    if task == "regression":
        _require_numbers(column, row_name)
        return TaskSpec(name="regression", targets=(name,), why=why)
    labels = as_labels(series).value_counts(name="rows")
    spellings = merge_spellings(dict(labels.iter_rows()), spelling)
    classes = sort_classes({*spellings.classes.values()})
    name_of_task: TaskName = "binary" if len(classes) == 2 else "multi-class"
    if task in ("binary", "multi-class") and task != name_of_task:
        raise DataError(
            f"data.task: found '{task}', but the target '{name}' has {len(classes)} classes; leave data.task "
            f"out, or set it to {name_of_task}."
        )
    if by_values:
        why = why.format(len(classes))
    as_written = spelling == "as_written" or bool(spellings.apart)
    return TaskSpec(name=name_of_task, targets=(name,), classes=classes, why=why, as_written=as_written)


def _check_target(series: pl.Series) -> None:
    values = series.drop_nulls()
    if not len(values):
        raise DataError(
            f"the target '{series.name}': all {len(series):,} values are missing; expected at least two "
            "different ones."
        )
    varies = values.dtype.is_numeric() and bool(values.min() != values.max())  # quick: no texts are made
    if not varies and as_labels(values).n_unique() == 1:
        gaps = series.null_count()
        others = f", but for {plural(gaps, 'row')} where it is missing" if gaps else ""
        keep = " data.read.missing=[] keeps words such as '-', 'NA' or 'None' as classes." if gaps else ""
        raise DataError(
            f"the target '{series.name}': every row has the value '{values[0]}'{others}; expected at least "
            f"two different ones. There is nothing to learn.{keep}"
        )


def _classes_or_regression(target: pl.Series, row_name: RowName | None) -> tuple[str, str]:
    """Which of the two a target asks for, and why (of classes, with {} for their number)."""
    series = target.drop_nulls()
    column = infer_column(series)
    distinct = series.n_unique()
    numbers = as_numbers(series)
    is_words = column.kind == "text" or (column.kind == "identifier" and numbers.null_count())
    if is_words or (column.kind == "datetime" and distinct > MOST_CLASSES):
        raise DataError(_describe_texts(target, row_name, is_date=column.kind == "datetime"))
    if column.kind not in ("numeric", "identifier"):
        return "classes", "{} different values"
    numbers = numbers.drop_nulls()
    distinct = numbers.n_unique()
    if distinct > MOST_CLASSES or not bool(((numbers == numbers.floor()) & numbers.is_finite()).all()):
        return "regression", f"numbers with {distinct:,} different values"
    return "classes", "whole numbers with {} different values; data.task=regression takes them as quantities"


def _describe_texts(target: pl.Series, row_name: RowName | None, *, is_date: bool) -> str:
    """The message for a target that is neither classes nor numbers, with the setting that may be meant."""
    series, what = target.drop_nulls(), "dates" if is_date else "texts"
    found = (
        f"the target '{series.name}' has {series.n_unique():,} different {what} in {len(series):,} rows; "
        "expected classes that repeat, or numbers."
    )
    if is_date:
        return f"{found} A date can be predicted as a number, such as days from a fixed day."
    odd = as_numbers(series).null_count()
    if odd < len(series) / 2:
        return (
            f"{found} {len(series) - odd:,} of them are numbers, and {odd:,} are not: "
            f"{describe_odd_words(target, row_name)}"
        )
    lists = find_lists(series)
    if lists is not None:
        return f"{found} {describe_lists(lists)}"
    return (
        f"{found} If the network is to write such a text from the other columns: data.task=sequence. If the "
        "texts name the rows, choose another target (data.target)."
    )


def _find_class(classes: tuple[str, ...], positive: str) -> str:
    """The class that the user means: as it stands, else by its number, else in another case."""
    spellings = (positive, as_labels(pl.Series([positive]))[0])
    found = next((name for name in classes if name in spellings), None)
    in_case = [name for name in classes if name.lower() == positive.lower()]
    if found is None and len(in_case) != 1:
        hint = did_you_mean(positive, classes)
        raise DataError(
            f"data.positive: found '{positive}', expected one of the classes {', '.join(classes)}.{hint}"
        )
    return found or in_case[0]


def _infer_for_several(
    frame: pl.DataFrame, targets: tuple[str, ...], task: str, row_name: RowName | None
) -> TaskSpec:
    others = [name for name in targets if as_booleans(frame[name].drop_nulls()).null_count()]
    if task == "multi-label" or (task == "auto" and not others):
        if others:
            raise DataError(
                f"data.task: found 'multi-label', but the target '{others[0]}' has other values than 0 and 1 "
                "(or yes and no), and no lists of labels such as 'a;b'; expected targets of these only."
            )
        return TaskSpec(
            name="multi-label", targets=targets, classes=targets, why=f"{len(targets)} columns of 0 and 1"
        )
    if task not in ("auto", "regression"):
        raise DataError(
            f"data.task: found '{task}' with {len(targets)} target columns, expected 'multi-label' or "
            "'regression'."
        )
    beside = "; several targets together are all numbers, or all yes and no" if len(targets) > 1 else ""
    for name in targets:
        _require_numbers(frame[name], row_name, beside)
    return TaskSpec(name="regression", targets=targets, why=f"{len(targets)} columns of numbers")


def _require_numbers(target: pl.Series, row_name: RowName | None, beside: str = "") -> None:
    series = target.drop_nulls()
    odd = series.filter(as_numbers(series).is_null())
    if len(odd):
        raise DataError(
            f"the target '{target.name}': found '{odd[0]}' ({len(odd):,} of {len(series):,} rows have no "
            f"number), expected numbers for regression{beside}. These are "
            + describe_odd_words(target, row_name)
        )
