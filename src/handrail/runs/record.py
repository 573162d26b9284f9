"""A run as it is on disk: its folder, recipe and figures. Reports are made from records."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from handrail.components import is_object
from handrail.errors import RunError
from handrail.evaluation.ledger import Opening
from handrail.evaluation.seal import Seal
from handrail.recipe import SOURCES, Recipe
from handrail.runs.folder import Folder, find_folder, read_json
from handrail.tools.arrow_files import DamageError, parquet_frame
from handrail.tools.files import explain_damage
from handrail.tools.notebook import Printable
from handrail.tools.trust import reading
from handrail.tools.yaml import read_yaml


class RunRecord(Printable):
    """What the files of a run folder say; nothing is trained, predicted or opened.

    Arguments:
        path: the folder.
        model: the module, where the fit was given an object.
        recipe: what was asked, if known: it may hold a password that the folder does not.
        trust: import what the files of the folder name by import path.
        allow_pickle: read the data of the run although it is a pickle.

    Raises: `RunError` when the folder is no run; `RecipeError`, where a file is read, for import paths that
        are not trusted.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        model: torch.nn.Module | None = None,
        recipe: Recipe | None = None,
        trust: bool = False,
        allow_pickle: bool = False,
    ) -> None:
        self.folder: Folder = find_folder(path)
        self._module, self._recipe = model, recipe
        self._trust, self._allow_pickle = trust, allow_pickle

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.folder.path}')"

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What was asked; a table given in memory is read from the folder."""
        return self._recipe or load_recipe(
            self.folder, model=self._module, trust=self._trust, allow_pickle=self._allow_pickle
        )

    @property
    def settled_recipe(self) -> Recipe:
        """The recipe with what the fit chose where it says `auto`."""
        with reading(self.folder.resolved_recipe, trust=self._trust):
            return self.recipe.with_values(self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        """The choices of the fit where the recipe says `auto`."""
        resolved = read_yaml(self.folder.resolved_recipe)
        names = ("batch_size", "epochs", "keep", "patience", "precision")
        training = {f"training.{name}": resolved["training"][name] for name in names}
        model = {} if is_object(self.recipe.model) else {"model": resolved["model"]}
        model |= {"stages": resolved["stages"]} if resolved.get("stages") else {}
        rest = {"learning": resolved["learning"], "data.augment": resolved["data"]["augment"]}
        return training | model | rest

    @property
    def summary(self) -> dict[str, Any]:
        """Figures on validation rows, findings, how training went: `validation.json`."""
        summary = read_json(self.folder.validation)
        with explain_damage(self.folder.validation):
            _ = summary["metrics"], summary["findings"], summary["training"]  # what everybody who asks reads
        return summary

    @property
    def validation(self) -> dict[str, dict[str, float | None]]:
        """Metrics on validation rows: `{metric: {value, low, high}}`."""
        return self.summary["metrics"]

    @property
    def tested(self) -> dict[str, Any] | None:
        """What `Run.test` measured: `test.json`; nothing while the seal is shut."""
        if not self.folder.test.exists():
            return None
        with explain_damage(self.folder.test):
            tested = read_json(self.folder.test)
            _ = tested["metrics"], tested["opening"], tested["refit"]  # what everybody who asks reads
            return tested

    @property
    def is_whole(self) -> bool:
        """Whether each part is a whole truth table, all rows that there can be: then nothing is sealed."""
        with explain_damage(self.folder.validation):
            return any(finding["name"] == "truth-table" for finding in self.summary["findings"])

    def openings(self) -> list[Opening]:
        """When these test rows, or most of them, were opened, by this run or any other; oldest first."""
        return Seal(self._hashes).openings()

    @functools.cached_property
    def _hashes(self) -> np.ndarray:
        try:
            hashes = parquet_frame(self.folder.sealed_hashes)["hash"]
            if not hashes.dtype.is_integer() or hashes.has_nulls():
                raise DamageError(f"the hashes are {hashes.dtype}, {hashes.null_count()} of them missing")
            return hashes.cast(pl.UInt64).to_numpy()
        except (DamageError, pl.exceptions.PolarsError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise RunError(f"'{self.folder.sealed_hashes}' is missing or damaged ({reason}).") from error


def load_recipe(
    folder: Folder, *, model: torch.nn.Module | None = None, trust: bool = False, allow_pickle: bool = False
) -> Recipe:
    """The recipe of a run; a table given in memory is read from the folder.

    Raises: `RunError` when the model was given as an object and is not given again; `RecipeError` for import
        paths that are not trusted.
    """
    values = read_yaml(folder.recipe)
    if model is not None:
        values["model"] = model
    elif str(values.get("model", "")).startswith("<object"):
        raise RunError(
            f"the model of '{folder.path}' was given as an object, {values['model']}; give it again "
            "(model=...)."
        )
    recipe = Recipe.from_file(values, folder.recipe, trust=trust, allow_pickle=allow_pickle)
    saved = [name for name in SOURCES if getattr(recipe.data, name) == folder.data(name).name]
    with reading(folder.recipe, trust=trust):
        return recipe.with_values({f"data.{name}": str(folder.data(name)) for name in saved})
