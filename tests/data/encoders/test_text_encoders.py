"""The encoders of texts and of streams: rows, windows and what they learn from which rows."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from handrail.data.encoders.codes import FIRST, PADDING, UNKNOWN
from handrail.data.encoders.text import AsCodes, StreamEncoder, TextEncoder, following
from handrail.data.rows import count, take
from handrail.errors import DataError
from handrail.recipe.sections import Text
from handrail.shapes import TokenShape

TRAIN = pl.Series(
    "mail", ["Win a prize now", "see you now", None, "call me now!", "a b c d e f g h i j"] * 20
)


def test_texts_become_padded_codes_and_only_training_rows_teach_them() -> None:
    encoder = TextEncoder.fit(TRAIN, None, Text())
    rows = encoder.rows(pl.Series("mail", ["see zebras now", None, "call me"]))
    assert rows.dtype == torch.int32
    assert encoder.shape == TokenShape(10, encoder.tokenizer.vocabulary)
    assert rows.shape == (3, 10)
    assert rows[0, 1] == UNKNOWN
    assert (rows[0, 3:] == PADDING).all()
    assert (rows[1] == PADDING).all()
    assert encoder.tokenizer.decode(rows[2].tolist()) == "call me"
    assert AsCodes()(rows).dtype == torch.int64


def test_rows_do_not_depend_on_the_rows_beside_them() -> None:
    encoder = TextEncoder.fit(TRAIN, None, Text())
    rows = encoder.rows(TRAIN)
    alone = torch.cat([encoder.rows(TRAIN[row : row + 1]) for row in range(len(TRAIN))])
    assert torch.equal(rows, alone)


@pytest.mark.parametrize(
    ("lengths", "held"), [([1] * 95 + [9] * 5, 1), ([1] * 94 + [9] * 6, 9), ([0, 0], 1), ([600] * 3, 512)]
)
def test_the_length_holds_95_percent_of_the_texts(lengths: list[int], held: int) -> None:
    column = pl.Series("t", [" ".join(["ab cd"[:2]] * length) for length in lengths])
    assert TextEncoder.fit(column, None, Text(tokens="words")).length == held


@pytest.mark.parametrize("tokens", ["auto", "characters", "byte_pairs"])
def test_facts_make_the_same_encoder(tokens) -> None:
    encoder = TextEncoder.fit(TRAIN, None, Text(tokens=tokens, vocabulary=300))
    back = TextEncoder.from_facts(json.loads(json.dumps(encoder.facts())))
    rows = encoder.rows(TRAIN)
    assert torch.equal(back.rows(TRAIN), rows)
    assert torch.equal(back.simple(rows), encoder.simple(rows))
    assert back.facts() == encoder.facts()
    assert back.shape == encoder.shape


def test_the_simple_numbers_are_log_counts_of_the_most_frequent_tokens() -> None:
    words = [f"w{number:04d}" for number in range(1500)]
    column = pl.Series("t", [" ".join(words), " ".join(words[500:])])
    encoder = TextEncoder.fit(column, None, Text(tokens="words", length=2000))
    features = encoder.simple(encoder.rows(pl.Series("t", ["w0700 w0700 w0001 new", ""])))
    assert features.shape == (2, 1000)
    assert features[1].sum() == 0
    place = encoder.counted.index(encoder.tokenizer.encode(["w0700"])[0][0])
    assert features[0, place] == pytest.approx(np.log(3))
    assert features[0].count_nonzero() == 1  # w0001 is rarer, and the new word unknown


def test_rows_of_unknown_words_alone_are_named() -> None:
    encoder = TextEncoder.fit(TRAIN, None, Text())
    asked = pl.Series("mail", ["ελληνικά μόνο", "see ελληνικά", "", None, "qqq"])
    assert encoder.unseen(asked).tolist() == [0, 4]
    assert encoder.tokenizer.share_unknown(asked) == pytest.approx(4 / 5)
    assert not len(encoder.unseen(TRAIN))


PASSAGES = pl.Series(
    "text", ["First Citizen:\nBefore we proceed", " any further,\nhear me speak.\n", "All:\nSpeak."]
)


@given(st.integers(1, 30))
def test_windows_lie_side_by_side_and_targets_are_one_token_later(length: int) -> None:
    encoder = StreamEncoder.fit(PASSAGES, None, Text(length=length))
    rows, targets = encoder.rows(PASSAGES), encoder.targets(PASSAGES)
    whole = "".join(PASSAGES)
    assert count(rows) == count(targets) == (len(whole) - 1) // length
    everything = torch.arange(count(rows))
    seen, expected = take(rows, everything), take(targets, everything)
    assert isinstance(seen, torch.Tensor)
    assert isinstance(expected, torch.Tensor)
    for row in range(count(rows)):
        start = row * length
        assert encoder.tokenizer.decode(seen[row].tolist()) == whole[start : start + length]
        assert encoder.tokenizer.decode(expected[row].tolist()) == whole[start + 1 : start + length + 1]
    assert targets.data is following(rows).data or torch.equal(targets.data, following(rows).data)
    assert encoder.shape == TokenShape(length, FIRST + len(set(whole)))


def test_a_stream_keeps_capital_letters_and_knows_training_characters_alone() -> None:
    encoder = StreamEncoder.fit(PASSAGES, None, Text(length=4))
    rows = encoder.rows(pl.Series("text", ["Zeal all"]))
    assert take(rows, torch.tensor([0])).tolist()[0][0] == UNKNOWN  # pyright: ignore[reportAttributeAccessIssue]
    assert encoder.tokenizer.share_unknown(pl.Series("text", ["Zeal all"])) == pytest.approx(1 / 8)
    back = StreamEncoder.from_facts(json.loads(json.dumps(encoder.facts())))
    assert torch.equal(back.rows(PASSAGES).data, encoder.rows(PASSAGES).data)
    assert back.shape == encoder.shape


def test_a_text_without_one_window_is_refused() -> None:
    encoder = StreamEncoder.fit(PASSAGES, None, Text())
    with pytest.raises(
        DataError, match="column 'text': found 64 tokens in 1 passages, expected more than the 64"
    ):
        encoder.rows(pl.Series("text", ["a" * 64]))
    assert count(encoder.rows(pl.Series("text", ["a" * 65]))) == 1


def test_tiny_shakespeare_fills_its_windows(shared_data) -> None:
    from handrail.data.sources.passages import read_text_file

    column = read_text_file(shared_data / "tinyshakespeare" / "input.txt").frame["text"]
    encoder = StreamEncoder.fit(column, None, Text())
    rows = encoder.rows(column)
    assert encoder.shape == TokenShape(64, 67)
    assert len(rows.data) == 1_115_394
    assert len(rows) == 1_115_393 // 64
