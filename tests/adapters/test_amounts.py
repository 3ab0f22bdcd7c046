"""Amounts and times as partners write them, exactly."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.amounts import AmountForm, Digits, TimeForm, WrongAnswer, decode
from hub.points import AMOUNT_MAX

FORMS = [
    AmountForm.model_validate({**form, "number": number})
    for form in ({"form": "DECIMAL"}, {"form": "UNITS"}, {"form": "SCALED", "scale": 8})
    for number in (False, True)
]  # fmt: skip


@given(st.sampled_from(FORMS), st.integers(1, AMOUNT_MAX), st.integers(0, 6))
def test_what_is_shown_is_read_back_through_json(form: AmountForm, units: int, scale: int) -> None:
    octets = msgspec.json.encode({"a": form.show(units, scale)})
    assert form.read(decode(octets)["a"], scale) == units


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (AmountForm(), b'"123.40"'),
        (AmountForm(number=True), b"123.40"),
        (AmountForm(form="UNITS"), b'"12340"'),
        (AmountForm(form="UNITS", number=True), b"12340"),
        (AmountForm(form="SCALED", scale=4), b'"1234000"'),
    ],
)
def test_an_amount_is_written_in_its_form(form: AmountForm, shown: bytes) -> None:
    assert msgspec.json.encode(form.show(12_340, 2)) == shown


@pytest.mark.parametrize(
    ("form", "octets"),
    [
        (AmountForm(), b"123.45"),
        (AmountForm(), b'"123.456"'),
        (AmountForm(), b'"1e2"'),
        (AmountForm(), b'"-1"'),
        (AmountForm(), b'"\xd9\xa1"'),  # a digit of another script
        (AmountForm(number=True), b'"123.45"'),
        (AmountForm(number=True), b"123.449999"),
        (AmountForm(number=True), b"123.45000000000000001"),
        (AmountForm(number=True), b"1.2345e2"),
        (AmountForm(number=True), b"true"),
        (AmountForm(number=True), b"null"),
        (AmountForm(form="UNITS", number=True), b"12345.5"),
        (AmountForm(form="UNITS", number=True), b"1000000000000001"),
        (AmountForm(form="SCALED", scale=3, number=True), b"123451"),
    ],
)
def test_what_is_no_amount_of_the_form_is_a_wrong_answer(form: AmountForm, octets: bytes) -> None:
    with pytest.raises(WrongAnswer):
        form.read(decode(octets), 2)


def test_numbers_keep_their_digits() -> None:
    found = decode(b"[0.1, 1e400, 123456789012345678901234567890, 7]")
    assert found == [Digits("0.1"), Digits("1e400"), 123456789012345678901234567890, 7]
    assert [type(one) for one in found] == [Digits, Digits, int, int]


@pytest.mark.parametrize(
    "octets",
    [
        b'{"status": "REFUSED", "status": "SUCCEEDED"}',
        b'{"status": "SUCCEEDED", "status": "SUCCEEDED"}',
        b'{"status": "REFUSED", "st\\u0061tus": "SUCCEEDED"}',
        b'{"data": [{"a": 1}, {"a": {"b": 1, "c": 2, "b": 3}}]}',
        b'{"": null, "": null}',
    ],
)
def test_an_object_that_names_something_twice_is_not_read(octets: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(octets)


def test_what_is_named_twice_in_different_objects_is_read() -> None:
    octets = '{"a": {"a": [{"a": "卡"}, {"a": 1.50, "A": null}]}}'.encode()
    assert decode(octets) == {"a": {"a": [{"a": "卡"}, {"a": Digits("1.50"), "A": None}]}}


EAST = timezone(timedelta(hours=8))
AT = datetime(2026, 3, 1, 12, 0, 30, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (TimeForm(), "2026-03-01T12:00:30.250000Z"),
        (TimeForm(zone="Asia/Shanghai"), "2026-03-01T20:00:30.250000+08:00"),
        (TimeForm(form="UNIX"), 1_772_366_430),
        (TimeForm(form="UNIX_MS"), 1_772_366_430_250),
        (TimeForm(form="PATTERN", pattern="%Y%m%d%H%M%S", zone="Asia/Shanghai"), "20260301200030"),
    ],
)
def test_an_instant_is_written_in_its_form_and_read_back(form: TimeForm, shown: str | int) -> None:
    assert form.show(AT) == shown
    assert AT - form.read(shown) in (timedelta(0), timedelta(milliseconds=250))


def test_a_time_without_a_zone_is_of_the_configured_one_or_of_none() -> None:
    assert TimeForm(zone="Asia/Shanghai").read("2026-03-01T20:00:30").astimezone(EAST).hour == 20
    assert TimeForm().read("2026-03-01T20:00:30").tzinfo is None


@pytest.mark.parametrize(
    ("form", "found"),
    [
        (TimeForm(), "yesterday"),
        (TimeForm(), 1_772_366_430),
        (TimeForm(form="UNIX"), "soon"),
        (TimeForm(form="UNIX"), True),
        (TimeForm(form="UNIX"), 10**30),
        (TimeForm(form="UNIX"), Digits("1.5")),
        (TimeForm(form="PATTERN", pattern="%Y"), "March"),
        (TimeForm(), None),
    ],
)
def test_what_is_no_time_of_the_form_is_a_wrong_answer(form: TimeForm, found: Any) -> None:
    with pytest.raises(WrongAnswer):
        form.read(found)
