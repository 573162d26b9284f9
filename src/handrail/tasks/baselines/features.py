"""What baselines see of rows: the encoder's simple numbers, and the words of texts as TF-IDF."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handrail.data.encoders.column import ColumnEncoder
from handrail.data.encoders.row_encoder import Mixed, OneColumn, RowEncoder
from handrail.data.encoders.table import TableEncoder
from handrail.data.encoders.tokenizers import suitable
from handrail.data.part import Part
from handrail.data.rows import Rows, count, take
from handrail.tasks.scoring import rows_at_once

Features = Any
"""An array or a sparse array `[rows, width]`; SciPy's own types do not know that these have a shape."""

_MOST_TERMS = 200_000
_PHRASE = 2  # words
_SIGNS = 3  # characters, where there are no words
_WORD = r"(?u)\b\w+\b"
_LOOKED_AT = 1000  # texts whose length tells how much work there is


@dataclass(frozen=True)
class FeatureMaker:
    """Makes the features of rows; `of` learns it from training rows.

    Texts of a table in memory are TF-IDF of words and pairs of words, of 1 to 3 characters where fewer than
    one text in ten holds a space, over the whole text. Of a streamed table they are counts of tokens.

    Arguments:
        texts: by column, a fitted `TfidfVectorizer`.

    Source: Salton & Buckley 1988 (TF-IDF); Pedregosa 2011 (scikit-learn)
    """

    encoder: RowEncoder
    texts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, encoder: RowEncoder, part: Part, places: Int[np.ndarray, " n"]) -> "FeatureMaker":
        """Learn the terms of texts from the rows at some places of the training rows."""
        names = _text_columns(encoder) if _in_memory(part) else []
        fitted = {name: _fit_terms(part.features[name][places]) for name in names}
        return cls(encoder, {name: terms for name, terms in fitted.items() if terms is not None})

    def make(self, part: Part, rows: Rows, places: Int[np.ndarray, " n"]) -> Features:
        """All features of the rows at these places of a part, whose encoded rows are given."""
        numbers = _in_chunks(rows, places, lambda chunk: _simple(self.encoder, chunk, without=self.texts))
        codes = _codes(self.encoder, rows, places)
        if not self.texts and codes is None:
            return numbers
        terms = [model.transform(_strings(part.features[name][places])) for name, model in self.texts.items()]
        from scipy.sparse import csr_array, hstack

        levels = [] if codes is None else [codes]
        return csr_array(hstack([csr_array(numbers), *levels, *terms]))

    def table(self, rows: Rows, places: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n width"]:
        """The numbers and categories alone."""
        table = table_of(self.encoder)
        assert table is not None
        of_table = rows[0] if isinstance(rows, tuple) else rows
        return _in_chunks(of_table, places, table.simple)


def work_of(encoder: RowEncoder, part: Part, rows: Rows) -> int:
    """How many numbers of a row are not zero: what a linear model has to look at."""
    names = _text_columns(encoder) if _in_memory(part) else []
    numbers = _in_chunks(rows, np.arange(1), lambda chunk: _simple(encoder, chunk, without=names))
    table = table_of(encoder)
    levels = 0 if table is None else len(table.embedding_sizes)
    return (
        numbers.shape[1] + levels + sum(_usual_terms(part.features[name].head(_LOOKED_AT)) for name in names)
    )


def table_of(encoder: RowEncoder) -> TableEncoder | None:
    """The encoder of the numbers and categories, where there are any."""
    if isinstance(encoder, TableEncoder):
        return encoder
    return encoder.table if isinstance(encoder, Mixed) else None


def _text_columns(encoder: RowEncoder) -> list[str]:
    columns: list[ColumnEncoder] = []
    if isinstance(encoder, OneColumn):
        columns = [encoder.column]
    elif isinstance(encoder, Mixed):
        columns = list(encoder.columns)  # pyright: ignore[reportAssignmentType]
    return [column.name for column in columns if column.kind == "text"]


def _in_memory(part: Part) -> bool:
    return len(part.features) == len(part)


def _fit_terms(column: pl.Series) -> Any:
    """The terms of training texts, as scikit-learn's `TfidfVectorizer`; None where they have none."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # only where there are texts

    if suitable(column) == "characters":
        model = TfidfVectorizer(analyzer="char", ngram_range=(1, _SIGNS), max_features=_MOST_TERMS)
    else:
        model = TfidfVectorizer(token_pattern=_WORD, ngram_range=(1, _PHRASE), max_features=_MOST_TERMS)
    try:
        return model.fit(_strings(column))
    except ValueError:  # all texts are empty, or of signs that are no words
        return None


def _strings(column: pl.Series) -> list[str]:
    return column.fill_null("").to_list()


def _usual_terms(column: pl.Series) -> int:
    texts = _strings(column)
    each = _SIGNS * sum(map(len, texts)) if suitable(column) == "characters" else 0
    each = each or _PHRASE * sum(len(text.split()) for text in texts)
    return each // max(len(texts), 1) + 1


def _simple(encoder: RowEncoder, rows: Any, *, without: Collection[str]) -> Tensor:
    """The encoder's simple numbers, but for some columns, and for categories that are codes."""
    if isinstance(encoder, TableEncoder):
        return encoder.numbers(rows)
    if not isinstance(encoder, Mixed):  # the one column that there is, or windows
        return torch.zeros(count(rows), 0) if without else encoder.simple(rows)
    parts: list[Any] = [*([] if encoder.table is None else [encoder.table]), *encoder.columns]
    kept = [
        part.numbers(of_part) if isinstance(part, TableEncoder) else part.simple(of_part)
        for part, of_part in zip(parts, rows, strict=True)
        if getattr(part, "name", None) not in without
    ]
    return torch.cat(kept, dim=1) if kept else torch.zeros(count(rows), 0)


def _codes(encoder: RowEncoder, rows: Rows, places: np.ndarray) -> Features | None:
    """One column a level of categories that are to be embedded, of which few numbers are not zero."""
    table = table_of(encoder)
    if table is None or not table.embedding_sizes:
        return None
    from scipy.sparse import csr_array

    of_table: Any = take(rows[0] if isinstance(rows, tuple) else rows, torch.from_numpy(places))
    codes = of_table[:, -len(table.embedding_sizes) :].cpu().numpy()
    starts = np.cumsum([0, *table.embedding_sizes])
    columns = (codes.astype(np.int64) + starts[:-1]).ravel()
    ends = np.arange(0, len(columns) + 1, codes.shape[1])
    return csr_array((np.ones(len(columns), np.float32), columns, ends), shape=(len(codes), starts[-1]))


@torch.inference_mode()
def _in_chunks(
    rows: Rows, places: np.ndarray, features_of: Callable[[Any], Tensor]
) -> Float[np.ndarray, "n width"]:
    """Features of the rows at these places, a chunk at a time, to save memory."""
    size, features = rows_at_once(rows), np.empty((0, 0), dtype=np.float32)
    for start in range(0, max(len(places), 1), size):
        chunk = features_of(take(rows, torch.from_numpy(places[start : start + size]))).cpu().numpy()
        if not start:
            features = np.empty((len(places), chunk.shape[1]), dtype=chunk.dtype)
        features[start : start + len(chunk)] = chunk
    return features
