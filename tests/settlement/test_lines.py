import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import ids
from settlement.lines import (
    Corrects,
    FeeShare,
    Line,
    LineError,
    LineMember,
    LineNotCanonical,
    LineNotJson,
    PointAmount,
    encode,
    is_text,
    parse,
    sequence,
)
from tests.settlement.bending import ALONE

LINE = Line(
    window=7,
    movement="cv_1a2b3c",
    leg=1,
    kind="convert",
    at=datetime(2026, 1, 31, 16, 0, 0, 5, UTC),
    currency="CNY",
    amount_millionths=4_800,
    payer="BANK",
    payee="AIR",
    purpose="settlement",
    points=(PointAmount("BANKPT", "1000"), PointAmount("MILE", "40.5")),
)
TEXT = (
    '{"amount":"0.0048","at":"2026-01-31T16:00:00.000005Z","currency":"CNY","from":"BANK","kind":"convert","leg":1,'
    '"movement":"cv_1a2b3c","points":[{"amount":"1000","currency":"BANKPT"},{"amount":"40.5","currency":"MILE"}],'
    '"purpose":"settlement","reverses":null,"to":"AIR","window":"7"}'
)

texts = st.text(min_size=1, max_size=12).filter(is_text)
lines = st.builds(
    Line,
    window=st.integers(0, 10**9),
    movement=st.integers(0, 2**63 - 1).map(lambda number: ids.text("mv", number)),
    leg=st.integers(0, 99),
    kind=st.sampled_from(["convert", "redeem", "reverse", "issue", "hold_capture"]),
    at=st.datetimes(timezones=st.just(UTC)),
    currency=st.sampled_from(["CNY", "JPY", "BHD"]),
    amount_millionths=st.integers(1, 10**20),
    payer=texts.map(lambda text: "p" + text),
    payee=texts.map(lambda text: "q" + text),
    purpose=st.sampled_from(["settlement", "fee"]),
    points=st.lists(st.builds(PointAmount, texts, st.sampled_from(["0", "1", "12.50"])), max_size=3).map(tuple),
    reverses=st.none() | st.just("cv_1"),
) | st.builds(
    lambda amount, kept, rest: replace(
        LINE, amount_millionths=amount, purpose="fee", share=FeeShare("sp_1f", amount + kept + rest, kept)
    ),
    st.integers(1, 10**20),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)


def members(**changes: object) -> bytes:
    document: dict[str, Any] = {**json.loads(TEXT), **changes}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_line_has_this_spelling() -> None:
    assert encode(LINE) == TEXT.encode()
    assert parse(TEXT.encode()) == LINE


def test_points_are_left_out_when_there_are_none() -> None:
    raw = encode(replace(LINE, points=(), reverses="cv_1"))
    assert b'"points"' not in raw
    assert b'"reverses":"cv_1"' in raw
    with pytest.raises(LineMember):
        parse(members(points=[]))


PRICED = replace(
    LINE,
    kind="redeem",
    amount_millionths=384_751,  # 40.5 × 0.00950002 = 0.38475081, half up
    points=(PointAmount("MILE", "40.5"),),
    terms="at_1f",
    price="0.00950002",
)


def test_a_priced_line_says_by_which_terms_and_its_amount_is_the_price_of_its_points() -> None:
    raw = encode(PRICED)
    assert b'"price":"0.00950002"' in raw
    assert b'"terms":"at_1f"' in raw
    assert parse(raw) == PRICED
    assert b"price" not in encode(LINE)  # what has none is spelled as ever
    assert parse(encode(replace(LINE, purpose="fee", terms="at_1f"))).terms == "at_1f"


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"amount": "0.38475"}, "amount"),
        ({"amount": "0.384752"}, "amount"),
        ({"price": "0.0095"}, "amount"),
        ({"points": [{"amount": "40.6", "currency": "MILE"}]}, "amount"),
        ({"price": "0.009500020"}, "price"),
        ({"price": "1e2"}, "price"),
        ({"price": "0.0000000000001"}, "price"),
        ({"price": 1}, "price"),
        ({"purpose": "fee"}, "price"),
        ({"reverses": "rd_1"}, "price"),
        ({"points": [{"amount": "40.5", "currency": "MILE"}] * 2}, "price"),
        ({"terms": "1f"}, "terms"),
        ({"terms": None}, "terms"),
    ],
)
def test_a_price_that_is_not_what_the_line_comes_to_is_refused_by_both(changes: dict[str, Any], member: str) -> None:
    raw = json.dumps({**json.loads(encode(PRICED)), **changes}, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(LineMember) as ours:
        parse(raw)
    with pytest.raises(ALONE.NoLine) as theirs:
        ALONE.read_line(raw)
    assert ours.value.member == member
    assert (theirs.value.code, str(theirs.value)) == (ours.value.code, str(ours.value))


def test_a_price_without_points_or_terms_is_refused_by_both() -> None:
    for left_out in ("points", "terms"):
        less = {name: value for name, value in json.loads(encode(PRICED)).items() if name != left_out}
        raw = json.dumps(less, sort_keys=True, separators=(",", ":")).encode()
        with pytest.raises(LineMember, match="price"):
            parse(raw)
        with pytest.raises(ALONE.NoLine, match="price"):
            ALONE.read_line(raw)


def test_a_correction_names_the_line_that_it_gives_back_and_other_lines_have_no_such_member() -> None:
    line = replace(LINE, kind="correct", points=(), corrects=Corrects("dp_1f", "mv_1a", 2))
    assert b'"corrects":{"dispute":"dp_1f","leg":2,"movement":"mv_1a"}' in encode(line)
    assert parse(encode(line)) == line
    assert b"corrects" not in encode(LINE)
    whole = {"dispute": "dp_1f", "leg": 2, "movement": "mv_1a"}
    wrongs: list[Any] = [None, [], {}, "mv_1a", {**whole, "more": "x"}]
    wrongs += [{**whole, "leg": leg} for leg in ("2", True, 2.0, -1, 2**31)]
    wrongs += [{**whole, name: text} for name in ("dispute", "movement") for text in ("", "mv_01", 1)]
    for wrong in wrongs:
        with pytest.raises(LineError):
            parse(members(corrects=wrong))


def test_instants_are_written_in_utc() -> None:
    at = datetime(2026, 2, 1, 0, 0, tzinfo=timezone(timedelta(hours=8)))
    assert b'"at":"2026-01-31T16:00:00.000000Z"' in encode(replace(LINE, at=at))


@settings(deadline=None)
@given(lines)
def test_parsing_is_the_inverse_and_the_spelling_is_rfc_8785(line: Line) -> None:
    raw = encode(line)
    assert parse(raw) == line
    assert rfc8785.dumps(json.loads(raw)) == raw


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("amount", "0.00"),
        ("amount", "-1.00"),
        ("amount", "1e2"),
        ("amount", 1),
        ("amount", "0.0000001"),
        ("at", "2026-01-31 16:00:00"),
        ("at", "2026-01-31T16:00:00Z"),
        ("at", "2026-01-31T16:00:00.000005+00:00"),
        ("at", "2026-02-30T16:00:00.000005Z"),
        ("at", "2026-01-31T16:00:60.000005Z"),
        ("at", None),
        ("currency", "XAU"),
        ("currency", "cny"),
        ("from", ""),
        ("from", " BANK"),
        ("from", "BA\nNK"),
        ("from", "AIR"),
        ("from", "x" * 201),
        ("to", "BANK"),
        ("to", None),
        ("kind", "Convert"),
        ("kind", ""),
        ("leg", "1"),
        ("leg", -1),
        ("leg", True),
        ("leg", 2**31),
        ("movement", "cv-1a"),
        ("movement", "cv_01"),
        ("movement", "cv_1A"),
        ("movement", "cv_8000000000000000"),
        ("movement", 7),
        ("points", {}),
        ("points", ["1"]),
        ("points", [{"amount": "1"}]),
        ("points", [{"amount": "1", "currency": "P", "scale": 2}]),
        ("points", [{"amount": "-1", "currency": "P"}]),
        ("points", [{"amount": 1, "currency": "P"}]),
        ("points", [{"amount": "1", "currency": ""}]),
        ("purpose", "gift"),
        ("reverses", ""),
        ("reverses", 3),
        ("window", 7),
        ("window", "07"),
        ("window", "-7"),
        ("window", "9" * 19),
        ("memo", "x"),
        ("invoice", 7),
        ("invoice", " "),
        ("share", {"fee": "1.00", "kept": "0.00", "plan": "sp_1"}),  # the line is of no fee
    ],
)
def test_a_value_out_of_its_domain_is_no_line(member: str, value: object) -> None:
    with pytest.raises(LineMember):
        parse(members(**{member: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "sp_01"},
        {"plan": 1},
        {"fee": "0.0047"},  # less than the share
        {"kept": "0.9953"},  # what is left is less than the share
        {"kept": "-0.01"},
        {"kept": "0"},
        {"fee": "1.0"},
        {"fee": 1},
        {"fee": "x"},
        {"place": "0"},
    ],
)
def test_a_share_that_makes_no_sense_is_none(change: dict[str, Any]) -> None:
    share = {"fee": "1.00", "kept": "0.00", "plan": "sp_1"}
    assert parse(members(purpose="fee", share=share)).share == FeeShare("sp_1", 1_000_000, 0)
    with pytest.raises(LineError):
        parse(members(purpose="fee", share={**share, **change}))
    with pytest.raises(LineMember):
        parse(members(purpose="fee", share={name: share[name] for name in ("fee", "plan")}))


@pytest.mark.parametrize("member", sorted(json.loads(TEXT).keys() - {"points"}))
def test_a_line_lacks_nothing(member: str) -> None:
    document = json.loads(TEXT)
    del document[member]
    with pytest.raises(LineMember) as refused:
        parse(json.dumps(document).encode())
    assert refused.value.member == member


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 10_000,
        b'{"leg":1.0}',
        b'{"leg":NaN}',
        b'{"leg":' + b"9" * 5_000 + b"}",
        b'{"leg":1}' + b" " * 20_000,
    ],
)
def test_what_is_no_object_is_no_line(raw: bytes) -> None:
    with pytest.raises(LineNotJson):
        parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.replace(",", ", ", 1),
        TEXT + "\n",
        TEXT + "\r",
        TEXT.replace('"amount":"0.0048"', '"amount":"0.00480"'),
        TEXT.replace('"leg":1', '"leg":1,"leg":1'),
        TEXT.replace("BANKPT", "\\u0042ANKPT"),
        TEXT.replace('"to":"AIR","window":"7"', '"window":"7","to":"AIR"'),
    ],
)
def test_another_spelling_of_a_line_is_not_taken(raw: str) -> None:
    with pytest.raises(LineNotCanonical):
        parse(raw.encode())


@settings(deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_garbage_is_refused_with_a_typed_error(raw: bytes) -> None:
    with pytest.raises(LineError):
        parse(raw)


def test_lines_are_ordered_by_the_number_in_the_movement() -> None:
    before, after = replace(LINE, movement="rd_ff", leg=9), replace(LINE, movement="cv_100", leg=0)
    assert before.order < after.order  # 0xff < 0x100, although the texts sort the other way
    assert sequence("mv_1a2b3c") == 0x1A2B3C
    assert replace(LINE, leg=1).order < replace(LINE, leg=2).order


def test_a_line_needs_a_time_zone() -> None:
    with pytest.raises(LineMember):
        replace(LINE, at=datetime(2026, 1, 1))
