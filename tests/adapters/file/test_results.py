"""Which result files are believed: whole ones that fit, and none by halves."""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.file import tables
from adapters.file.configuration import Configuration
from adapters.file.partner import FilePartner
from hub.partners import Answer, Order, PartnerUnavailable, Reason, Status, judge
from tests.adapters.file.conftest import Exchanged
from tests.adapters.file.partner import HEADER, trailed

Rows = list[list[str]]


class Night:
    """Three debits of 10.00 that went out, and results as somebody writes them."""

    def __init__(self, exchanged: Exchanged, partner: FilePartner, orders: list[Order], name: str) -> None:
        self.exchanged, self.partner, self.orders = exchanged, partner, orders
        self.path = exchanged.folder / "incoming" / f"results-{name}.csv"

    def rows(self) -> Rows:
        """All done but the last, which is refused."""
        at = self.exchanged.now().isoformat()
        done = [[one.reference, "DEBIT", "DONE", "", "P-" + one.reference, "10.00", "MILES", at] for one in self.orders]
        done[-1][2:4] = ["REFUSED", "MEMBER_BLOCKED"]
        return done

    def file(self, rows: Rows, header: list[str] = HEADER) -> bytes:
        """A file of these rows that fits in itself."""
        count = sum(row[2:3] == ["DONE"] for row in rows)
        amounts = [Decimal(row[5]) for row in rows if row[2:3] == ["DONE"]]
        return trailed(header, rows, {"DEBIT": (count, sum(amounts, Decimal(0)))} if count else {})

    async def told(self, raw: bytes | None = None) -> list[Answer]:
        """What is said of the orders, after a file came."""
        if raw is not None:
            self.path.write_bytes(raw)
        return [await self.partner.status(order) for order in self.orders]


RIGHT = [Status.SUCCEEDED, Status.SUCCEEDED, Status.REFUSED]


def statuses(answers: list[Answer]) -> list[Status]:
    return [answer.status for answer in answers]


@pytest.fixture
async def night(exchanged: Exchanged) -> Night:
    partner = exchanged.connect()
    orders = [exchanged.order(10_00) for _ in range(3)]
    for order in orders:
        await partner.perform(order)
    return Night(exchanged, partner, orders, str(await partner.compose()))


async def test_results_are_pending_until_the_file_is_whole(night: Night) -> None:
    raw = night.file(night.rows())
    assert statuses(await night.told()) == [Status.PENDING] * 3
    for length in range(0, len(raw) - 2, 7):  # without the last line's end it is whole
        assert statuses(await night.told(raw[:length])) == [Status.PENDING] * 3, raw[:length][-40:]
    assert statuses(await night.told(raw)) == RIGHT


async def test_an_answer_has_all_that_the_row_says(night: Night) -> None:
    done, _, refused = await night.told(night.file(night.rows()))
    at = night.rows()[0][7]
    assert (done.reference, done.partner_reference, done.amount, done.unit) == ("PH-1", "P-PH-1", 10_00, "MILES")
    assert done.at is not None
    assert abs(done.at - night.exchanged.now()) < timedelta(minutes=1), at
    assert (refused.reason, refused.code) == (Reason.MEMBER_BLOCKED, "MEMBER_BLOCKED")


def _cell(row: int, column: int, text: str) -> Callable[[Rows], Rows]:
    def changed(rows: Rows) -> Rows:
        rows[row][column] = text
        return rows

    return changed


WRONG_ROWS: dict[str, Callable[[Rows], Rows]] = {
    "another operation": _cell(0, 1, "CREDIT"),
    "unknown operation": _cell(2, 1, "GIFT"),
    "unknown status": _cell(2, 2, "MAYBE"),
    "no reference": _cell(2, 0, ""),
    "too many decimals": _cell(2, 5, "10.001"),
    "no decimal": _cell(2, 5, "1e1"),
    "below zero": _cell(2, 5, "-1"),
    "no amount": _cell(2, 5, "x"),
    "a time of another form": _cell(0, 7, "yesterday"),
    "a time without a zone": _cell(0, 7, "2026-03-01T12:00:00"),
    "a line break": _cell(2, 3, "a\r\nb"),
    "a NUL": _cell(2, 3, "a\x00b"),
    "a cell too many": lambda rows: [*rows[:2], [*rows[2], ""]],
    "a cell too few": lambda rows: [*rows[:2], rows[2][:-1]],
    "an order missing": lambda rows: rows[:2],
    "two answers to one": lambda rows: [*rows, [*rows[0][:2], "REFUSED", *rows[0][3:]]],
    "only duplicates of one": _cell(0, 2, "DUPLICATE"),
}


@pytest.mark.parametrize("change", WRONG_ROWS.values(), ids=WRONG_ROWS)
async def test_a_file_with_a_wrong_row_is_ignored_whole(night: Night, change: Callable[[Rows], Rows]) -> None:
    answers = await night.told(night.file(change(night.rows())))
    assert statuses(answers) == [Status.UNKNOWN] * 3
    assert all("is not believed" in (answer.message or "") for answer in answers)
    with pytest.raises(PartnerUnavailable, match="is not believed"):
        [entry async for entry in night.partner.journal(night.exchanged.now().date())]
    # Another in its place is believed.
    assert statuses(await night.told(night.file(night.rows()))) == RIGHT


def _digested(body: bytes, count: int = 3) -> bytes:
    return body + f"#end,{count},{hashlib.sha256(body).hexdigest()}\r\n".encode()


def _body(raw: bytes) -> bytes:
    return raw[: raw.index(b"#end")]


WRONG_FILES: dict[str, Callable[[bytes], bytes]] = {
    "another digest": lambda raw: raw.replace(b"P-PH-1", b"P-PH-7"),
    "a row taken out": lambda raw: raw.replace(raw.splitlines(keepends=True)[3], b""),
    "another count": lambda raw: _digested(_body(raw), 4),
    "another total": lambda raw: _digested(_body(raw).replace(b"#total,DEBIT,2,20.00", b"#total,DEBIT,2,20.01")),
    "another number": lambda raw: _digested(_body(raw).replace(b"#total,DEBIT,2", b"#total,DEBIT,3")),
    "no totals": lambda raw: _digested(_body(raw).replace(b"#total,DEBIT,2,20.00\r\n", b"")),
    "a total of nothing": lambda raw: _digested(_body(raw) + b"#total,CREDIT,1,1.00\r\n"),
    "two totals": lambda raw: _digested(_body(raw) + b"#total,DEBIT,2,20.00\r\n"),
    "rows after totals": lambda raw: _digested(_body(raw) + raw.splitlines(keepends=True)[3], 4),
    "a total that is none": lambda raw: _digested(_body(raw).replace(b",20.00\r\n", b",many\r\n")),
    "no header": lambda raw: _digested(b""),
    "a column missing": lambda raw: _digested(_body(raw).replace(b"partner_reference", b"their_reference", 1)),
    "a column twice": lambda raw: _digested(_body(raw).replace(b"reason", b"status", 1)),
    "another encoding": lambda raw: _digested(_body(raw).replace(b"MEMBER_BLOCKED", "é".encode("latin-1"))),
    "an open quote": lambda raw: _digested(_body(raw).replace(b"MEMBER_BLOCKED", b'"MEMBER')),
    "a blank row": lambda raw: _digested(_body(raw).replace(b"#total", b"\r\n#total")),
}


@pytest.mark.parametrize("spoil", WRONG_FILES.values(), ids=WRONG_FILES)
async def test_a_file_that_does_not_fit_is_ignored_whole(night: Night, spoil: Callable[[bytes], bytes]) -> None:
    right = night.file(night.rows())
    assert spoil(right) != right
    answers = await night.told(spoil(right))
    assert statuses(answers) == [Status.UNKNOWN] * 3
    assert statuses(await night.told(right)) == RIGHT


async def test_a_wrong_file_is_read_once_and_again_when_it_has_changed(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    whole = tables.is_whole

    def counted(raw: bytes, configuration: Configuration) -> bool:
        read.append(raw)
        return whole(raw, configuration)

    monkeypatch.setattr(tables, "is_whole", counted)
    night.path.write_bytes(_digested(b"x\r\n"))
    os.utime(night.path, (1, 1))
    assert statuses(await night.told()) == [Status.UNKNOWN] * 3
    assert len(read) == 1
    right = night.file(night.rows())
    assert statuses(await night.told(right)) == RIGHT


async def test_a_row_twice_is_believed_once_and_one_of_no_order_not_at_all(night: Night) -> None:
    rows = night.rows()
    stranger = ["PH-99", "DEBIT", "DONE", "", "P-9", "1.00", "MILES", rows[0][7]]
    duplicate = [*rows[1][:2], "DUPLICATE", *rows[1][3:]]
    assert statuses(await night.told(night.file([*rows, rows[0], stranger, duplicate]))) == RIGHT
    never = night.exchanged.order(reference="PH-99")
    assert (await night.partner.status(never)).status is Status.ABSENT
    today = night.exchanged.now().date()
    found = [one.reference for days in (-1, 0) async for one in night.partner.journal(today + timedelta(days=days))]
    assert found == ["PH-1", "PH-2"]


async def test_what_was_believed_stays_whatever_comes_later(night: Night) -> None:
    right = night.file(night.rows())
    before = await night.told(right)
    assert await night.told(right) == before
    other = night.rows()
    other[0][2:4] = ["REFUSED", "OTHER"]
    assert await night.told(night.file(other)) == before
    night.partner = night.exchanged.connect()
    assert await night.told(_digested(b"x\r\n")) == before
    night.path.unlink()
    assert await night.told() == before


async def test_another_amount_unit_or_time_is_told_as_it_stands_and_the_hub_does_not_believe_it(night: Night) -> None:
    for column, text, wrong in ((5, "10.01", "1001"), (6, "YEN", "YEN"), (7, "2020-01-01T00:00:00Z", "2020")):
        night.exchanged.numbers = iter(range(column * 100, column * 100 + 9))
        [order] = night.orders = [night.exchanged.order(10_00)]
        await night.partner.perform(order)
        night.path = night.path.with_name(f"results-{await night.partner.compose()}.csv")
        rows = [[order.reference, "DEBIT", "DONE", "", "P", "10.00", "MILES", night.exchanged.now().isoformat()]]
        rows[0][column] = text
        [answer] = await night.told(night.file(rows))
        incident = judge(order, answer, night.partner.capabilities, night.exchanged.now()).incident
        assert incident is not None
        assert wrong in incident


async def test_links_pipes_and_folders_are_no_results(night: Night, tmp_path: Path) -> None:
    right = tmp_path / "elsewhere.csv"
    right.write_bytes(night.file(night.rows()))

    def link() -> None:
        night.path.symlink_to(right)

    def pipe() -> None:
        os.mkfifo(night.path)

    for make in (link, pipe, night.path.mkdir):
        make()
        assert statuses(await night.told()) == [Status.UNKNOWN] * 3
        night.path.rmdir() if night.path.is_dir() and not night.path.is_symlink() else night.path.unlink()
    assert statuses(await night.told(right.read_bytes())) == RIGHT


async def test_columns_words_separator_and_encoding_are_the_partner_s(exchanged: Exchanged) -> None:
    names = {"reference": "流水号", "operation": "类型", "status": "状态", "amount": "积分", "reason": "原因"}
    partner = exchanged.connect(
        separator="|",
        encoding="gb18030",
        orders={"reference": "流水号", "askedAt": "时间"},
        results={**names, "partnerReference": None, "unit": None, "at": None},
        words={"DEBIT": "扣减"},
        statuses={"成功": "DONE", "失败": "REFUSED"},
        reasons={"余额不足": "INSUFFICIENT_POINTS"},
    )
    assert not partner.capabilities.journal
    orders = [exchanged.order(member="李|四"), exchanged.order(), exchanged.order()]
    for order in orders:
        await partner.perform(order)
    name = await partner.compose()
    sent = (exchanged.folder / "outgoing" / f"orders-{name}.csv").read_bytes().decode("gb18030").splitlines()
    assert sent[0] == "流水号|operation|member|amount|unit|of|时间"
    assert sent[1].startswith('PH-1|扣减|"李|四"|10.00|MILES||')
    body = (
        "原因|状态|流水号|类型|积分|备注\r\n"
        "|成功|PH-1|扣减|10.00|x\r\n"
        "余额不足|失败|PH-2|扣减|10|\r\n"
        "黑名单|失败|PH-3|扣减||\r\n"
        "#total|扣减|1|10\r\n"
    ).encode("gb18030")
    end = f"#end|3|{hashlib.sha256(body).hexdigest().upper()}".encode()
    (exchanged.folder / "incoming" / f"results-{name}.csv").write_bytes(body + end)
    answers = [await partner.status(order) for order in orders]
    assert statuses(answers) == [Status.SUCCEEDED, Status.REFUSED, Status.REFUSED]
    assert [answer.reason for answer in answers] == [None, Reason.INSUFFICIENT_POINTS, Reason.OTHER]
    with pytest.raises(PartnerUnavailable):
        [entry async for entry in partner.journal(exchanged.now().date())]
