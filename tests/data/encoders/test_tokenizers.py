"""Tokenizers: round trips, codes, what is learned and from which rows."""

import json
import sys
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.encoders.codes import FIRST, PADDING, UNKNOWN, Ragged
from handrail.data.encoders.tokenizers import Kind, TextKind, Tokenizer, suitable
from handrail.errors import DataError, HandrailError
from handrail.recipe.sections import Text

KINDS: tuple[Kind, ...] = get_args(TextKind)
WRITTEN = Text(lower=False)
SAYINGS = [
    "To be, or not to be.",
    "Don't panic! (It's 42.)",
    "a rose is a rose is a rose",
    "£5 für 2 Äpfel …",
    "",
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(texts, min_size=1, max_size=6))
def test_characters_come_back_to_the_letter(some: list[str]) -> None:
    tokenizer = Tokenizer.fit(some, Text(lower=False, vocabulary=100_000), "characters")
    assert [tokenizer.decode(codes) for codes in tokenizer.encode(some)] == some
    assert tokenizer.vocabulary == FIRST + len(set("".join(some)))


@given(texts)
def test_byte_pairs_bring_any_text_back(text: str) -> None:
    tokenizer = _byte_pairs()
    (codes,) = tokenizer.encode([text])
    assert tokenizer.decode(codes) == text
    assert all(FIRST <= code < tokenizer.vocabulary for code in codes)


def _byte_pairs() -> Tokenizer:
    return Tokenizer.fit(SAYINGS, Text(lower=False, vocabulary=280), "byte_pairs")


@given(st.lists(texts, min_size=1, max_size=6))
def test_words_that_are_known_come_back_as_the_same_words(some: list[str]) -> None:
    tokenizer = Tokenizer.fit(some, WRITTEN, "words")
    for text, codes in zip(some, tokenizer.encode(some), strict=True):
        assert UNKNOWN not in codes
        assert tokenizer.pieces(tokenizer.decode(codes)) == tokenizer.pieces(text)
        assert tokenizer.decode(codes) == tokenizer.normalise(text)


def test_words_are_split_at_spaces_and_signs_and_written_with_usual_spaces() -> None:
    tokenizer = Tokenizer.fit(SAYINGS, WRITTEN, "words")
    assert tokenizer.pieces("Don't panic! (It's 42.)") == [
        "Don",
        "'",
        "t",
        "panic",
        "!",
        "(",
        "It",
        "'",
        "s",
        "42",
        ".",
        ")",
    ]
    assert tokenizer.pieces("£5, win2day") == ["£", "5", ",", "win2day"]
    assert [tokenizer.decode(codes) for codes in tokenizer.encode(SAYINGS)][:3] == SAYINGS[:3]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_teach_the_same_tokens_and_facts_bring_them_back(kind: Kind) -> None:
    first, second = (Tokenizer.fit(SAYINGS, Text(vocabulary=290), kind) for _ in range(2))
    assert first.facts() == second.facts()
    back = Tokenizer.from_facts(json.loads(json.dumps(first.facts())))
    assert back.facts() == first.facts()
    assert back.vocabulary == first.vocabulary
    probe = [*SAYINGS, "a new, unseen Ж text"]
    assert back.encode(probe) == first.encode(probe)


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_what_training_lacks_is_unknown(kind: Kind) -> None:
    tokenizer = Tokenizer.fit(["a b c"], WRITTEN, kind)
    codes = tokenizer.encode(["a b z"])[0]
    assert codes[-1] == UNKNOWN
    assert UNKNOWN not in codes[:-1]
    assert tokenizer.decode(codes) == "a b \ufffd"
    assert tokenizer.share_unknown(["a b z"]) == pytest.approx(1 / len(codes))
    assert tokenizer.share_unknown([""]) == 0


@pytest.mark.parametrize("kind", ["characters", "words"])
def test_the_vocabulary_keeps_the_most_frequent(kind: Kind) -> None:
    tokenizer = Tokenizer.fit(["c c c b b a", "d d d d"], Text(vocabulary=5), kind)
    known = {text for text in "abcd" if tokenizer.encode([text])[0] != [UNKNOWN]}
    assert tokenizer.vocabulary == 5
    # The space is a character too.
    assert known == ({"c", "d"} if kind == "characters" else {"b", "c", "d"})


def test_words_stand_in_the_order_of_their_numbers_and_equals_by_letter() -> None:
    tokenizer = Tokenizer.fit(["b a c c", "d"], WRITTEN, "words")
    assert tokenizer.encode(["c a b d"]) == [[2, 3, 4, 5]]


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_can_pass_for_padding_or_the_unknown(kind: Kind) -> None:
    words = ["[PAD] [UNK] <pad> <unk> \n \ufffd", " ", "\n\n"]
    tokenizer = Tokenizer.fit(words, WRITTEN, kind)
    codes = np.array([code for row in tokenizer.encode(words) for code in row])
    assert (codes >= FIRST).all()


@pytest.mark.parametrize("kind", KINDS)
def test_capital_letters_count_as_small_ones_where_asked(kind: Kind) -> None:
    lower, cased = (
        Tokenizer.fit(["Ab aB ÄÖ äö"], Text(lower=lower, vocabulary=300), kind) for lower in (True, False)
    )
    assert lower.encode(["AB"]) == lower.encode(["ab"])
    assert lower.pieces("AB") == lower.pieces("ab")
    assert cased.encode(["Ab"]) != cased.encode(["aB"])


@pytest.mark.parametrize("kind", KINDS)
def test_missing_texts_are_empty_and_rows_are_cut_and_padded(kind: Kind) -> None:
    column = pl.Series("text", ["a b c", None, "", "c"])
    tokenizer = Tokenizer.fit(column, WRITTEN, kind)
    rows = tokenizer.pad(column, 2)
    assert rows.dtype == np.int32
    whole = tokenizer.encode(column)
    assert rows.tolist() == [[*codes, PADDING, PADDING][:2] for codes in whole]
    assert whole[1] == whole[2] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_texts_and_empty_texts_are_texts_too(kind: Kind) -> None:
    tokenizer = Tokenizer.fit(["", ""], Text(vocabulary=300), kind)
    assert tokenizer.encode([]) == []
    assert tokenizer.pad([], 3).shape == (0, 3)
    assert tokenizer.encode([""]) == [[]]


@given(st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=6), st.integers(1, 6))
def test_ragged_rows_are_padded_and_counted_like_lists(rows: list[list[int]], length: int) -> None:
    ragged = Ragged(
        np.array([code for row in rows for code in row], np.int32),
        np.array([len(row) for row in rows], np.int64),
    )
    assert ragged.texts() == rows
    assert ragged.pad(length).tolist() == [(row + [0] * length)[:length] for row in rows]
    assert ragged.counts(ragged.codes == 1).tolist() == [row.count(1) for row in rows]


def test_single_words_are_read_by_character_and_sentences_by_word() -> None:
    assert suitable(pl.Series(["anna", "bo", None, " carl "])) == "characters"
    assert suitable(pl.Series(["good morning", "hello", "see you"])) == "words"
    assert suitable(pl.Series([None, ""], dtype=pl.String)) == "words"


def test_byte_pairs_need_room_for_all_bytes() -> None:
    with pytest.raises(DataError, match="found 257, expected at least 258 for byte pairs"):
        Tokenizer.fit(SAYINGS, Text(vocabulary=257), "byte_pairs")


@pytest.mark.parametrize("kind", ["words", "byte_pairs"])
def test_without_the_library_characters_serve_and_the_others_say_what_to_install(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = Tokenizer.fit(SAYINGS, Text(vocabulary=300), kind).facts()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert Tokenizer.fit(SAYINGS, Text(), "characters").encode(["to"])
    for act in (
        lambda: Tokenizer.fit(SAYINGS, Text(vocabulary=300), kind),
        lambda: Tokenizer.from_facts(learned),
    ):
        with pytest.raises(
            HandrailError,
            match=rf"{kind} needs the package tokenizers; install it with: pip install 'handrail\[text\]'",
        ):
            act()


def test_tiny_shakespeare_has_65_characters(shared_data) -> None:
    text = (shared_data / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    tokenizer = Tokenizer.fit([text], WRITTEN, "characters")
    assert tokenizer.vocabulary == FIRST + 65
    assert tokenizer.decode(tokenizer.ragged([text]).codes) == text
