"""The report: complete, safe, the same each time, readable in light and dark."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_page import Page
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

import handrail
from handrail.errors import RunError
from handrail.evaluation.metrics import Predictions, measure
from handrail.report import page as report
from handrail.report.figures.calibration import wilson
from handrail.report.figures.confusion import confusion
from handrail.report.figures.style import picture, thin
from handrail.report.sections.details import read_answers
from handrail.report.sections.verdict import best_of, verdict
from handrail.report.wording import component, metric_value, number
from handrail.run import Run

HOSTILE = "<script>alert(1)</script>"
CSS = (Path(report.__file__).parent / "report.css").read_text()


def table(rows: int = 240, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(2, rows))
    noise = random.normal(size=rows) / 2
    return pl.DataFrame(
        {
            HOSTILE: first,
            "a & $b$": second,
            "名": random.choice(["<i>x</i>", "y"], rows),
            "two": np.where(first + noise > 0, '<b>&"$x$', "名前"),
            "three": np.select([first > 0.5, second > 0], ["p", "q"], "r"),
            "value": first * 50 + second * 10 + noise,
            "other": second**2,
            "wet": (first + noise > 0).astype(int),
            "cold": (second > 0.3).astype(int),
        }
    )


TARGETS = {
    "binary": ["two"],
    "multi-class": ["three"],
    "regression": ["value", "other"],
    "multi-label": ["wet", "cold"],
}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder for each task; the seal is shut."""
    folder = tmp_path_factory.mktemp("runs")
    frame, every = table(), [name for names in TARGETS.values() for name in names]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDRAIL_HOME", str(folder / "home"))
        for task, targets in TARGETS.items():
            rows = frame.drop([name for name in every if name not in targets])
            changes = {
                "training.epochs": 3,
                "data.task": task,
                "evaluation.resamples": 100,
                "training.batch_size": 64,
            }
            handrail.fit(rows, [*targets], changes=changes, out=folder / task)
    return {task: folder / task for task in TARGETS}


@pytest.fixture(params=TARGETS)
def run(request: pytest.FixtureRequest, fitted: dict[str, Path], tmp_path: Path) -> Run:
    return own(fitted[request.param], tmp_path)


@pytest.fixture
def binary(fitted: dict[str, Path], tmp_path: Path) -> Run:
    return own(fitted["binary"], tmp_path)


def own(folder: Path, tmp_path: Path) -> Run:
    """A copy that a test may change."""
    return Run(shutil.copytree(folder, tmp_path / "run"))


def test_the_page_is_whole_self_contained_and_without_scripts(run: Run):
    run.test()
    text = run.report().read_text()
    page = Page(text)
    assert page.tags["script"] == page.tags["link"] == page.tags["img"] == page.tags["i"] == 0
    assert page.tags["svg"] > 5
    assert page.unnamed == 0
    assert all(link.startswith(("#", "data:image/")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.identifiers)
    assert max(Counter(page.identifiers).values()) == 1
    assert len(text) < 400_000
    headings = (
        "What was asked",
        "Data and findings",
        "Learning curves",
        "Metrics",
        "Answers in detail",
        "Hardest examples",
    )
    places = [page.text.rindex(heading) for heading in (*headings, "Environment")]
    assert places == sorted(places)


def test_names_and_values_of_the_data_are_shown_as_they_are(binary: Run):
    text = binary.report().read_text()
    page = Page(text)
    assert HOSTILE in page.text
    assert '<b>&"$x$' in page.text
    assert "<i>x</i>" in page.text
    assert HOSTILE not in text
    assert page.tags["b"] == 0
    assert not any("名" in svg or "$" in svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL))


def test_the_same_files_give_the_same_bytes_whatever_the_users_style_is(run: Run):
    first = run.report().read_bytes()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        before = matplotlib.rcParams["font.size"]
        assert Run(run.path).report().read_bytes() == first
        assert matplotlib.rcParams["font.size"] == before


def test_every_colour_follows_the_page(run: Run):
    text = run.report().read_text()
    used = set(re.findall(r"var\((--[a-z0-9-]+)", text))
    defined = set(re.findall(r"(--[a-z0-9-]+):", text))
    assert used <= defined
    svgs = " ".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert re.findall(r"(?:fill|stroke): ?#[0-9a-f]+", svgs) == []
    assert "DejaVu" not in text


def test_text_has_enough_contrast_in_light_and_dark():
    light = dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", CSS[: CSS.index("@media")]))
    dark = dict(
        re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6})", CSS[CSS.index("@media") : CSS.index("*, *::before")])
    )
    assert light.keys() == dark.keys()
    heats = re.findall(r"--heat: (\d+)%", CSS)
    for theme in (light, dark):
        for ink in (
            "--ink",
            "--muted",
            "--plain",
            "--network",
            "--linear",
            "--warning",
            "--good",
            "--bad",
            "--mark",
        ):
            for paper in ("--paper", "--panel"):
                assert contrast(theme[ink], theme[paper]) >= 4.5, (ink, paper)
        assert contrast(theme["--mark"], theme["--mark-paper"]) >= 4.5
        for full in ("--network", "--bad"):  # the strongest cells of a confusion matrix
            cell = mixed(theme[full], theme["--sunken"], int(heats[theme is dark]) / 100)
            assert contrast(theme["--ink"], cell) >= 4.5


def mixed(first: str, second: str, share: float) -> str:
    """What `color-mix(in srgb, …)` gives."""
    pairs = [(int(first[place : place + 2], 16), int(second[place : place + 2], 16)) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02x}" for one, other in pairs)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2."""
    light = sorted(luminance(colour) for colour in (first, second))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(colour: str) -> float:
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return float(
        np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    )


def test_a_shut_seal_shows_no_test_figures(binary: Run):
    page = Page(binary.report().read_text())
    assert "Nobody has looked at the 36 test rows" in page.text
    assert "36 validation rows" in page.text
    assert "Test rows (" not in page.text


def test_the_first_opening_has_no_mark_and_the_second_marks_every_test_figure(binary: Run):
    binary.test()
    once = binary.report().read_text()
    assert "Opened once" in Page(once).text
    assert 'class="mark"' not in once
    binary.test(again=True)
    twice = binary.report().read_text()
    page = Page(twice)
    assert "opened once before" in page.text
    figures = re.findall(r"<figure.*?</figure>", twice[twice.index('id="metrics"') :], re.DOTALL)
    labels = [re.findall(r'aria-label="([^"]*)"', figure)[0] for figure in figures]
    from_test = [
        figure
        for figure, label in zip(figures, labels, strict=True)
        if "test rows" in label or "is better" in label
    ]
    assert len(from_test) > 8
    assert all("opened 2 times" in figure for figure in from_test)
    validation = [figure for figure, label in zip(figures, labels, strict=True) if "validation rows" in label]
    assert len(validation) == 3
    assert not any('class="mark"' in figure for figure in validation)
    assert page.text.count("no, opened again") == 1


def test_rows_that_another_run_opened_are_told_of(fitted: dict[str, Path], tmp_path: Path):
    first, second = own(fitted["binary"], tmp_path / "a"), own(fitted["binary"], tmp_path / "b")
    first.test()
    page = Page(second.report().read_text())
    assert "Shut here, opened before" in page.text
    assert "opened once before" in page.text


def test_shared_rows_are_told_of(binary: Run):
    result = binary.test()
    opening = {"when": "2026-05-04T12:30:00+00:00", "run": "x", "recipe": "former", "recipe_hash": "abc"}
    binary.folder.test.write_text(json.dumps({**result, "shared": [[opening, 0.25]]}))
    text = Page(binary.report().read_text()).text
    assert "25% of these rows are also in another set of test rows" in text
    assert "opened on 4 May 2026, 12:30 UTC by the recipe former (abc)" in text


def test_answers_read_back_have_the_figures_of_the_run(run: Run):
    figures = measure(read_answers(run.folder.predictions("validation"), run.summary["task"]))
    for name, interval in run.validation.items():
        assert figures[name] == pytest.approx(
            np.nan if interval["value"] is None else interval["value"], nan_ok=True
        ), name


def test_damaged_answers_are_told_of_and_the_former_report_stays(binary: Run):
    before = binary.report().read_bytes()
    binary.folder.predictions("validation").write_bytes(b"no parquet")
    with pytest.raises(RunError, match=r"validation\.parquet' is missing or damaged"):
        binary.report()
    assert binary.folder.report.read_bytes() == before


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("better", "wins by more than chance explains"),
        ("worse", "loses to it: use the baseline"),
        ("no clear difference", "does not win beyond noise"),
    ],
)
def test_the_verdict_says_who_wins(binary: Run, comparison: str, expected: str):
    summary = binary.summary
    summary["comparison"]["verdict"] = comparison
    summary["metrics"]["accuracy"] = {"value": 0.9321, "low": 0.9, "high": 0.95}
    result = verdict(summary, None, 0.95)
    assert expected in result.sentence
    assert (
        "accuracy of 93.2\u202f% (95\u202f% interval 90.0 to 95.0\u202f%) on 36 validation rows"
        in result.sentence
    )


def test_a_figure_that_is_not_defined_does_not_break_the_page(run: Run):
    summary = run.summary
    for outcome in (
        summary["metrics"],
        *summary["baselines"].values(),
        {"difference": summary["comparison"]["difference"]},
    ):
        for interval in outcome.values():
            interval.update(value=None, low=None, high=None)
    run.folder.validation.write_text(json.dumps(summary))
    assert "and the two cannot be compared" in Page(run.report().read_text()).text


@given(st.integers(2, 30), st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_the_confusion_matrix_is_scikit_learns(classes: int, rows: int, seed: int):
    random = np.random.default_rng(seed)
    truth, said = random.integers(0, classes, (2, rows))
    names = tuple(f"class {code}" for code in range(classes))
    result = confusion(
        Predictions("binary" if classes == 2 else "multi-class", truth, labels=said, classes=names)
    )
    expected = (
        confusion_matrix(truth, said, labels=range(classes))
        if rows
        else np.zeros((classes, classes), dtype=int)
    )
    assert (result.right, result.total) == (np.trace(expected), rows)
    if classes <= 20:
        assert [[cell.count for cell in cells] for _, _, cells in result.rows] == expected.tolist()
        assert [total for _, total, _ in result.rows] == expected.sum(axis=1).tolist()
    else:
        np.fill_diagonal(expected, 0)
        most = sorted(expected.ravel(), reverse=True)[:15]
        assert [cell.count for _, _, cell in result.pairs] == [count for count in most if count]
        assert all(
            expected[names.index(one), names.index(other)] == cell.count for one, other, cell in result.pairs
        )


@given(st.integers(0, 2000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_ends_order_and_points(length: int, seed: int):
    random = np.random.default_rng(seed)
    x, y = np.sort(random.random(length)), random.random(length)
    few_x, few_y = thin(x, y, most=50)
    assert len(few_x) <= 52
    places = np.searchsorted(x, few_x)
    assert (np.diff(places) > 0).all()
    assert np.array_equal(y[places], few_y)
    if length:
        assert (few_x[0], few_x[-1]) == (x[0], x[-1])
    if length <= 50:
        assert len(few_x) == length


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_intervals_are_scipys(count: int, share: float):
    right = round(share * count)
    low, high = wilson(np.array([right / count]), np.array([count]))
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-4)


def test_many_rows_stay_small(tmp_path: Path):
    frame = table(rows=9000).select(HOSTILE, "a & $b$", "value")
    run = handrail.fit(
        frame, "value", out=tmp_path / "run", changes={"training.epochs": 1, "evaluation.resamples": 100}
    )
    assert "The stronger the colour, the more rows." in run.folder.report.read_text()
    assert "Training was a single pass" in run.folder.report.read_text()
    assert run.folder.report.stat().st_size < 250_000


def test_pictures_keep_their_identifiers_apart():
    def draw(figure):
        figure.add_subplot().plot([0, 1], [0, 1], "o-")

    first, second = (picture(name, draw, label='a "quoted" <label>') for name in ("one", "two"))
    names = [set(re.findall(r'id="([^"]*)"', svg)) for svg in (first, second)]
    assert names[0]
    assert names[0].isdisjoint(names[1])
    assert 'aria-label="a &quot;quoted&quot; &lt;label&gt;"' in first


def test_numbers_are_written_for_readers():
    assert number(-0.00001234) == "−1.234e−05"
    assert number(12345.6) == "12,346"
    assert metric_value("log_loss", 6.0771e66) == "6.077e+66"
    assert metric_value("log_loss", 377.93) == "377.9300"
    assert number(None) == number(float("nan")) == "–"
    assert metric_value("r2", -0.0001) == "0.000"
    assert metric_value("r2", -0.25) == "−0.250"
    assert metric_value("rmse", 74.7) == "74.70"
    settings = {"hidden": [64, 32], "dropout": 0.0, "activation": {"relu": {}}, "clip": None}
    assert component({"mlp": settings}) == "mlp(hidden=[64, 32], activation=relu)"


def test_what_was_chosen_by_measuring_stands_in_words_and_once() -> None:
    slow, quick = {"compiled": False, "why": "it is small"}, {"compiled": True, "why": "it is quicker"}
    shown = report._environment({"compile": [slow, quick, slow], "together": [], "device": "cpu"})
    assert shown == {"steps compiled": "no: it is small; yes: it is quicker", "device": "cpu"}


def test_a_tie_has_no_winner_even_where_rounding_parts_it() -> None:
    def figures(*values: float) -> dict[str, dict[str, dict[str, float | None]]]:
        return {name: {"pr_auc": {"value": value}} for name, value in zip("abc", values, strict=False)}

    assert best_of("pr_auc", figures(1.0, 1.0 - 1e-15)) == ""
    assert best_of("pr_auc", figures(1.0, 0.999)) == "a"
