"""Columns of words: yes and no in several spellings, categories whose levels differ in case alone, texts."""

from importlib.util import find_spec

import polars as pl

from handrail.data.columns.column import Column
from handrail.data.columns.values import FALSE, TRUE, YES_NO

_SENTENCE = 5  # words in the mean: shorter texts are names and titles
_SIGNS = 8  # of a script without spaces in the mean: shorter texts are names and titles
# Chinese and Japanese signs, kana, Thai, Lao, Burmese, Khmer: they are written without spaces.
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}]"
_A_WORD = r"^\p{L}{3,}(?:[\s'’-]+\p{L}+)*\.?$"
_RARE_SPELLING = 0.2  # of the rows of a level, so that a spelling is taken for a slip
_MOST_LEVELS = 20_000  # beyond, spellings are not compared
YES = {*TRUE, "1", "1.0"}
NO = {*FALSE, "0", "0.0"}


def is_yes_no(values: pl.Series, distinct: int) -> bool:
    """Whether all values are words for yes and no: one pair, or one with 0, 1, true and others beside it."""
    if distinct > 4 * len(YES | NO):
        return False
    words = {word.lower() for word in values.unique().to_list()}
    if any(words <= {*yes, *no} and words & {*yes} and words & {*no} for yes, no in YES_NO):
        return True
    whole = any(yes[0] in words and no[0] in words for yes, no in YES_NO)
    return whole and words <= YES | NO


def infer_words(name: str, values: pl.Series, distinct: int, fold: bool | str = "auto") -> Column:
    """A category, a text, or an identifier: what differs in more than half of the rows."""
    if distinct > 0.5 * len(values) and distinct > 20:
        return _infer_texts(name, values, distinct)
    folds = find_folds(values, fold)
    return Column(name=name, kind="category", folds=folds, why=f"{distinct:,} different values")


def _infer_texts(name: str, values: pl.Series, distinct: int) -> Column:
    words = float(values.str.count_matches(r"\s+").mean() or 0) + 1  # pyright: ignore[reportArgumentType]
    texts = f"{distinct:,} different texts of about {words:.0f} words"
    sample = values.head(1000)
    signs = float(sample.str.count_matches(UNSPACED).mean() or 0)  # pyright: ignore[reportArgumentType]
    if signs >= _SIGNS:
        texts = f"{distinct:,} different texts of about {sample.str.len_chars().mean():.0f} characters"
    if (words >= _SENTENCE or signs >= _SIGNS) and find_spec("tokenizers") is not None:
        return Column(name=name, kind="text", why=texts)
    if words >= _SENTENCE or signs >= _SIGNS:
        why = f"{texts}; pip install 'handrail[text]' reads them"
    elif words < 2:
        why = f"{distinct:,} different values in {len(values):,} rows"
    else:
        why = f"{texts}; data.columns reads them as text"
    return Column(name=name, kind="identifier", why=why)


def spelling_key(values: pl.Series) -> pl.Series:
    """In small letters, with single spaces: equal for spellings of the same words."""
    return values.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def spellings(values: pl.Series) -> dict[str, list[tuple[str, int]]]:
    """Levels that differ in case and white space alone: by what they share, with their rows, most first."""
    counts = values.drop_nulls().rename("level").value_counts(name="rows")
    if len(counts) > _MOST_LEVELS:
        return {}
    keys = spelling_key(counts["level"])
    if keys.n_unique() == len(keys):
        return {}
    groups: dict[str, list[tuple[str, int]]] = {}
    for key, (level, rows) in zip(keys.to_list(), counts.rows(), strict=True):
        groups.setdefault(key, []).append((level, rows))
    return {
        key: sorted(group, key=lambda each: (-each[1], each[0]))
        for key, group in groups.items()
        if len(group) > 1
    }


def find_folds(values: pl.Series, fold: bool | str) -> tuple[tuple[str, str], ...]:
    """What spellings share, with the commonest of them, for levels that count as one.

    Arguments:
        fold: all of them, or (`auto`) those that are words of at least three letters of which one spelling
            has most rows by far: Co and CO are two things.
    """
    found = spellings(values) if fold else {}
    folded = {key: group for key, group in found.items() if fold is True or _is_slip(key, group)}
    return tuple(sorted((key, group[0][0]) for key, group in folded.items()))


def _is_slip(key: str, group: list[tuple[str, int]]) -> bool:
    is_word = bool(pl.Series([key]).str.contains(_A_WORD)[0])
    return is_word and group[1][1] <= _RARE_SPELLING * sum(rows for _, rows in group)
