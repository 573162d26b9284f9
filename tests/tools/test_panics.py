"""A panic of a library in Rust: an error like others, and nothing beside it on standard error."""

import os

import pytest

from handrail.tools.panics import PanicError, catch_panics

PanicException = type("PanicException", (BaseException,), {})  # as pyo3 calls its own


def _panic() -> None:
    with catch_panics():
        os.write(2, b"thread panicked at lib.rs:1\nstack backtrace:\n")
        raise PanicException("out of range\nmore")


def test_a_panic_is_an_error_of_one_line_without_a_trace(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PanicError, match=r"^out of range$"):
        _panic()
    assert capfd.readouterr().err == ""


def test_what_is_written_without_a_panic_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with catch_panics():
        os.write(2, b"a remark")
        with catch_panics():  # inside another, it holds nothing back itself
            os.write(2, b", and another")
    os.write(2, b".")
    assert capfd.readouterr().err == "a remark, and another."
