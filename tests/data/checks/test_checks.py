"""Each check finds the fault that was planted, says where, and is silent without it."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.data import checks
from handrail.data.checks.columns.values import outlying
from handrail.data.checks.drift import chi_square, kolmogorov_smirnov
from handrail.data.columns.schema import Schema, infer, read_frame
from handrail.data.finding import Finding
from handrail.data.part import Part
from handrail.data.prepare import prepare
from handrail.data.split.row_hashes import row_hashes
from handrail.data.table import Table
from handrail.data.targets.infer import infer_task
from handrail.data.task import TaskSpec
from handrail.recipe.sections import DataRecipe

Values = Sequence | np.ndarray
ROWS, VALIDATION = 600, 150
NOTHING = np.zeros(0, dtype=np.uint64)
# Findings that real tables may have.
CALM = {"missing", "outliers", "near-constant", "many-levels", "repeats"}


def plain(rows: int = ROWS + VALIDATION, seed: int = 0) -> dict[str, list]:
    """A table without a fault: numbers, a category and a target that they only hint at."""
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows))
    return {
        "x": x.tolist(),
        "z": z.tolist(),
        "colour": generator.choice(["red", "green", "blue"], rows).tolist(),
        "y": np.where(x + z + generator.normal(size=rows) > 0, "yes", "no").tolist(),
    }


def parts_of(
    columns: Mapping[str, Values],
    *,
    target: str | tuple[str, ...] = "y",
    kinds: Mapping[str, str] | None = None,
    train: int = ROWS,
) -> tuple[Part, Part, Schema, TaskSpec]:
    """The first rows train, the others validate."""
    frame = pl.DataFrame(columns, strict=False)
    targets = (target,) if isinstance(target, str) else target
    task = infer_task(frame.select(targets), targets)
    schema = infer(frame.head(train).drop(targets), kinds=kinds)
    places = np.arange(train), np.arange(train, len(frame))
    parts = [
        Part(
            name,
            frame[rows],
            read_frame(frame[rows], schema)[0],
            task.encode(frame[rows]),
            rows,
            Table(frame, source="t"),
        )
        for name, rows in zip(("train", "validation"), places, strict=True)
    ]
    return parts[0], parts[1], schema, task


def check(
    columns: Mapping[str, Values], *, balance: str = "none", sealed: np.ndarray = NOTHING, **choices
) -> dict[str, Finding]:
    """The findings by name; each check may speak once."""
    train, validation, schema, task = parts_of(columns, **choices)
    findings = checks.check_parts(train, validation, schema=schema, task=task, balance=balance, sealed=sealed)
    by_name = {finding.name: finding for finding in findings}
    assert len(by_name) == len(findings)
    return by_name


def test_a_table_without_faults_has_no_findings() -> None:
    assert check(plain()) == {}


# ---------------------------------------------------------------- rows


def test_duplicates_across_parts_are_counted_by_part_and_named_by_row() -> None:
    columns = plain()
    for values in columns.values():
        values[ROWS + 3 : ROWS + 13] = values[5:15]
    frame = pl.DataFrame(columns)
    sealed = row_hashes(pl.concat([frame[[0, ROWS + 40]], pl.DataFrame(plain(98, seed=1))]))
    finding = check(columns, sealed=sealed)["duplicates"]
    assert finding.level == "warning"
    assert "10 of 150 validation rows (6.7%)" in finding.seen
    assert f"row {ROWS + 4} of 't' is the same as row 6" in finding.seen
    assert "2 of 100 test rows (2.0%)" in finding.seen
    assert "data.duplicates=drop" in finding.action


def test_few_duplicates_are_a_note() -> None:
    columns = plain()
    for values in columns.values():
        values[ROWS] = values[0]
    assert check(columns)["duplicates"].level == "note"


def test_repeats_within_the_training_rows_are_a_note_of_their_own() -> None:
    columns = plain()
    for values in columns.values():
        values[20:25] = values[10:15]
    findings = check(columns)
    assert set(findings) == {"repeats"}
    assert "5 of 600 training rows (0.8%)" in findings["repeats"].seen
    assert "row 21 is the same as row 11" in findings["repeats"].seen


# ---------------------------------------------------------------- columns that give the target away


@pytest.mark.parametrize(
    "words", [{"yes": "alive", "no": "dead"}, {"yes": 1.5, "no": 0.25}, {"yes": True, "no": False}]
)
def test_a_renamed_copy_of_the_classes_stops_the_fit(words: dict) -> None:
    columns = plain()
    columns["outcome"] = [words[label] for label in columns["y"]]
    findings = check(columns)
    assert set(findings) == {"copy"}
    assert findings["copy"].level == "error"
    assert findings["copy"].column == "outcome"
    assert "data.drop=[outcome]" in findings["copy"].action


def test_one_row_that_differs_makes_a_copy_a_giveaway() -> None:
    columns = plain()
    columns["outcome"] = list(columns["y"])
    columns["outcome"][0] = "no" if columns["y"][0] == "yes" else "yes"
    findings = check(columns)
    assert set(findings) == {"giveaway"}
    assert findings["giveaway"].level == "warning"
    assert findings["giveaway"].column == "outcome"


def test_a_column_finer_than_the_classes_gives_them_away() -> None:
    columns = plain()
    columns["code"] = [f"{label}{number % 7}" for number, label in enumerate(columns["y"])]
    columns["amount"] = [
        number % 50 + (1000.5 if label == "yes" else 0.5) for number, label in enumerate(columns["y"])
    ]
    finding = check(columns)["giveaway"]
    assert "2 columns: 'code' (balanced accuracy 1.000), 'amount' (balanced accuracy 1.000)" in finding.seen


def test_a_column_that_is_missing_in_one_class_gives_it_away() -> None:
    columns = plain()
    columns["lifeboat"] = [
        x if label == "yes" else None for x, label in zip(columns["z"], columns["y"], strict=True)
    ]
    assert check(columns)["giveaway"].column == "lifeboat"


@pytest.mark.parametrize("scale", [1.0, -2.5, 1e-9, 1e200])
def test_a_scaled_copy_of_numbers_stops_the_fit(scale: float) -> None:
    columns = plain()
    columns["y"] = np.random.default_rng(1).normal(3, 2, len(columns["x"])).tolist()
    columns["euros"] = [scale * (value + 7) for value in columns["y"]]
    findings = check(columns)
    assert set(findings) == {"copy"}
    assert findings["copy"].level == "error"
    assert findings["copy"].column == "euros"


@pytest.mark.parametrize(
    "bend", [lambda y: y**3, np.exp, lambda y: np.round(y, 2), lambda y: y + 0.001 * np.sin(999 * y)]
)
def test_a_bent_copy_of_numbers_is_a_warning(bend) -> None:
    columns = plain()
    y = np.random.default_rng(1).normal(3, 2, len(columns["x"]))
    findings = check({**columns, "y": y, "bent": bend(y)})
    assert set(findings) - CALM == {"giveaway"}
    assert findings["giveaway"].column == "bent"


def test_a_column_coarser_than_the_classes_is_no_copy() -> None:
    columns = plain()
    columns["y"] = [number % 3 for number in range(len(columns["x"]))]
    columns["group"] = ["high" if label == 2 else "low" for label in columns["y"]]
    assert check(columns) == {}


def test_a_column_that_tells_training_rows_alone_is_no_giveaway() -> None:
    columns = plain()
    hint = [float(label == "yes") + x / 100 for x, label in zip(columns["x"], columns["y"], strict=True)]
    columns["hint"] = hint[:ROWS] + list(reversed(hint[ROWS:]))
    assert check(columns) == {}


def test_a_good_predictor_is_no_giveaway() -> None:
    columns = plain()
    generator = np.random.default_rng(2)
    x = np.array(columns["x"])
    assert "giveaway" not in check({**columns, "y": x + 0.1 * generator.normal(size=len(x))})
    assert "giveaway" not in check(
        {**columns, "y": (x + 0.1 * generator.normal(size=len(x)) > 0).astype(int)}
    )


@pytest.mark.parametrize("gate", [np.logical_and, np.logical_or, np.logical_xor])
def test_logic_tables_are_no_leak(gate) -> None:
    a, b = np.random.default_rng(3).integers(0, 2, (2, 400))
    findings = check({"a": a, "b": b, "y": gate(a, b).astype(int)}, train=300)
    assert not {"copy", "giveaway"} & set(findings)


def test_the_only_column_may_tell_everything() -> None:
    x = np.random.default_rng(4).normal(size=200)
    assert "giveaway" not in check({"x": x, "y": np.sin(x)}, train=150)
    assert check({"x": x, "y": 2 * x + 1}, train=150)["copy"].level == "warning"


def test_too_few_rows_prove_no_leak() -> None:
    y = ["a", "b"] * 20
    assert not {"copy", "giveaway"} & set(check({"x": np.arange(40.0) ** 1.5, "same": y, "y": y}, train=30))


def test_a_copy_of_one_label_of_several_is_found() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.integers(0, 2, (2, 300))
    columns = {"x": generator.normal(size=300), "tag": np.where(second, "on", "off"), "a": first, "b": second}
    finding = check(columns, target=("a", "b"), train=200)["copy"]
    assert finding.column == "tag"
    assert "target 'b'" in finding.seen


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 6), columns=st.integers(2, 5))
def test_noise_is_never_a_leak(seed: int, classes: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    table = {f"c{index}": generator.integers(0, classes, 80).astype(str) for index in range(columns)}
    y = np.concatenate([np.arange(classes), generator.integers(0, classes, 80 - classes)])
    train, validation, schema, task = parts_of({**table, "y": y}, train=60)
    findings = checks.check_parts(train, validation, schema=schema, task=task, balance="none", sealed=NOTHING)
    assert not {"copy", "giveaway"} & {finding.name for finding in findings}


# ---------------------------------------------------------------- single columns


def test_columns_that_were_set_aside_are_named_with_the_setting_that_takes_them_back() -> None:
    columns = plain()
    rows = len(columns["x"])
    columns["id"] = list(range(rows))
    columns["note"] = [f"customer {number} was happy" for number in range(rows)]
    columns["version"] = ["v1"] * rows
    findings = check(columns)
    assert {name: (finding.level, finding.column) for name, finding in findings.items()} == {
        "identifier": ("note", "id"),
        "text-set-aside": ("warning", "note"),
        "constant": ("note", "version"),
    }
    assert "data.columns.note=text" in findings["text-set-aside"].action
    assert "data.columns.id" in findings["identifier"].action


def test_an_identifier_that_the_user_keeps_is_a_warning() -> None:
    columns = plain()
    columns["ticket"] = list(range(len(columns["x"])))
    finding = check(columns, kinds={"ticket": "numeric"})["identifier-in-use"]
    assert finding.level == "warning"
    assert finding.column == "ticket"


def test_an_identifier_with_repeats_is_found_by_its_name() -> None:
    columns = plain()
    codes = np.random.default_rng(6).integers(0, 300, len(columns["x"]))
    assert check({**columns, "customer_id": codes})["identifier-in-use"].column == "customer_id"
    assert "identifier-in-use" not in check({**columns, "visits": codes})


def test_missing_values_are_listed_by_share() -> None:
    columns = plain()
    columns["x"] = [None if number % 5 == 0 else value for number, value in enumerate(columns["x"])]
    columns["colour"] = [
        None if number % 10 == 0 else value for number, value in enumerate(columns["colour"])
    ]
    columns["rest"] = [value if number % 10 == 0 else None for number, value in enumerate(columns["z"])]
    findings = check(columns)
    assert "2 columns: 'x' (20.0%), 'colour' (10.0%)" in findings["missing"].seen
    assert "data.encoding.indicator" in findings["missing"].action
    assert "level of its own" in findings["missing"].action
    assert (findings["mostly-missing"].level, findings["mostly-missing"].column) == ("warning", "rest")


def test_a_far_value_is_named_with_its_row() -> None:
    columns = plain()
    columns["z"][16] = -9999.0
    findings = check(columns)
    assert set(findings) == {"outliers"}
    assert "1 row, such as -9999 in row 17" in findings["outliers"].seen


def test_numbers_that_are_mostly_zero_are_judged_by_the_others() -> None:
    generator = np.random.default_rng(7)
    gains = np.where(generator.random(500) < 0.9, 0.0, generator.uniform(1000, 5000, 500))
    assert not len(outlying(gains))
    gains[3] = 99_999.0
    assert outlying(gains).tolist() == [3]


@given(
    values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60),
    scale=st.sampled_from([1.0, 4.0, 2.0**-8, 2.0**900]),
)
def test_outliers_do_not_depend_on_the_unit(values: list[float], scale: float) -> None:
    column = np.array(values)  # powers of two scale without rounding
    assert outlying(column).tolist() == outlying(column * scale).tolist()


def test_a_column_that_hardly_varies_is_noted() -> None:
    columns = plain()
    columns["flag"] = [1 if number % 200 == 0 else 0 for number in range(len(columns["x"]))]
    findings = check(columns)
    assert set(findings) == {"near-constant"}
    assert "'flag' (0 in 99.5%)" in findings["near-constant"].seen


def test_many_and_unseen_levels_are_noted() -> None:
    columns = plain()
    rows = len(columns["x"])
    columns["town"] = [f"town {number % 60}" for number in range(rows)]
    columns["colour"][ROWS : ROWS + 2] = ["mauve", "mauve"]
    findings = check(columns)
    assert set(findings) == {"many-levels", "unseen"}
    assert "'town' (60 levels in 600 rows)" in findings["many-levels"].seen
    assert "'colour' (2 rows, such as 'mauve')" in findings["unseen"].seen


def test_columns_with_the_same_trouble_share_a_finding() -> None:
    columns = plain()
    for index in range(8):
        columns[f"c{index}"] = ["same"] * len(columns["x"])
    finding = check(columns)["constant"]
    assert finding.column is None
    assert finding.seen.startswith("8 columns: 'c0'")
    assert "'c4'" in finding.seen
    assert "and 3 more" in finding.seen
    assert "'c5'" not in finding.seen


# ---------------------------------------------------------------- the target


def with_positives(share: float) -> dict[str, list]:
    columns = plain()
    every = round(1 / share)
    columns["y"] = ["yes" if number % every == 0 else "no" for number in range(len(columns["x"]))]
    return columns


def test_a_rare_class_is_a_warning_until_something_is_done() -> None:
    findings = check(with_positives(0.05))
    assert set(findings) == {"imbalance"}
    assert findings["imbalance"].level == "warning"
    assert "class 'yes' has 30 of 600 training rows (5.0%)" in findings["imbalance"].seen
    assert "data.balance=class_weights" in findings["imbalance"].action
    settled = check(with_positives(0.05), balance="oversample")["imbalance"]
    assert settled.level == "note"
    assert "data.balance=oversample" in settled.action
    assert "imbalance" not in check(with_positives(0.2))


def test_many_even_classes_are_not_called_uneven() -> None:
    columns = plain()
    columns["y"] = [number % 15 for number in range(len(columns["x"]))]
    assert check(columns) == {}


def test_a_class_with_few_rows_is_named_with_its_sizes() -> None:
    columns = plain()
    columns["y"][:4] = ["perhaps"] * 4
    finding = check(columns)["rare-class"]
    assert finding.level == "warning"
    assert "'perhaps' (4 and 0 rows)" in finding.seen


def test_rare_labels_share_a_finding() -> None:
    generator = np.random.default_rng(8)
    columns = {
        "x": generator.normal(size=400),
        "a": generator.integers(0, 2, 400),
        "b": np.arange(400) % 50 == 0,
    }
    finding = check(columns, target=("a", "b"), train=300)["imbalance"]
    assert finding.column == "b"
    assert "'b' (2.0%)" in finding.seen


def test_values_of_the_target_that_hardly_vary_or_lie_far_out() -> None:
    columns = plain()
    y = np.random.default_rng(9).normal(size=len(columns["x"]))
    assert check({**columns, "y": y}) == {}
    far = y.copy()
    far[41] = 5000.0
    findings = check({**columns, "y": far})
    assert set(findings) == {"target-outliers"}
    assert "5000 in row 42" in findings["target-outliers"].seen
    still = np.where(np.arange(len(y)) % 25 == 0, y, 0.0)
    assert (
        "96.0% of training rows have the value 0"
        in check({**columns, "y": still})["near-constant-target"].seen
    )


# ---------------------------------------------------------------- drift


def test_drift_names_the_columns_and_how_far_they_moved() -> None:
    columns = plain()
    columns["x"] = [value + (3 if number >= ROWS else 0) for number, value in enumerate(columns["x"])]
    columns["colour"][ROWS:] = ["red"] * VALIDATION
    columns["z"][ROWS::2] = [None] * (VALIDATION // 2)
    columns["when"] = [
        f"20{10 + number // 60}-01-{1 + number % 28:02d}" for number in range(len(columns["x"]))
    ]
    finding = check(columns)["drift"]
    assert finding.level == "warning"
    assert finding.seen.startswith("4 columns: 'when' (distance 1.00, middle 201")
    assert "'red' in" in finding.seen
    assert "missing in 0.0% against 50.0%" in finding.seen
    assert "data.split" in finding.action


def test_a_target_that_drifts_is_called_the_target() -> None:
    columns = plain()
    columns["y"][ROWS:] = ["yes"] * (VALIDATION - 20) + ["no"] * 20
    assert check(columns)["drift"].seen.startswith("The target (distance ")
    columns["x"] = [value + (3 if number >= ROWS else 0) for number, value in enumerate(columns["x"])]
    seen = check(columns)["drift"].seen
    assert seen.startswith("2 columns: 'x' (")
    assert ", the target (distance " in seen


def test_random_parts_seldom_drift() -> None:
    """False alarms come at most once in a thousand tables."""
    drifted = 0
    for seed in range(100):
        train, validation, schema, _ = parts_of(plain(400, seed=seed), train=200)
        drifted += len(checks.check_drift(train, validation, schema=schema))
    assert drifted <= 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([0.001, 0.5, 2.0]),
    shift=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_kolmogorov_smirnov_agrees_with_scipy(seed: int, step: float, shift: float) -> None:
    generator = np.random.default_rng(seed)
    first = np.round(generator.normal(size=150) / step) * step
    other = np.round(generator.normal(shift, 1, size=90) / step) * step
    distance, chance = kolmogorov_smirnov(first, other)
    assert distance == pytest.approx(scipy.stats.ks_2samp(first, other)[0], abs=1e-12)
    assert chance == pytest.approx(
        scipy.stats.kstwobign.sf(distance * np.sqrt(150 * 90 / 240)), rel=1e-6, abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.tuples(st.integers(20, 400), st.integers(20, 400)), min_size=2, max_size=8))
def test_chi_square_agrees_with_scipy(counts: list[tuple[int, int]]) -> None:
    table = np.array(counts, dtype=float).T
    assert chi_square(table) == pytest.approx(
        scipy.stats.chi2_contingency(table, correction=False)[1], rel=1e-6, abs=1e-12
    )


def test_chi_square_takes_small_levels_together() -> None:
    levels = np.array([[300.0, 200.0, *[1.0] * 40, *[0.0] * 40], [300.0, 200.0, *[0.0] * 40, *[1.0] * 40]])
    assert chi_square(levels) > 0.9
    assert chi_square(np.array([[0.0, 5.0], [0.0, 5.0]])) == 1.0


# ---------------------------------------------------------------- size


def sizes(
    rows: int, parameters: int, columns: Mapping[str, Values], counts: Sequence[int] = ()
) -> dict[str, Finding]:
    _, _, schema, task = parts_of(columns)
    return {finding.name: finding for finding in checks.check_size(rows, parameters, task, schema, counts)}


def test_rules_of_thumb() -> None:
    classes = plain()
    numbers = {**classes, "y": np.random.default_rng(1).normal(size=len(classes["x"]))}
    assert sizes(5000, 500, classes, [2500, 2500]) == {}
    assert sizes(5000, 501, classes, [2500, 2500])["rows-per-parameter"].level == "note"
    assert sizes(5000, 5001, classes, [2500, 2500])["rows-per-parameter"].level == "warning"
    assert "'no' (999)" in sizes(5000, 500, classes, [999, 4001])["rows-per-class"].seen
    assert sizes(30, 3, numbers) == {}
    assert "asks for 30" in sizes(29, 2, numbers)["rows-per-predictor"].seen


# ---------------------------------------------------------------- whole tables


def test_the_worst_comes_first_and_twice_the_same_is_said() -> None:
    columns = with_positives(0.05)
    columns["copy"] = list(columns["y"])
    columns["same"] = [1] * len(columns["x"])
    arguments = parts_of(columns)
    first, second = (
        checks.check_parts(
            *arguments[:2], schema=arguments[2], task=arguments[3], balance="none", sealed=NOTHING
        )
        for _ in range(2)
    )
    assert [finding.level for finding in first] == ["error", "warning", "note"]
    assert first == second


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_table_can_be_checked(data: st.DataObject) -> None:
    rows = data.draw(st.integers(6, 70))
    cells = [
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.sampled_from(["a", "b", "c"]),
        st.booleans(),
        st.none() | st.integers(-3, 3),
        st.dates().map(str),
    ]
    columns = {
        f"c{index}": data.draw(st.lists(data.draw(st.sampled_from(cells)), min_size=rows, max_size=rows))
        for index in range(3)
    }
    target = data.draw(
        st.lists(st.sampled_from(["u", "v", "w"]), min_size=rows, max_size=rows).filter(
            lambda y: len(set(y)) > 1
        )
    )
    train, validation, schema, task = parts_of({**columns, "y": target}, train=rows - 3)
    findings = checks.check_parts(
        train, validation, schema=schema, task=task, balance="none", sealed=row_hashes(train.raw)
    )
    assert "test rows" in " ".join(finding.seen for finding in findings if finding.name == "duplicates")


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("adult-census/adult-train.csv", -1, {"duplicates", "repeats", "missing", "outliers", "marker"}),
        ("titanic/titanic.csv", "Survived", {"identifier", "text-set-aside", "missing", "outliers"}),
        ("california-housing/housing.csv", "median_house_value", {"missing", "outliers"}),
        (
            "wine-quality/winequality-red.csv",
            -1,
            {"duplicates", "repeats", "imbalance", "rare-class", "outliers"},
        ),
    ],
)
def test_real_tables(shared_data, path: str, target: str | int, expected: set[str]) -> None:
    findings = prepare(DataRecipe(source=str(shared_data / path), target=target)).findings
    assert {finding.name for finding in findings} == expected
    assert not [finding for finding in findings if finding.level == "error"]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_bundled_tables_leak_nothing(name: str) -> None:
    findings = prepare(DataRecipe(source=f"bundled:{name}", target="target")).findings
    assert not {"copy", "giveaway", "drift", "imbalance"} & {finding.name for finding in findings}
