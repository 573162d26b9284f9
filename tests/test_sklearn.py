"""The estimators: scikit-learn's own checks, and what they do not look at."""

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_blobs, make_regression
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from torch import nn

from handrail.data.encoders.table import TableEncoder
from handrail.errors import DataError, RecipeError
from handrail.sklearn import (
    NetworkClassifier,
    NetworkClusterer,
    NetworkDensity,
    NetworkRegressor,
    NetworkTransformer,
)

FEW_UNITS = {"rbm": {"visible": "gaussian", "units": 8}}  # whose states are counted, which is quick
SMALL_CODE = {"autoencoder": {"code": 2, "hidden": [8]}}
SMALL: dict[str, Any] = {"model": {"mlp": {"hidden": [16]}}, "epochs": 15, "random_state": 0}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads, and far slower when tests run beside each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@parametrize_with_checks(
    [
        NetworkClassifier(),
        NetworkRegressor(),
        NetworkClusterer(),
        NetworkDensity(model=FEW_UNITS, epochs=10),
        NetworkTransformer(),
        NetworkTransformer(model=SMALL_CODE, epochs=10),
    ]
)
def test_scikit_learn_check(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks provoke warnings, and look at those that they want
        check(estimator)


@pytest.mark.parametrize(
    "estimator",
    [
        NetworkClassifier(epochs=3),
        NetworkRegressor(epochs=3),
        NetworkClusterer(epochs=3),
        NetworkDensity(model=FEW_UNITS, epochs=3),
        NetworkTransformer(epochs=3),
        NetworkTransformer(model=SMALL_CODE, epochs=3),
    ],
    ids=lambda e: type(e).__name__,
)
def test_nothing_is_expected_to_fail(estimator: Any) -> None:
    """Of all checks only quality may fail after three epochs: none is skipped but what scikit-learn's own
    set-up lacks.
    """
    results = check_estimator(estimator, expected_failed_checks={}, on_fail=None, on_skip=None)
    status = {result["check_name"]: result["status"] for result in results}
    assert "xfail" not in status.values()
    assert {name for name, value in status.items() if value == "skipped"} <= {"check_array_api_input"}
    assert {name for name, value in status.items() if value == "failed"} <= {
        "check_classifiers_train",
        "check_regressors_train",
    }


def test_classes_of_words_scores_and_probabilities() -> None:
    features, target = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[target]
    seen, new, seen_words, new_words = train_test_split(features, words, random_state=0, stratify=words)
    estimator = NetworkClassifier(random_state=0).fit(seen, seen_words)
    assert estimator.score(new, new_words) > 0.9
    probabilities, scores = estimator.predict_proba(new), estimator.decision_function(new)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    assert estimator.predict(new).tolist() == estimator.classes_[probabilities.argmax(axis=1)].tolist()


def test_history_and_the_best_weights() -> None:
    features, target = load_breast_cancer(return_X_y=True)
    estimator = NetworkClassifier(patience=3, random_state=0).fit(features, target)
    losses = [epoch["val_loss"] for epoch in estimator.history_]
    assert [epoch["epoch"] for epoch in estimator.history_] == list(range(1, len(losses) + 1))
    assert estimator.best_epoch_ == 1 + int(np.argmin(losses))
    assert len(losses) == min(estimator.best_epoch_ + 3, 100)


@pytest.mark.parametrize("fraction", [0, None])
def test_without_validation_rows_all_rows_train_for_all_epochs(fraction: Any) -> None:
    features, target = load_iris(return_X_y=True)
    estimator = NetworkClassifier(**SMALL, patience=1, validation_fraction=fraction).fit(features, target)
    assert len(estimator.history_) == 15
    assert "val_loss" not in estimator.history_[0]
    assert estimator.history_[0]["step"] == -(-150 // 32)
    encoder = estimator.pipeline_.encoder
    assert isinstance(encoder, TableEncoder)
    np.testing.assert_allclose(encoder.get_buffer("scale.shift").numpy(), features.mean(axis=0))


def test_what_is_learned_before_training_comes_from_training_rows_alone() -> None:
    data: Any = load_diabetes()
    features, target = data.data, data.target
    first = NetworkRegressor(**SMALL, patience=None).fit(features, target)
    from handrail.sklearn.rows import hold_out

    aside = hold_out(len(target), None, 0.15, np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    assert len(aside) == round(0.15 * len(target))
    changed = features.copy()
    changed[aside] = np.random.default_rng(1).normal(size=(len(aside), features.shape[1]))
    second = NetworkRegressor(**SMALL, patience=None).fit(changed, target)
    assert [epoch["train_loss"] for epoch in first.history_] == [
        epoch["train_loss"] for epoch in second.history_
    ]
    assert first.history_[0]["val_loss"] != second.history_[0]["val_loss"]
    encoder, twin = first.pipeline_.encoder, second.pipeline_.encoder
    assert isinstance(encoder, TableEncoder)
    assert isinstance(twin, TableEncoder)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name])


def test_plain_arrays_need_no_scaling_and_no_copy_in_another_precision() -> None:
    """`scaling="none"` takes single precision as it is; double precision gives the same network."""
    features, target = load_iris(return_X_y=True)
    single = NetworkClassifier(**SMALL, scaling="none").fit(features.astype(np.float32), target)
    double = NetworkClassifier(**SMALL, scaling="none").fit(features, target)
    for one, other in zip(single.network_.parameters(), double.network_.parameters(), strict=True):
        assert torch.equal(one, other)
    assert single.predict_proba(features.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(
        single.predict_proba(features.astype(np.float32)), double.predict_proba(features), atol=1e-6
    )


def test_random_states() -> None:
    features, target = load_iris(return_X_y=True)

    def probabilities(state: Any) -> np.ndarray:
        return (
            NetworkClassifier(**{**SMALL, "epochs": 2, "random_state": state})
            .fit(features, target)
            .predict_proba(features)
        )

    np.testing.assert_array_equal(probabilities(3), probabilities(3))
    np.testing.assert_array_equal(probabilities(3), probabilities(np.random.RandomState(3)))
    assert np.abs(probabilities(3) - probabilities(4)).max() > 1e-3
    assert np.abs(probabilities(None) - probabilities(None)).max() > 1e-3


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("categories", ["onehot", "embedding"])
def test_frames_with_words_dates_and_gaps(library: str, categories: str) -> None:
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 400)
    amount = rng.normal(size=400)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 400), unit="D")
    value = 5 * (colour == "red") + amount + rng.normal(0, 0.1, 400)
    amount[::11] = np.nan
    frame: Any = pd.DataFrame({"colour": colour, "amount": amount, "day": day, "noise": rng.normal(size=400)})
    frame = pl.from_pandas(frame) if library == "polars" else frame
    estimator: Any = NetworkRegressor(random_state=0, categories=categories)
    estimator.fit(frame[:300], value[:300])
    assert estimator.feature_names_in_.tolist() == ["colour", "amount", "day", "noise"]
    assert estimator.score(frame[300:], value[300:]) > 0.8
    np.testing.assert_allclose(estimator.predict(frame[300:301]), estimator.predict(frame[300:])[:1])
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[["amount", "colour", "day", "noise"]])
    with pytest.raises(DataError, match="expected a data frame with the columns of `fit`"):
        estimator.predict(np.zeros((2, 4)))


def test_columns_that_cannot_be_used_are_named() -> None:
    frame = pl.DataFrame({"who": [f"person {i} of some town" for i in range(60)], "x": np.arange(60) / 7})
    with pytest.warns(UserWarning, match="columns that the network does not use: 'who' is identifier"):
        estimator = NetworkRegressor(**SMALL).fit(frame, np.arange(60.0))
    assert estimator.pipeline_.encoder.feature_names == ["x"]
    with pytest.raises(DataError, match=r"column 'x' \(numeric\): found 'oops' in row 2"):
        estimator.predict(frame.head(2).with_columns(x=pl.Series(["1", "oops"])))


def test_gaps_are_filled_and_marked_and_infinities_refused() -> None:
    features, target = load_breast_cancer(return_X_y=True)
    features[::5, 3] = np.nan
    estimator = NetworkClassifier(**SMALL).fit(features, target)
    assert "x3 is missing" in estimator.pipeline_.encoder.feature_names
    assert estimator.score(features, target) > 0.9
    features[7, 7] = np.inf
    with pytest.raises(ValueError, match="contains infinity"):
        estimator.predict(features)


def test_several_outputs_and_columns_as_vectors() -> None:
    features, target, *_ = make_regression(300, 6, n_targets=3, noise=2.0, random_state=0)
    several = NetworkRegressor(random_state=0).fit(features, target)
    assert several.predict(features).shape == target.shape
    assert several.score(features, target) > 0.9
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        one = NetworkRegressor(**SMALL).fit(features, target[:, :1])
    assert one.predict(features).shape == (300,)
    np.testing.assert_array_equal(
        one.predict(features), NetworkRegressor(**SMALL).fit(features, target[:, 0]).predict(features)
    )


def test_other_rules_losses_and_modules() -> None:
    features, target = load_diabetes(return_X_y=True)
    from sklearn.linear_model import LinearRegression

    exact = NetworkRegressor(model="linear", learning="least_squares", validation_fraction=None).fit(
        features, target
    )
    expected = LinearRegression().fit(features, target).predict(features)
    np.testing.assert_allclose(exact.predict(features), expected, rtol=1e-3)
    module = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 1))
    before = [parameter.clone() for parameter in module.parameters()]
    own = NetworkRegressor(model=module, loss="mae", penalties=[{"l2": {"strength": 0.01}}], epochs=5).fit(
        features, target
    )
    assert isinstance(own.network_, nn.Sequential)
    assert own.network_ is not module
    assert all(torch.equal(now, then) for now, then in zip(module.parameters(), before, strict=True))


def test_balance_helps_the_rare_class() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 2))
    target = (features[:, 0] + rng.normal(size=600) > 2.2).astype(int)
    plain = NetworkClassifier(**SMALL).fit(features, target).predict(features)
    balanced = NetworkClassifier(**SMALL, balance="class_weights").fit(features, target).predict(features)
    assert balanced[target == 1].mean() > plain[target == 1].mean() + 0.2


def test_within_scikit_learn_and_through_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    features, target = load_iris(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), NetworkClassifier(random_state=0))
    assert cross_val_score(estimator, features, target, cv=3).mean() > 0.9
    search = GridSearchCV(
        NetworkClassifier(**SMALL), {"model": ["linear", {"mlp": {"hidden": [8]}}]}, cv=2
    ).fit(features, target)
    again: Any = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(features), search.predict_proba(features))
    twin: Any = clone(again)
    assert twin.get_params()["model"] == search.best_params_["model"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "mpl"}, "there is no model 'mpl'. Did you mean 'mlp'"),
        ({"epochs": 0, "scaling": "standrad"}, r"2 mistakes:(.|\n)*scaling(.|\n)*epochs"),
        ({"validation_fraction": 1.5}, "validation_fraction: found 1.5"),
        ({"loss": "huber"}, "objective.loss: 'huber' serves"),
        ({"device": "cuda:77"}, "'cuda:77' is not available"),
        ({"model": dict}, "model: 'builtins:dict' is no model"),
    ],
)
def test_settings_that_cannot_be_followed(settings: dict[str, Any], message: str) -> None:
    features, target = load_iris(return_X_y=True)
    with pytest.raises(RecipeError, match=message):
        NetworkClassifier(**settings).fit(features, target)


def test_threads_are_given_back() -> None:
    features, target = load_iris(return_X_y=True)
    NetworkClassifier(**{**SMALL, "epochs": 1}, threads=2).fit(features, target)
    assert torch.get_num_threads() == 1


def test_verbose_speaks_and_is_silent_otherwise(capfd: pytest.CaptureFixture[str]) -> None:
    features, target = load_iris(return_X_y=True)
    NetworkClassifier(**SMALL).fit(features, target)
    assert capfd.readouterr() == ("", "")
    NetworkClassifier(**SMALL, verbose=True).fit(features, target)
    assert "epoch 1/15" in capfd.readouterr().err


def test_one_class_is_not_enough() -> None:
    with pytest.raises(DataError, match=r"y holds one class, .*'a'.*; expected at least two"):
        NetworkClassifier().fit(np.ones((4, 2)), ["a"] * 4)


def test_the_clusterer_finds_what_scikit_learns_finds():
    rows = make_blobs(240, centers=3, cluster_std=0.5, random_state=0)[0]
    ours = NetworkClusterer(model={"kmeans": {"clusters": 3}}, scaling="none", random_state=0).fit(rows)
    starts: Any = 5
    theirs = KMeans(3, n_init=starts, random_state=0).fit(rows)
    assert adjusted_rand_score(ours.labels_, theirs.labels_) == 1
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-3)
    centres = ours.cluster_centers_
    order = [np.linalg.norm(theirs.cluster_centers_ - each, axis=1).argmin() for each in centres]
    np.testing.assert_allclose(centres, theirs.cluster_centers_[order], atol=1e-3)
    assert (ours.predict(rows) == ours.labels_).all()


def test_centres_are_in_the_units_of_the_rows():
    rows = np.asarray(make_blobs(240, centers=3, random_state=0)[0]) * [1, 1000] + [50, -5000]
    centres = NetworkClusterer(model={"kmeans": {"clusters": 3}}, random_state=0).fit(rows).cluster_centers_
    assert (centres.min(axis=0) > rows.min(axis=0)).all()
    assert (centres.max(axis=0) < rows.max(axis=0)).all()


def test_the_transformer_feeds_a_pipeline():
    rows, classes = load_iris(return_X_y=True)
    codes = NetworkTransformer(model={"kmeans": {"clusters": 12}}, random_state=0)
    steps = make_pipeline(codes, StandardScaler(), LogisticRegression())
    assert cross_val_score(steps, rows, classes).mean() > 0.9


def test_codes_become_rows_again_in_their_units():
    rows = load_iris(return_X_y=True)[0] * [1, 1, 1, 100] + [0, 0, 0, 5000]
    linear = {"autoencoder": {"code": 2, "hidden": []}}
    codes = NetworkTransformer(model=linear, epochs=300, batch_size=32, random_state=0).fit(rows)
    short = codes.transform(rows)
    assert short.shape == (150, 2)
    back = codes.inverse_transform(short)
    unexplained = ((back - rows) ** 2).sum(axis=0) / ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
    assert (unexplained < 0.15).all()  # of the four columns two numbers hold nearly everything
    assert codes.get_feature_names_out().tolist() == ["networktransformer0", "networktransformer1"]
    with pytest.raises(ValueError, match="X has 3 features, but the codes of NetworkTransformer have 2"):
        codes.inverse_transform(np.ones((4, 3)))


def test_a_map_gives_places_and_the_prototype_of_a_place():
    rows = np.asarray(load_iris(return_X_y=True)[0])
    codes = NetworkTransformer(model={"kohonen": {"height": 4, "width": 6}}, random_state=0).fit(rows)
    places = codes.transform(rows)
    assert places.shape == (150, 2)
    assert (places.max(axis=0) <= [5, 3]).all()
    lost = ((codes.inverse_transform(places) - rows) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    assert lost < 0.15
    with pytest.raises(RecipeError, match="learns map; expected one for clusters"):
        NetworkClusterer(model="kohonen").fit(rows)


def test_words_come_back_in_a_data_frame():
    frame = pl.DataFrame({"x": np.linspace(0, 1, 90), "colour": ["red", "green", "blue"] * 30})
    codes = NetworkTransformer(model={"autoencoder": {"code": 3}}, epochs=100, random_state=0).fit(frame)
    back = codes.inverse_transform(codes.transform(frame))
    assert (back["colour"] == frame["colour"]).mean() > 0.95


def test_only_models_with_a_way_back_have_it():
    rows = load_iris(return_X_y=True)[0]
    assert not hasattr(NetworkTransformer(), "inverse_transform")
    assert not hasattr(NetworkTransformer(epochs=2).fit(rows), "inverse_transform")
    assert not hasattr(NetworkClusterer(), "inverse_transform")
    assert not hasattr(NetworkTransformer(model="autoencodr"), "inverse_transform")
    assert hasattr(NetworkTransformer(model="autoencoder"), "inverse_transform")
    with pytest.raises(NotFittedError):
        NetworkTransformer(model="autoencoder").inverse_transform(np.ones((3, 2)))


def test_what_needs_a_target_is_no_clusterer():
    with pytest.raises(RecipeError, match="model: mlp learns from a target"):
        NetworkClusterer(model="mlp").fit(load_iris(return_X_y=True)[0])


def test_densities_of_all_states_sum_to_one_and_new_rows_look_like_the_old():
    """Of four 0/1 columns there are sixteen rows."""
    chance = np.random.default_rng(0)
    first, other = chance.integers(0, 2, (2, 600))
    rows = np.stack([first, first, other, 1 - other], axis=1).astype(float)
    machine = NetworkDensity(model={"rbm": {"units": 8}}, scaling="none", epochs=300, random_state=0).fit(
        rows
    )
    states = np.array([[code >> place & 1 for place in range(4)] for code in range(16)], dtype=float)
    chances = np.exp(machine.score_samples(states))
    assert chances.sum() == pytest.approx(1, rel=1e-4)
    alike = (states[:, 0] == states[:, 1]) & (states[:, 2] != states[:, 3])
    assert chances[alike].sum() > 0.8
    new = machine.sample(200)
    assert ((new[:, 0] == new[:, 1]) & (new[:, 2] != new[:, 3])).mean() > 0.7
    assert machine.score(rows) == pytest.approx(machine.score_samples(rows).mean())


def test_binary_units_take_no_real_values():
    rows = load_iris(return_X_y=True)[0]
    for scaling in ("standard", "none"):
        with pytest.raises(RecipeError, match=r"are 0 or 1.*scaling='minmax'.*visible=gaussian"):
            NetworkDensity(model="rbm", scaling=scaling).fit(rows)
