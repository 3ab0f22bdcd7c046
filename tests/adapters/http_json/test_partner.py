"""A partner over a real connection: what it is asked, what is understood, and what is certain when something breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapters.http_json.partner import HttpJsonPartner
from hub.partners import HOLD_LASTS, Echo, Entry, Member, Operation, PartnerUnavailable, Reason, Status, judge
from tests.adapters.http_json.bank import Bank, connected, order
from tests.adapters.http_json.server import DROP, SILENT, Reply, Request, Server, serving


@asynccontextmanager
async def changed(server: Server, **changes: Any) -> AsyncIterator[HttpJsonPartner]:
    partner = connected(server, **changes)
    try:
        yield partner
    finally:
        await partner.close()


def spoiled(bank: Bank, reply: Reply) -> None:
    """From now on the bank does what it is asked, and this is what is heard of it."""
    bank.spoil = lambda request, done: reply


async def test_an_order_is_done_and_its_answer_is_believed(
    partner: HttpJsonPartner, server: Server, bank: Bank
) -> None:
    asked = order(of="PH-0-D")
    answer = await partner.perform(asked)
    assert judge(asked, answer, partner.capabilities, datetime.now(UTC)).incident is None
    assert (answer.status, answer.amount, answer.partner_reference) == (Status.SUCCEEDED, 12_345, "B-1")
    assert bank.balances == {"M-1": 100_000 - 12_345}
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/v1/orders")
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "reference": "PH-1-D", "operation": "DEBIT", "member": "M-1", "amount": "123.45", "unit": "MILES",
        "of": "PH-0-D",
    }  # fmt: skip


async def test_what_an_order_does_not_say_is_left_out(partner: HttpJsonPartner, server: Server) -> None:
    await partner.perform(order())
    assert "of" not in server.requests[0].json


async def test_an_order_that_is_sent_again_is_done_once(partner: HttpJsonPartner, bank: Bank) -> None:
    assert await partner.perform(order()) == await partner.perform(order())
    assert bank.balances == {"M-1": 100_000 - 12_345}


async def test_connections_are_kept(partner: HttpJsonPartner, server: Server) -> None:
    for number in range(3):
        await partner.perform(order(f"PH-{number}"))
    assert (len(server.requests), server.connections) == (3, 1)


async def test_an_order_of_a_currency_with_fewer_decimals_is_told_in_the_partners(
    partner: HttpJsonPartner, server: Server
) -> None:
    """12 whole points are 12.00 of the partner's, and its 12.00 are 12 smallest units of the currency."""
    answer = await partner.perform(order(amount=12, scale=0))
    assert server.requests[0].json["amount"] == "12.00"
    assert (answer.status, answer.amount) == (Status.SUCCEEDED, 12)


async def test_an_answer_with_more_decimals_than_the_currency_is_unknown(partner: HttpJsonPartner, bank: Bank) -> None:
    spoiled(bank, Reply(200, {"status": "SUCCEEDED", "reference": "PH-1-D", "amount": "12.50"}))
    answer = await partner.perform(order(amount=12, scale=0))
    assert (answer.status, answer.amount) == (Status.UNKNOWN, None)
    assert "12.50" in str(answer.message)


@pytest.mark.parametrize(
    ("member", "amount", "reason"),
    [("M-1", 100_001, Reason.INSUFFICIENT_POINTS), ("M-9", 1, Reason.NO_SUCH_MEMBER)],
)
async def test_a_refusal_is_refused_for_its_reason_whenever_it_is_asked(
    partner: HttpJsonPartner, member: str, amount: int, reason: Reason
) -> None:
    asked = order(member=member, amount=amount)
    for answer in (await partner.perform(asked), await partner.status(asked)):
        assert (answer.status, answer.reason, answer.code) == (Status.REFUSED, reason, reason.value)


@pytest.mark.parametrize("operation", list(Operation))
async def test_what_the_partner_does_not_do_is_refused_without_asking(server: Server, operation: Operation) -> None:
    others = [one.value for one in Operation if one is not operation]
    async with changed(server, orders=[{"operations": others, "call": {"path": "/v1/orders"}}]) as partner:
        assert operation not in partner.capabilities.operations
        answer = await partner.perform(order(operation=operation))
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.NOT_SUPPORTED)
    assert server.requests == []


@pytest.mark.parametrize(("amount", "scale"), [(99, 2), (50_001, 2), (10_001, 3)])
async def test_an_amount_that_the_partner_does_not_take_is_refused_without_asking(
    server: Server, amount: int, scale: int
) -> None:
    """It takes 1.00 to 500.00; 10.001 has more digits than its points."""
    async with changed(server, minimum="1", maximum="500.00") as partner:
        assert (partner.capabilities.minimum, partner.capabilities.maximum) == (100, 50_000)
        answer = await partner.perform(order(amount=amount, scale=scale))
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.INVALID_AMOUNT)
    assert server.requests == []


# --- what breaks ------------------------------------------------------------------------------------------------------


async def test_a_partner_that_is_not_there_was_certainly_not_asked(server: Server) -> None:
    async with changed(server, baseUrl="http://127.0.0.1:1") as partner:
        assert (await partner.perform(order())).status is Status.ABSENT
        # Of an order that was sent before, this says nothing.
        assert (await partner.status(order())).status is Status.UNKNOWN
        with pytest.raises(PartnerUnavailable):
            await partner.lookup({"membershipNumber": "M-1"})


async def test_what_a_library_says_of_a_request_is_not_told(server: Server, bank: Bank) -> None:
    spoiled(bank, Reply(raw=b"HTTP/1.1 200 OK\r\nauthorization Bearer s3cr3t\r\n\r\n"))  # it repeats what it was sent
    async with changed(server, auth={"scheme": "bearer", "token": "s3cr3t"}) as partner:
        answer = await partner.perform(order())
        assert (answer.status, answer.message) == (Status.UNKNOWN, "The request failed (RemoteProtocolError).")
        with pytest.raises(PartnerUnavailable) as unavailable:
            await partner.lookup({"membershipNumber": "M-1"})
    told: BaseException | None = unavailable.value
    while told is not None:  # nor where its traceback is shown
        assert "s3cr3t" not in str(told)
        told = told.__cause__
    async with changed(server, baseUrl="http://127.0.0.1:1") as nobody:
        assert (await nobody.perform(order())).message == "There is no connection: All connection attempts failed."


async def test_no_answer_after_sending_is_unknown_and_the_truth_is_asked_for(
    partner: HttpJsonPartner, bank: Bank
) -> None:
    spoiled(bank, DROP)
    assert (await partner.perform(order())).status is Status.UNKNOWN
    assert bank.balances == {"M-1": 100_000 - 12_345}  # it was done all the same
    bank.spoil = None
    assert (await partner.status(order())).status is Status.SUCCEEDED


async def test_a_partner_that_is_silent_after_it_did_it_is_unknown(server: Server, bank: Bank) -> None:
    spoiled(bank, SILENT)
    async with changed(server, answersWithinS=1) as partner:
        assert (await partner.perform(order())).status is Status.UNKNOWN
        assert bank.orders.keys() == {"PH-1-D"}


async def test_waiting_for_a_free_connection_is_no_sending(server: Server, bank: Bank) -> None:
    spoiled(bank, SILENT)
    async with changed(server, connectionsMax=1, answersWithinS=1) as partner:
        answers = await asyncio.gather(*(partner.perform(order(f"PH-{number}")) for number in range(3)))
    sent = {request.json["reference"] for request in server.requests}
    for number, answer in enumerate(answers):
        assert answer.status is (Status.UNKNOWN if f"PH-{number}" in sent else Status.ABSENT)
    assert Status.ABSENT in {answer.status for answer in answers}


async def test_a_connection_that_ended_since_is_no_answer(partner: HttpJsonPartner, bank: Bank) -> None:
    assert (await partner.perform(order())).status is Status.SUCCEEDED
    spoiled(bank, Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"))
    assert (await partner.perform(order("PH-2-D"))).status is Status.UNKNOWN


GOOD = {"status": "SUCCEEDED", "reference": "PH-1-D", "amount": "123.45", "unit": "MILES", "code": "00"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, GOOD),
        Reply(502, b"<html>"),
        Reply(302, GOOD, {"location": "http://127.0.0.1:1/elsewhere"}),
        Reply(307, GOOD, {"location": "/v1/orders"}),
        Reply(200, b""),
        Reply(200, b"OK"),
        Reply(200, b'{"status": "SUCCEEDED"'),
        Reply(200, b'{"status": NaN}'),
        Reply(
            200,
            b'{"status": "REFUSED", "reference": "PH-1-D", "amount": "123.45", "unit": "MILES", "status": "SUCCEEDED"}',
        ),
        Reply(200, b"\xff\xfe"),
        Reply(200, b"[" * 100_000),
        Reply(200, b'"' + b"x" * 2_000_000 + b'"'),
        Reply(200, b"{}", {"content-encoding": "gzip"}),
        Reply(200, []),
        Reply(200, {"status": ["SUCCEEDED"]}),
        Reply(200, {**GOOD, "status": "DONE"}),
        Reply(200, {**GOOD, "status": None}),
        Reply(200, {**GOOD, "code": "INSUFFICIENT_POINTS"}),
        Reply(422, {**GOOD, "code": "E-999"}),
        Reply(422, {**GOOD, "status": "REFUSED", "code": "E-999"}),
        Reply(503, {"code": "E-999"}),
        Reply(401, {"code": "E-999"}),
        Reply(200, {**GOOD, "at": "yesterday"}),
        Reply(200, {**GOOD, "at": 5}),
        *(
            Reply(200, {**GOOD, "amount": amount})
            for amount in (
                123.45,
                12345,
                "123.450001",
                "1.2345e2",
                "",
                " 123.45",
                "-123.45",
                "123,45",
                True,
                ["123.45"],
            )
        ),
    ],
)
async def test_whatever_is_unclear_is_unknown(partner: HttpJsonPartner, bank: Bank, reply: Reply) -> None:
    spoiled(bank, reply)
    answer = await partner.perform(order())
    assert (answer.status, answer.halts) == (Status.UNKNOWN, False)


async def test_redirects_are_not_followed(partner: HttpJsonPartner, server: Server, bank: Bank) -> None:
    spoiled(bank, Reply(307, GOOD, {"location": "/v1/elsewhere"}))
    await partner.perform(order())
    assert [request.path for request in server.requests] == ["/v1/orders"]


async def test_an_answer_may_be_as_long_as_it_is_configured(server: Server, bank: Bank) -> None:
    """1,024 octets are read, 1,025 are not."""
    for size, status in ((1_024, Status.SUCCEEDED), (1_025, Status.UNKNOWN)):
        padding = size - len(msgspec.json.encode({**GOOD, "at": None, "partnerReference": "B", "x": ""}))
        told = {**GOOD, "at": None, "partnerReference": "B", "x": "x" * padding}
        spoiled(bank, Reply(200, told))
        async with changed(server, answerBytesMax=1_024) as partner:
            assert (await partner.perform(order())).status is status


async def test_an_answer_of_another_amount_is_for_the_hub_to_judge(partner: HttpJsonPartner, bank: Bank) -> None:
    spoiled(bank, Reply(200, {**GOOD, "amount": "12345"}))
    answer = await partner.perform(order())
    assert answer.amount == 1_234_500
    judged = judge(order(), answer, partner.capabilities, datetime.now(UTC))
    assert judged.answer.status is Status.UNKNOWN
    assert "1234500" in str(judged.incident)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(503, {"code": "BUSY"}), (Status.ABSENT, False)),
        (Reply(409, {"code": "CONFLICT"}), (Status.UNKNOWN, True)),
        (Reply(200, {**GOOD, "status": "PENDING"}), (Status.PENDING, False)),
        (Reply(202, {**GOOD, "status": "PENDING"}), (Status.PENDING, False)),
        (Reply(200, {**GOOD, "status": "REFUSED", "code": "E-1"}), (Status.REFUSED, False)),
    ],
)
async def test_what_is_listed_is_what_it_says(
    partner: HttpJsonPartner, bank: Bank, reply: Reply, told: tuple[Status, bool]
) -> None:
    spoiled(bank, reply)
    answer = await partner.perform(order())
    assert (answer.status, answer.halts) == told
    assert answer.reason is (Reason.OTHER if answer.status is Status.REFUSED else None)


async def test_the_first_rule_that_fits_counts_and_patterns_fit_whole_codes(server: Server, bank: Bank) -> None:
    errors = [
        {"pattern": "L[0-9]+", "action": "REFUSE", "reason": "LIMIT_EXCEEDED"},
        {"code": "L7", "action": "STOP"},
        {"http": [400, 422], "action": "REFUSE"},
        {"http": [504], "action": "RETRY"},
        {"code": "17", "action": "UNKNOWN"},
    ]
    expected = [
        (Reply(400, {"code": "L7"}), Status.REFUSED, Reason.LIMIT_EXCEEDED),
        (Reply(500, {"code": "xL7"}), Status.UNKNOWN, None),
        (Reply(422, {"code": "x"}), Status.REFUSED, Reason.OTHER),
        (Reply(422, b"<html>"), Status.REFUSED, Reason.OTHER),
        (Reply(504, b"<html>"), Status.ABSENT, None),
        (Reply(200, {**GOOD, "code": 17}), Status.UNKNOWN, None),
    ]
    async with changed(server, errors=errors) as partner:
        for reply, status, reason in expected:
            spoiled(bank, reply)
            answer = await partner.perform(order())
            assert (answer.status, answer.reason) == (status, reason), reply


# --- asking for the truth ---------------------------------------------------------------------------------------------


async def test_a_reference_that_the_partner_does_not_know_is_absent(partner: HttpJsonPartner, server: Server) -> None:
    assert (await partner.status(order())).status is Status.ABSENT
    assert server.requests[0].target == "/v1/orders/PH-1-D"


@pytest.mark.parametrize(
    "reply",
    [Reply(404, {"code": "NO_SUCH_PATH"}), Reply(404, b"<html>"), Reply(503, {"code": "BUSY"}), DROP, Reply(200, {})],
)
async def test_no_other_answer_to_the_question_means_that_it_was_not_done(
    partner: HttpJsonPartner, bank: Bank, reply: Reply
) -> None:
    spoiled(bank, reply)
    assert (await partner.status(order())).status is Status.UNKNOWN


async def test_a_partner_that_cannot_be_asked_says_nothing(server: Server) -> None:
    async with changed(server, status=None) as partner:
        assert not partner.capabilities.status
        assert (await partner.status(order())).status is Status.UNKNOWN
    assert server.requests == []


# --- members and the journal ------------------------------------------------------------------------------------------


async def test_a_member_is_found_by_its_fields(partner: HttpJsonPartner, server: Server) -> None:
    found = await partner.lookup({"membershipNumber": "M-1", "familyName": "Müller & Söhne"})
    assert found == Member(reference="M-1", available=100_000, may_spend=True, may_earn=False)
    assert server.requests[0].query == {"membershipNumber": "M-1", "familyName": "Müller & Söhne"}
    assert await partner.lookup({"membershipNumber": "M-2"}) is None
    assert server.requests[1].target == "/v1/members?membershipNumber=M-2"


async def test_the_fields_are_told_with_their_labels(partner: HttpJsonPartner) -> None:
    assert partner.capabilities.lookup == {
        "type": "object",
        "properties": {
            "membershipNumber": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "x-labels": {"en": "Membership number", "zh-CN": "会员号"},
            },
            "familyName": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "x-labels": {"en": "Family name", "zh-CN": "姓"},
            },
        },
        "required": ["membershipNumber"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, {}),
        Reply(404, {"code": "NO_SUCH_PATH"}),
        Reply(200, {}),
        Reply(200, b"x"),
        Reply(200, {"member": "M-1", "available": 7.5}),
        DROP,
    ],
)
async def test_a_member_that_cannot_be_told_is_unavailable(partner: HttpJsonPartner, bank: Bank, reply: Reply) -> None:
    spoiled(bank, reply)
    with pytest.raises(PartnerUnavailable):
        await partner.lookup({"membershipNumber": "M-1"})


async def test_a_member_that_may_not_be_told_apart_may_do_nothing(partner: HttpJsonPartner, bank: Bank) -> None:
    spoiled(bank, Reply(200, {"member": 71, "maySpend": "yes"}))
    assert await partner.lookup({"membershipNumber": "M-1"}) == Member(
        reference="71", available=None, may_spend=False, may_earn=False
    )


async def entries(partner: HttpJsonPartner) -> list[Entry]:
    return [entry async for entry in partner.journal(datetime.now(UTC).date())]


async def test_a_day_is_read_page_by_page_in_its_order(partner: HttpJsonPartner, server: Server) -> None:
    """Five orders on pages of two: three pages."""
    for number in range(5):
        await partner.perform(order(f"PH-{number}", Operation.CREDIT, amount=number + 1))
    server.requests.clear()
    found = await entries(partner)
    assert [(entry.reference, entry.amount, entry.operation, entry.unit, entry.status) for entry in found] == [
        (f"PH-{number}", number + 1, Operation.CREDIT, "MILES", Status.SUCCEEDED) for number in range(5)
    ]
    assert [request.query for request in server.requests] == [{}, {"after": "2"}, {"after": "4"}]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {"entries": [], "next": "same"}),
        Reply(200, {"entries": {}}),
        Reply(200, b'{"entries": [], "next": null, "next": null}'),
        Reply(200, {"entries": [{"reference": "x"}]}),
        Reply(200, b"x"),
        Reply(503, {"code": "BUSY"}),
        DROP,
    ],
)
async def test_a_journal_that_cannot_be_read_whole_is_unavailable(
    partner: HttpJsonPartner, bank: Bank, reply: Reply
) -> None:
    spoiled(bank, reply)
    with pytest.raises(PartnerUnavailable):
        await entries(partner)


# --- what a configuration can say -------------------------------------------------------------------------------------


async def test_a_partner_with_other_words_paths_and_numbers(server: Server) -> None:
    """Amounts are counted in thousandths as numbers, times in milliseconds, and everything stands elsewhere."""
    asked = order(member="卡 1/2", partner_of="B/7", of="PH-0")
    milliseconds = (asked.asked_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    def answer(request: Request) -> Reply:
        data = {"no": "PH-1-D", "pts": 123_450, "t": milliseconds, "ids": [{"a/b": "Z-1"}]}
        return Reply(200, {"rtn": 0, "data": data})

    async with serving(answer) as other, changed(
        other,
        amount={"form": "SCALED", "scale": 3, "number": True},
        time={"form": "UNIX_MS"},
        words={"DEBIT": "扣减"},
        headers={"X-Channel": "hub"},
        secretHeaders={"x-app-key": "k-1"},
        orders=[{
            "operations": ["DEBIT"],
            "call": {
                "method": "PUT", "path": "/{unit}/{partnerOf}/debit", "query": {"t": "{time}", "of": "{of}"},
                "headers": {"x-trace": "{reference}"},
                "body": {
                    "op": "{operation}", "pts": "{amount}", "text": "{{{member}}} {amount}", "list": ["{of}", 1, None],
                },
            },
        }],
        answer={
            "status": "rtn", "statuses": {"0": "SUCCEEDED"}, "reference": "/data/no", "amount": "data.pts",
            "time": "data.t", "partnerReference": "/data/ids/0/a~1b",
        },
    ) as partner:  # fmt: skip
        found = await partner.perform(asked)
        assert judge(asked, found, partner.capabilities, datetime.now(UTC)).incident is None
        assert (found.status, found.amount, found.partner_reference) == (Status.SUCCEEDED, 12_345, "Z-1")
        assert found.at == asked.asked_at.replace(microsecond=asked.asked_at.microsecond // 1000 * 1000)
        assert partner.capabilities.echoes == {Echo.REFERENCE, Echo.AMOUNT, Echo.TIME, Echo.PARTNER_REFERENCE}
    [request] = other.requests
    assert (request.method, request.target) == ("PUT", f"/MILES/B%2F7/debit?t={milliseconds}&of=PH-0")
    assert (request.headers["x-channel"], request.headers["x-app-key"]) == ("hub", "k-1")
    assert request.headers["x-trace"] == "PH-1-D"
    assert request.json == {"op": "扣减", "pts": 123_450, "text": "{卡 1/2} 123450", "list": ["PH-0", 1, None]}


async def test_a_hold_says_until_when_it_has_to_last(server: Server) -> None:
    call = {"path": "/v1/orders", "body": {"op": "{operation}", "amount": "{amount}", "until": "{heldUntil}"}}
    server.answer = lambda request: Reply(200, b'{"status": "SUCCEEDED", "reference": "PH-1-D", "amount": "123.45"}')
    async with changed(server, orders=[{"operations": ["DEBIT", "HOLD"], "call": call}]) as partner:
        asked = order()
        for operation in (Operation.HOLD, Operation.DEBIT):
            await partner.perform(msgspec.structs.replace(asked, operation=operation))
    held, debited = [request.json for request in server.requests]
    assert datetime.fromisoformat(held["until"]) == asked.asked_at + HOLD_LASTS
    assert debited == {"op": "DEBIT", "amount": "123.45"}


async def test_an_amount_may_be_a_json_number_and_stays_exact(server: Server) -> None:
    call = {"path": "/v1/orders", "body": {"amount": "{amount}"}}
    orders = [{"operations": ["DEBIT"], "call": call}]
    told = b'{"status": "SUCCEEDED", "reference": "PH-1-D", "amount": %s}'
    for number, status in ((b"123.45", Status.SUCCEEDED), (b"123.450", Status.SUCCEEDED), (b"123.449999", None)):
        server.answer = lambda request, number=number: Reply(200, told % number)  # type: ignore[misc]
        async with changed(server, amount={"number": True}, orders=orders) as partner:
            answer = await partner.perform(order())
        assert answer.status is (status or Status.UNKNOWN)
        assert answer.amount == (None if status is None else 12_345)
        assert server.requests[-1].body == b'{"amount":123.45}'


@pytest.mark.parametrize(
    ("template", "member"), [("/v1/{member}/x", ".."), ("/v1/{member}", ""), ("/v1/{of}", "M"), ("header", "a\r\nb: c")]
)
async def test_what_cannot_be_told_safely_is_not_sent(server: Server, template: str, member: str) -> None:
    call: dict[str, Any] = (
        {"path": template} if template != "header" else {"path": "/v1", "headers": {"x-m": "{member}"}}
    )
    async with changed(server, orders=[{"operations": ["DEBIT"], "call": call}]) as partner:
        answer = await partner.perform(order(member=member))
    assert (answer.status, answer.reason) == (Status.REFUSED, Reason.OTHER)
    assert server.requests == []


async def test_every_answer_must_echo_what_is_mapped_unless_told_otherwise(server: Server) -> None:
    async with changed(server) as strict, changed(server, echoes=["REFERENCE"]) as lenient:
        assert strict.capabilities.echoes == set(Echo)
        assert lenient.capabilities.echoes == {Echo.REFERENCE}


async def test_a_partner_that_was_let_go_of_sends_nothing(server: Server) -> None:
    async with changed(server) as partner:
        pass
    assert (await partner.perform(order())).status is Status.ABSENT
    assert (await partner.status(order())).status is Status.UNKNOWN
    assert server.requests == []


async def test_cancelling_a_call_lets_the_connection_go(server: Server, bank: Bank) -> None:
    arrived = asyncio.Event()

    def silent(request: Request, done: Reply) -> Reply:
        arrived.set()
        return SILENT

    bank.spoil = silent
    async with changed(server, connectionsMax=1) as partner:
        task = asyncio.create_task(partner.perform(order()))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bank.spoil = None
        assert (await partner.perform(order("PH-2-D"))).status is Status.SUCCEEDED
