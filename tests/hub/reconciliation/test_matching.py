"""Matching, held against an oracle that goes through the rows one by one."""

import csv
import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.partners import Operation, Status
from hub.reconciliation.breaks import BreakType, Found, Source
from hub.reconciliation.matching import EPOCH, Frame, Matching, Sum, instant

HOUR = 3_600 * 1_000_000
DAY = 24 * HOUR
START = 20_000 * DAY
FRAME = Frame(START, START + DAY, START - DAY, START + 2 * DAY, "MILES")
SIGNS = {"DEBIT": -1, "CREDIT": 1}
OPERATIONS = ["CREDIT", "DEBIT", "REVERSE"]


class Order(NamedTuple):
    reference: str
    operation: str
    amount: int
    status: str
    asked: int
    span_start: int
    span_end: int
    home: bool
    member: str
    undoes: str | None = None

    @property
    def booked(self) -> int:
        """What was done here, as the member sees it."""
        return 0 if self.status != "SUCCEEDED" else (sign_of(self.operation, self) or 0) * self.amount


class Told(NamedTuple):
    reference: str
    partner_reference: str
    operation: str
    member: str
    amount: int
    unit: str
    status: str
    at: int


def sign_of(operation: str, order: Order | None) -> int | None:
    """Whether the member had more or less of it; None: of a reversal that the hub has not asked for, nobody knows."""
    if operation != "REVERSE":
        return SIGNS[operation]
    return None if order is None or order.undoes is None else -SIGNS[order.undoes]


def effect_of(done: Sequence[Told], order: Order | None) -> int | None:
    """What a side says was done in all; None: that is not clear."""
    signs = [sign_of(row.operation, order) for row in done]
    return None if None in signs else sum((sign or 0) * row.amount for sign, row in zip(signs, done, strict=True))


def drawn(dice: random.Random, reference: str) -> tuple[Order | None, list[Told], list[Told], int | None]:
    """One reference: the hub's order, if it has one, what the journal and the file list, and what was posted. A side
    mostly says what the order says, but for one thing or two; times are mostly at the edges of something."""
    day = dice.choice([-5, -2, -1, 0, 0, 0, 0, 1, 2])
    order = Order(
        reference,
        operation := dice.choice(OPERATIONS),
        dice.choice([5, 7]),
        dice.choice(["SUCCEEDED"] * 4 + ["REFUSED", "PENDING", "UNKNOWN"]),
        START + day * DAY + dice.choice([0, HOUR, DAY - 1]),
        START + day * DAY,
        START + (day + dice.choice([1, 1, 2, 6])) * DAY,
        day == 0,
        dice.choice(["a", "b"]),
        dice.choice(sorted(SIGNS)) if operation == "REVERSE" else None,
    )
    edges = [order.asked, order.span_start - 1, order.span_start, order.span_end - 1, order.span_end]
    edges += [START - 1, START, START + DAY - 1, START + DAY]

    def row() -> Told:
        made = Told(reference, "X", order.operation, order.member, order.amount, "MILES", "SUCCEEDED", order.asked)
        for name, values in (
            ("operation", OPERATIONS),
            ("member", ["a", "b"]),
            ("amount", [5, 7]),
            ("unit", ["KM"]),
            ("status", ["REFUSED", "PENDING"]),
            ("at", edges),
            ("at", edges),
        ):
            if dice.random() < 0.2:
                made = made._replace(**{name: dice.choice(values)})  # type: ignore[arg-type]
        return made

    sides = [[row() for _ in range(dice.choice([0, 1, 1, 1, 2]))] for _ in range(2)]
    posted = None
    if dice.random() < 0.3:
        effects = [effect_of([one for one in rows if one.status == "SUCCEEDED"], order) or 0 for rows in sides]
        posted = dice.choice([effects[0], effects[0] - order.booked, effects[1] - order.booked, 5])
    return (None if dice.random() < 0.2 else order), sides[0], sides[1], posted


def expected(here: Sequence[Order], there: dict[Source, list[Told]], posted: dict[str, int]) -> dict[str, BreakType]:
    """The gravest disagreement of each reference, row by row."""
    known = {order.reference: order for order in here}
    found: dict[str, list[BreakType]] = {}

    def wrong(reference: str, type: BreakType) -> None:
        found.setdefault(reference, []).append(type)

    for rows in there.values():
        for reference in known.keys() | {row.reference for row in rows}:
            listed = [row for row in rows if row.reference == reference]
            done = [row for row in listed if row.status == "SUCCEEDED"]
            order = known.get(reference)
            effect = effect_of(done, order)
            odd = any(row.unit != "MILES" for row in done)
            today = any(START <= row.at < START + DAY for row in done)
            if order is None:
                if today and (odd or effect is None or posted.get(reference) != effect):
                    wrong(reference, BreakType.MISSING_HERE)
                continue
            in_span = all(order.span_start <= row.at < order.span_end for row in done)
            if not order.home:
                is_near = START - DAY <= order.asked < START + 2 * DAY
                if today and not is_near and not in_span and reference not in posted:
                    wrong(reference, BreakType.DUPLICATE if len(done) > 1 else BreakType.DATE)
                continue
            booked = order.booked + posted.get(reference, 0)
            refused = any(row.status == "REFUSED" for row in listed)
            if reference in posted and booked == effect and not odd:
                continue
            if not done:
                if order.status == "SUCCEEDED":
                    wrong(reference, BreakType.STATUS if refused else BreakType.MISSING_THERE)
                elif refused and order.status != "REFUSED":
                    wrong(reference, BreakType.STATUS)
            elif order.status != "SUCCEEDED":
                wrong(reference, BreakType.STATUS)
            elif len(done) > 1:
                wrong(reference, BreakType.DUPLICATE)
            elif odd:
                wrong(reference, BreakType.UNIT)
            elif effect != booked:
                wrong(reference, BreakType.AMOUNT)
            elif any(row.member != order.member for row in listed):
                wrong(reference, BreakType.MEMBER)
            elif not in_span:
                wrong(reference, BreakType.DATE)
    return {reference: min(types, key=list(BreakType).index) for reference, types in found.items()}


def matched(here: Sequence[Order], there: dict[Source, list[Told]], posted: dict[str, int]) -> tuple[list[Found], int]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Matching(folder, FRAME) as matching:
            matching.take_hub(written(folder / "hub.csv", here))
            matching.take_adjustments(written(folder / "adjustments.csv", posted.items()))
            if Source.JOURNAL in there:
                matching.take_journal(written(folder / "journal.csv", there[Source.JOURNAL]))
            if Source.FILE in there:
                rows = [
                    row._replace(amount=f"{row.amount}.00", status=_WORDS[row.status], at=instant(row.at).isoformat())  # type: ignore[arg-type]
                    for row in there[Source.FILE]
                ]
                columns = ("reference", "partner_reference", "operation", "member", "amount", "unit", "status", "at")
                matching.take_file(written(folder / "file.csv", rows), columns, 0)
            found = matching.match(1_000)
            return found, matching.agreed()


_WORDS = {"SUCCEEDED": "DONE", "REFUSED": "REFUSED", "PENDING": "PENDING"}


def written(path: Path, rows: object) -> Path:
    with path.open("w", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return path


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.sampled_from([(True, True), (True, False), (False, True)]))
def test_every_disagreement_is_found_and_nothing_else(seed: int, sides: tuple[bool, bool]) -> None:
    dice = random.Random(seed)
    here: list[Order] = []
    listed: dict[Source, list[Told]] = {Source.JOURNAL: [], Source.FILE: []}
    posted: dict[str, int] = {}
    for number in range(300):
        order, journal, file, sum = drawn(dice, f"PH-{number:03}-C")
        here += [] if order is None else [order]
        listed[Source.JOURNAL] += journal
        listed[Source.FILE] += file
        posted |= {} if sum is None else {f"PH-{number:03}-C": sum}
    there = {source: rows for (source, rows), is_there in zip(listed.items(), sides, strict=True) if is_there}
    found, agreed = matched(here, there, posted)
    wanted = expected(here, there, posted)
    assert {one.reference: one.figures.type for one in found} == wanted
    assert [one.reference for one in found] == sorted(wanted)
    done = [order for order in here if order.home and order.status == "SUCCEEDED"]
    assert agreed == len([order for order in done if order.reference not in wanted])


def order(number: int, amount: int = 10, status: str = "SUCCEEDED") -> Order:
    return Order(f"PH-{number}-C", "CREDIT", amount, status, START + HOUR, START, START + DAY, True, "M-1")


def row(number: int, amount: int = 10, hour: int = 2, member: str = "M-1") -> Told:
    return Told(f"PH-{number}-C", "X", "CREDIT", member, amount, "MILES", "SUCCEEDED", START + hour * HOUR)


def test_the_difference_is_what_the_partner_s_books_have_more() -> None:
    rows = [row(1, 8), row(2), row(2, hour=3), row(4, 6)]
    found, _ = matched([order(1), order(2), order(3)], {Source.JOURNAL: rows}, {})
    assert {one.reference: one.figures.difference for one in found} == {
        "PH-1-C": -2,  # 8 - 10
        "PH-2-C": 10,  # 2 × 10 - 10
        "PH-3-C": -10,  # 0 - 10
        "PH-4-C": 6,  # 6 - 0
    }


def reversal(undoes: str, amount: int = 40) -> Order:
    return order(1, amount)._replace(operation="REVERSE", undoes=undoes)


def reversed(amount: int = 40, operation: str = "REVERSE", **more: Any) -> Told:
    return row(1, amount)._replace(operation=operation, **more)


@pytest.mark.parametrize(("undoes", "sign"), [("CREDIT", -1), ("DEBIT", 1), ("CAPTURE", 1)])
@pytest.mark.parametrize(
    ("rows", "type", "difference"),
    [
        ([], BreakType.MISSING_THERE, -40),  # 0 - 40, of what was given; of what was taken the other way round
        ([reversed(30)], BreakType.AMOUNT, -10),
        ([reversed(), reversed()], BreakType.DUPLICATE, 40),
        ([reversed(status="REFUSED")], BreakType.STATUS, -40),
        ([reversed(member="M-2")], BreakType.MEMBER, 0),
        ([reversed(at=START - HOUR)], BreakType.DATE, 0),
    ],
)
def test_a_reversal_takes_what_a_credit_gave_and_gives_what_a_debit_took(
    undoes: str, sign: int, rows: list[Told], type: BreakType, difference: int
) -> None:
    for side in (Source.JOURNAL, Source.FILE):
        [found], _ = matched([reversal(undoes)], {side: rows}, {})
        assert (found.figures.type, found.figures.difference) == (type, sign * difference)
        assert [one.amount for one in found.figures.sides] == [sign * 40, sign * (40 + difference)]
        done, _ = matched([reversal(undoes)], {side: [reversed()]}, {})
        assert done == []
        posted = {"PH-1-C": sign * -40}  # what never happened there was made good here
        assert matched([reversal(undoes)], {side: []}, posted)[0] == []


def test_a_reversal_that_was_refused_here_and_done_there_differs_by_its_own_sign() -> None:
    for undoes, difference in (("CREDIT", -40), ("DEBIT", 40)):
        refused = reversal(undoes)._replace(status="REFUSED")
        [found], _ = matched([refused], {Source.JOURNAL: [reversed()]}, {})
        assert (found.figures.type, found.figures.difference) == (BreakType.STATUS, difference)


def test_a_reversal_may_be_listed_there_as_what_it_does() -> None:
    for undoes, same, opposite in (("CREDIT", "DEBIT", "CREDIT"), ("DEBIT", "CREDIT", "DEBIT")):
        assert matched([reversal(undoes)], {Source.JOURNAL: [reversed(operation=same)]}, {})[0] == []
        [found], _ = matched([reversal(undoes)], {Source.JOURNAL: [reversed(operation=opposite)]}, {})
        assert found.figures.type is BreakType.AMOUNT


def test_of_a_reversal_that_the_hub_did_not_ask_for_nobody_knows_what_it_does() -> None:
    for here, type in (([], BreakType.MISSING_HERE), ([order(1, 40)], BreakType.AMOUNT)):
        [found], _ = matched(here, {Source.JOURNAL: [reversed()]}, {})
        assert (found.figures.type, found.figures.difference) == (type, None)
        assert found.figures.sides[1].amount == 40  # as it is written


def test_what_a_day_took_and_gave_counts_reversals_by_what_they_undo() -> None:
    here = [reversal("CREDIT", 40), reversal("DEBIT", 30)._replace(reference="PH-2-C"), order(3, 5)]
    there = [reversed(40), reversed(30)._replace(reference="PH-2-C"), row(3, 5), reversed(7)._replace(reference="X")]
    with tempfile.TemporaryDirectory() as name, Matching(Path(name), FRAME) as matching:
        matching.take_hub(written(Path(name) / "hub.csv", here))
        matching.take_journal(written(Path(name) / "journal.csv", there))
        matching.match(10)
        # 30 + 5 were given; of the 7 nobody knows
        assert matching.sums() == {Source.HUB: Sum(3, 40, 35), Source.JOURNAL: Sum(4, 40, 35)}


def test_a_difference_on_which_the_partner_s_sides_disagree_is_not_clear() -> None:
    found, _ = matched([order(1), order(2)], {Source.JOURNAL: [row(1, 8), row(2)], Source.FILE: [row(1, 9)]}, {})
    assert [(one.figures.type, one.figures.difference) for one in found] == [
        (BreakType.AMOUNT, None),
        (BreakType.MISSING_THERE, None),
    ]


def test_what_was_posted_for_a_break_counts_as_the_hub_s() -> None:
    gone, _ = matched([order(1)], {Source.JOURNAL: [row(1, 8)]}, {"PH-1-C": -2})  # 10 - 2 = 8
    assert gone == []
    [back], _ = matched([order(1)], {Source.JOURNAL: [row(1, 10)]}, {"PH-1-C": -2})  # the partner has made it 10
    assert (back.figures.type, back.figures.difference) == (BreakType.AMOUNT, 2)
    gone, _ = matched([], {Source.JOURNAL: [row(4, 6)]}, {"PH-4-C": 6})
    assert gone == []


def test_a_break_shows_its_sides_beside_each_other() -> None:
    [found], _ = matched([order(1)], {Source.JOURNAL: [row(1, 8)], Source.FILE: [row(1, 8, member="M-2")]}, {})
    hub, journal, file = found.figures.sides
    assert (hub.source, hub.rows, hub.amount, hub.status) == (Source.HUB, 1, 10, Status.SUCCEEDED)
    assert (journal.source, journal.amount, journal.unit) == (Source.JOURNAL, 8, "MILES")
    assert (file.source, file.operation, file.at) == (
        Source.FILE,
        Operation.CREDIT,
        EPOCH + timedelta(days=20_000, hours=2),
    )


def test_only_as_many_breaks_come_back_as_are_asked_for() -> None:
    with tempfile.TemporaryDirectory() as name, Matching(Path(name), FRAME) as matching:
        matching.take_journal(written(Path(name) / "journal.csv", [row(number) for number in range(9)]))
        assert len(matching.match(4)) == 4
        assert matching.sums() == {Source.HUB: Sum(0, 0, 0), Source.JOURNAL: Sum(9, 0, 90)}
