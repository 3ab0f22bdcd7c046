"""Opaque identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import ids

numbers = st.integers(0, 2**63 - 1)


@given(st.sampled_from([ids.TRANSFER, ids.CONVERSION, ids.WINDOW, ids.RATE]), numbers)
def test_an_identifier_written_and_read_is_the_same(prefix: str, number: int) -> None:
    text = ids.text(prefix, number)
    assert ids.parse(text) == (prefix, number)
    assert ids.number(text, ids.QUOTE, prefix) == number
    assert ids.number(text, ids.QUOTE) is None


@pytest.mark.parametrize(
    "text",
    ["", "tr", "tr_", "tr_G", "TR_1", "tr_1 ", "tr_1\n", "tr-1", "x_1", "trr_1", "tr_" + "f" * 16, "tr_" + "1" * 17],
)
def test_what_is_no_identifier_of_ours_names_nothing(text: str) -> None:
    assert ids.parse(text) is None


@given(st.integers(0, 2**42), st.integers(0, ids.PLACES - 1))
def test_identifiers_tell_their_batch_and_are_ordered_by_it(batch: int, place: int) -> None:
    number = ids.first_of(batch) + place
    assert ids.batch_of(number) == batch
    assert number < ids.first_of(batch + 1)
