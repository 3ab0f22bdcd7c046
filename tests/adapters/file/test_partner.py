"""The port over a folder: staging, the cut-off, repeats, and what is never told to be absent."""

import hashlib
import shutil
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from adapters.file.tables import written
from hub.partners import Operation, Order, PartnerUnavailable, Reason, Status
from tests.adapters.file.conftest import Exchanged

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def changed(order: Order, **more: object) -> Order:
    return msgspec.structs.replace(order, **more)


async def test_a_batch_of_five_with_one_overdrawn_and_one_repeated_is_done_once(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    exchanged.enroll("M-2", "5.00")
    first, second, fifth = exchanged.order(10_00), exchanged.order(20_00), exchanged.order(30_00)
    third = exchanged.order(5_01, member="M-2")  # has 5.00
    batch = [first, second, third, first, fifth]
    assert [(await partner.perform(order)).status for order in batch] == [Status.PENDING] * 5
    name = await partner.compose()
    await exchanged.night()
    answers = [await partner.status(order) for order in batch]
    done = Status.SUCCEEDED
    assert [answer.status for answer in answers] == [done, done, Status.REFUSED, done, done]
    assert answers[2].reason is Reason.INSUFFICIENT_POINTS
    assert answers[3] == answers[0]
    # 10 + 20 + 30 of the rows that were done
    assert b"#total,DEBIT,3,60.00" in (exchanged.folder / "incoming" / f"results-{name}.csv").read_bytes()
    assert exchanged.available() == "940.00"

    # The same file again, the same orders again, the night again.
    before = exchanged.files("incoming"), exchanged.files()
    assert [await partner.perform(order) for order in batch] == answers
    assert await partner.compose() is None
    await exchanged.night()
    assert (exchanged.files("incoming"), exchanged.files()) == before
    assert exchanged.available() == "940.00"
    assert [await exchanged.connect().status(order) for order in batch] == answers


async def test_a_partner_that_is_given_a_row_twice_says_so_and_is_believed_once(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    exchanged.enroll("M-2", "5.00")
    first, second, fifth = exchanged.order(10_00), exchanged.order(20_00), exchanged.order(30_00)
    third = exchanged.order(5_01, member="M-2")
    for order in (first, second, third, fifth):
        await partner.perform(order)
    name = str(await partner.compose())
    asked = partner._batches.batch(name).orders
    repeated = [asked[order.reference] for order in (first, second, third, first, fifth)]
    sent = exchanged.folder / "outgoing" / f"orders-{name}.csv"
    sent.write_bytes(written(repeated, exchanged.configuration()))
    for _ in range(2):
        await exchanged.night()
        results = (exchanged.folder / "incoming" / f"results-{name}.csv").read_text().splitlines()
        rows = [line.split(",") for line in results[1:6]]
        assert [row[2] for row in rows] == ["DONE", "DONE", "REFUSED", "DUPLICATE", "DONE"]
        assert (rows[2][3], rows[3][4]) == ("INSUFFICIENT_POINTS", rows[0][4])
        assert results[6].startswith("#total,DEBIT,3,60.00")  # 10 + 20 + 30
        answers = [await partner.status(order) for order in (first, second, third, first, fifth)]
        assert [answer.status.value for answer in answers] == [
            *("SUCCEEDED", "SUCCEEDED", "REFUSED", "SUCCEEDED", "SUCCEEDED")
        ]
        assert exchanged.available() == "940.00"


async def test_the_outgoing_file_has_a_row_each_and_totals_and_a_digest(exchanged: Exchanged) -> None:
    exchanged.at = NOON
    partner = exchanged.connect()
    debit = exchanged.order(12_34)
    await partner.perform(debit)
    await partner.perform(exchanged.order(1, operation=Operation.REVERSE, of=debit.reference))
    await partner.perform(exchanged.order(100_00))
    assert await partner.compose() == "20260301-001"
    path = exchanged.folder / "outgoing" / "orders-20260301-001.csv"
    body = (
        b"reference,operation,member,amount,unit,of,asked_at\r\n"
        b"PH-1,DEBIT,M-1,12.34,MILES,,2026-03-01T12:00:00Z\r\n"
        b"PH-2,REVERSE,M-1,0.01,MILES,PH-1,2026-03-01T12:00:00Z\r\n"
        b"PH-3,DEBIT,M-1,100.00,MILES,,2026-03-01T12:00:00Z\r\n"
        b"#total,DEBIT,2,112.34,,,\r\n"  # 12.34 + 100.00
        b"#total,REVERSE,1,0.01,,,\r\n"
    )
    assert path.read_bytes() == body + f"#end,3,{hashlib.sha256(body).hexdigest()},,,,\r\n".encode()
    assert exchanged.files("hub/staged") == []


async def test_orders_go_out_with_the_first_question_after_the_cut_off(exchanged: Exchanged) -> None:
    exchanged.at = NOON
    partner = exchanged.connect(cutOff="22:30", zone="Asia/Shanghai")  # 14:30 UTC
    first = exchanged.order()
    await partner.perform(first)
    exchanged.at = NOON + timedelta(hours=2, minutes=29)
    assert (await partner.status(first)).status is Status.PENDING
    assert exchanged.files() == []
    exchanged.at = NOON + timedelta(hours=2, minutes=31)
    late = exchanged.order()
    assert (await partner.perform(late)).status is Status.PENDING
    assert (await partner.status(late)).status is Status.PENDING
    assert exchanged.files() == ["orders-20260301-001.csv"]
    assert [row[0] for row in exchanged.rows("orders-20260301-001.csv")[1:-2]] == [first.reference]
    exchanged.at = NOON + timedelta(days=1, hours=3)
    assert (await exchanged.connect(zone="Asia/Shanghai").status(late)).status is Status.PENDING
    assert exchanged.files() == ["orders-20260301-001.csv", "orders-20260302-001.csv"]


async def test_a_day_s_files_are_numbered_and_a_day_without_orders_has_none(exchanged: Exchanged) -> None:
    exchanged.at = NOON
    partner = exchanged.connect()
    assert await partner.compose() is None
    for _ in range(2):
        await partner.perform(exchanged.order())
        await partner.compose()
        for path in (exchanged.folder / "outgoing").iterdir():
            path.unlink()  # the partner takes its files away
    await partner.perform(exchanged.order())
    assert await partner.compose() == "20260301-003"


@pytest.mark.parametrize("sent", [False, True], ids=["staged", "sent"])
async def test_a_reference_with_other_contents_is_unknown_and_halts(exchanged: Exchanged, sent: bool) -> None:
    partner = exchanged.connect()
    order = exchanged.order()
    await partner.perform(order)
    if sent:
        await partner.compose()
    others = {"amount": 10_01, "member": "M-2", "operation": Operation.CREDIT, "of": "PH-9"}
    for name, other in others.items():
        for ask in (partner.perform, partner.status):
            answer = await ask(changed(order, **{name: other}))
            assert (answer.status, answer.halts) == (Status.UNKNOWN, True), name
    assert (await partner.perform(order)).status is Status.PENDING
    # The same amount, counted with another number of decimals.
    assert (await partner.perform(changed(order, amount=10_000, scale=3))).status is Status.PENDING


async def test_only_what_was_surely_never_staged_is_absent(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    order, never = exchanged.order(), exchanged.order()
    assert (await partner.status(never)).status is Status.ABSENT
    await partner.perform(order)
    for name in ("hub", "incoming", "outgoing"):  # as when the folder is not mounted
        (exchanged.folder / name).rename(exchanged.root / "away")
        for answer in (await partner.status(order), await partner.status(never), await partner.perform(never)):
            assert answer.status is Status.UNKNOWN
            assert name in (answer.message or "")
        assert not (exchanged.folder / name).exists()
        (exchanged.root / "away").rename(exchanged.folder / name)
    assert (await partner.status(order)).status is Status.PENDING
    (exchanged.folder / "hub" / "staged" / f"{order.reference}.json").write_bytes(b"{")
    assert (await partner.status(order)).status is Status.UNKNOWN
    assert (await partner.status(never)).status is Status.ABSENT


async def test_what_was_composed_and_is_gone_is_unknown(exchanged: Exchanged) -> None:
    order = exchanged.order()
    partner = exchanged.connect()
    await partner.perform(order)
    await partner.compose()
    shutil.rmtree(exchanged.folder / "hub")
    assert (await exchanged.connect().status(order)).status is Status.UNKNOWN


async def test_a_folder_is_one_currency_s(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    await partner.perform(exchanged.order())
    answer = await partner.perform(exchanged.order(currency="GOLD"))
    assert (answer.status, answer.message) == (Status.UNKNOWN, "The folder is of another point currency.")
    assert len(exchanged.files("hub/staged")) == 1


@pytest.mark.parametrize(
    "member",
    ["=1+1", "+86138", "-1", "@SUM(A1)", "\uff1d1", "M\x00", "M\n", "M\r1", "M\t1", "M\u2028", "", " M", "M\ud800"],
)
async def test_a_member_that_a_cell_cannot_hold_safely_is_refused(exchanged: Exchanged, member: str) -> None:
    partner = exchanged.connect()
    answer = await partner.perform(order := exchanged.order(member=member))
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.OTHER)
    assert (await partner.status(order)).status is Status.ABSENT
    assert exchanged.files("hub/staged") == []


@pytest.mark.parametrize("reference", ["../PH-1", "PH_1", "ph-1", "", "-PH", "P" * 41, "#END"])
async def test_a_reference_that_is_none_of_ours_names_no_file(exchanged: Exchanged, reference: str) -> None:
    partner = exchanged.connect()
    order = exchanged.order(reference=reference)
    assert (await partner.perform(order)).status is Status.REFUSED
    assert (await partner.status(order)).status is Status.ABSENT


async def test_members_with_separators_quotes_and_other_scripts_arrive(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    orders = []
    for member in ('A,"B"', "李四", "M;1"):
        exchanged.enroll(member, "100.00")
        orders.append(exchanged.order(member=member))
        await partner.perform(orders[-1])
    await partner.compose()
    await exchanged.night()
    assert [(await partner.status(order)).status for order in orders] == [Status.SUCCEEDED] * 3
    assert [exchanged.available(order.member) for order in orders] == ["90.00"] * 3


async def test_amounts_beyond_the_scale_or_the_bounds_are_refused(exchanged: Exchanged) -> None:
    partner = exchanged.connect(minimum="1", maximum="50")
    wrong = [exchanged.order(99), exchanged.order(50_01), exchanged.order(10_001, scale=3)]
    answers = [await partner.perform(order) for order in wrong]
    assert [(one.status, one.reason) for one in answers] == [(Status.REFUSED, Reason.INVALID_AMOUNT)] * 3
    for right in (exchanged.order(1_00), exchanged.order(50_00), exchanged.order(10_010, scale=3)):
        assert (await partner.perform(right)).status is Status.PENDING


async def test_orders_that_cannot_go_out_stay_pending_and_go_out_later(exchanged: Exchanged) -> None:
    exchanged.at = NOON
    partner = exchanged.connect()
    order = exchanged.order()
    await partner.perform(order)
    exchanged.at = NOON + timedelta(days=1)
    (exchanged.folder / "hub" / "ready").rmdir()
    (exchanged.folder / "hub" / "ready").write_text("in the way")
    assert (await partner.status(order)).status is Status.PENDING
    with pytest.raises(PartnerUnavailable):
        await partner.compose()
    (exchanged.folder / "hub" / "ready").unlink()
    assert (await partner.status(order)).status is Status.PENDING
    assert exchanged.files() == ["orders-20260301-001.csv"]


async def test_the_journal_has_what_was_done_on_the_day_and_no_day_that_is_open(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    today = datetime.now(UTC).date()
    done, refused = exchanged.order(10_00), exchanged.order(2000_00)
    for order in (done, refused):
        await partner.perform(order)
    assert [entry async for entry in partner.journal(today)] == []
    await partner.compose()
    with pytest.raises(PartnerUnavailable, match="have not come"):
        [entry async for entry in partner.journal(today)]
    await exchanged.night()
    found = [entry for days in (-1, 0, 1) async for entry in partner.journal(today + timedelta(days=days))]
    assert [(one.reference, one.amount, one.status) for one in found] == [(done.reference, 10_00, Status.SUCCEEDED)]


async def test_a_connection_that_was_closed_answers_unknown(exchanged: Exchanged) -> None:
    partner = exchanged.connect()
    await partner.close()
    assert (await partner.perform(exchanged.order())).status is Status.UNKNOWN
    with pytest.raises(PartnerUnavailable):
        await partner.compose()
