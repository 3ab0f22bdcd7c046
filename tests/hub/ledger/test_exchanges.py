"""Exchanges: what each answer of a partner posts, and what none of them can do. The partners are played by hand."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub import ids
from hub.access import Role
from hub.audit import audit
from hub.errors import (
    InsufficientPoints,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PartnerRefused,
    PartnerUnavailable,
    PointsUnresolved,
    SameApprover,
)
from hub.ledger import commands
from hub.ledger.commands import BonusTerms, MoneyText, Party
from hub.ledger.decide import Outcome
from hub.ledger.engine import STRETCH
from hub.ledger.orders import Exchange, ExchangeState, reference_of
from hub.ledger.records import Conversion, ConversionStatus
from hub.limits import Act, Period
from hub.partners import Operation, Reason, Status
from hub.rates import Funding
from tests.conftest import Hub
from tests.properties import invariants

CNY = 1_000_000
ALICE, AL, HAN = Party("BANK", "alice"), Party("AIR", "al"), Party("HOTEL", "han")
REMOTE: dict[str, Any] = {"adapter": "played", "connection": commands.Connection("{}", 6)}


async def network(hub: Hub) -> None:
    """BP is hosted, MILE and STAY are kept by partners; all at 0.05 CNY a point, 25 BP = 1 MILE, 2 MILE = 3 STAY."""
    for code in ("BANK", "AIR", "HOTEL"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    await hub.currency("MILE", "AIR", **REMOTE)
    await hub.currency("STAY", "HOTEL", **REMOTE)
    await hub.issue("BP", "BANK", "alice", "100000")
    await hub.rate("BP", "MILE", "1:25", fee_percent="1")
    await hub.rate("MILE", "STAY", "3:2")
    await hub.rate("MILE", "BP", "20:1")


@pytest.fixture
async def net(hub: Hub) -> AsyncIterator[Hub]:
    """The hub with its network; whatever was done is in order afterwards."""
    await network(hub)
    yield hub
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


def conversion(hub: Hub, source: Party, target: Party, pair: str, amount: str, **changes: Any) -> commands.Convert:
    given, became = pair.split(">")
    return commands.Convert(
        **{
            "actor": hub.admin,
            "key": f"{pair} {amount}",
            "source": source,
            "target": target,
            "source_currency": given,
            "target_currency": became,
            "amount": amount,
            "minimum_target": None,
            **changes,
        }
    )


async def begun(hub: Hub, source: Party, target: Party, pair: str, amount: str, **changes: Any) -> Conversion:
    made = await hub.do(conversion(hub, source, target, pair, amount, **changes))
    assert isinstance(made, Conversion)
    assert made.status is ConversionStatus.PENDING
    return made


async def answer(hub: Hub, reference: str, status: Status, **more: Any) -> Exchange:
    host = hub.engine.configuration.host.id
    after = await hub.do(commands.ReportOrder(actor=host, reference=reference, status=status, **more))
    await invariants.check(hub)
    assert isinstance(after, Exchange)
    return after


async def asked(hub: Hub, of: Conversion) -> list[tuple[str, str, int]]:
    """Operation, currency and amount of each order of a conversion, in order."""
    rows = await hub.sql("SELECT * FROM partner_order WHERE exchange_id = $1 ORDER BY id", of.id)
    return [(row["operation"], row["currency"], row["amount"]) for row in rows]


async def under_way(hub: Hub) -> list[str]:
    return [row["reference"] for row in await hub.sql("SELECT reference FROM partner_call ORDER BY reference")]


async def status(hub: Hub, of: Conversion) -> str:
    [row] = await hub.sql("SELECT status FROM conversion WHERE id = $1", of.id)
    return str(row["status"])


async def batch_now(hub: Hub) -> int:
    [row] = await hub.sql("SELECT batch FROM journal_head")
    return int(row["batch"])


async def stands(hub: Hub, kind: str, currency: str) -> tuple[int, int]:
    """The balance of an account of points, and what of it is pending."""
    kinds = {"customer": 1, "issuance": 2, "partner": 9, "transit": 10}
    rows = await hub.sql("SELECT * FROM account WHERE kind = $1 AND currency = $2", kinds[kind], currency)
    return (
        sum(row["credits_posted"] - row["debits_posted"] for row in rows),
        sum(row["credits_pending"] - row["debits_pending"] for row in rows),
    )


async def owed(hub: Hub, money: str = "CNY") -> dict[str, int]:
    """What the hub owes each institution in the open window, by its own acts; millionths."""
    codes = {id: one.code for id, one in hub.engine.configuration.institutions.items()}
    rows = await hub.sql(
        "SELECT p.* FROM position p JOIN settlement_window w ON w.id = p.window_id AND w.status = 'OPEN'"
        " WHERE p.currency = $1",
        money,
    )
    return {
        codes[row["institution_id"]]: row["credits"] - row["debits"] for row in rows if row["credits"] or row["debits"]
    }


# --- the ways that an exchange can go ---------------------------------------------------------------------------------


async def test_between_two_partners_points_pass_partner_transit_and_issuance(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await invariants.check(net)
    debit, credit = f"PH-{made.id:X}-D", f"PH-{made.id:X}-C"
    assert await under_way(net) == [debit]
    assert await owed(net) == {}  # 300 STAY × 0.05 = 15.00 are pending, in no window yet

    after = await answer(net, debit, Status.SUCCEEDED, partner_reference="A-1")
    assert after.state is ExchangeState.CREDITING
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((-200, 0), (200, 0))
    assert await status(net, made) == "PENDING"
    assert await under_way(net) == [credit]

    after = await answer(net, credit, Status.SUCCEEDED, partner_reference="H-1")
    assert (after.state, after.order) == (ExchangeState.COMPLETED, None)
    assert await status(net, made) == "COMPLETED"
    assert await stands(net, "transit", "MILE") == (0, 0)
    assert await stands(net, "issuance", "MILE") == (200, 0)  # what the airline owed of these, it owes no more
    assert (await stands(net, "issuance", "STAY"), await stands(net, "partner", "STAY")) == ((-300, 0), (300, 0))
    assert await owed(net) == {"AIR": -15 * CNY, "HOTEL": 15 * CNY}
    assert await asked(net, made) == [("DEBIT", "MILE", 200), ("CREDIT", "STAY", 300)]
    assert await under_way(net) == []


async def test_hosted_points_are_held_until_the_partner_has_given_its_own(net: Hub) -> None:
    made = await begun(net, ALICE, AL, "BP>MILE", "50000")
    await invariants.check(net)
    assert await stands(net, "customer", "BP") == (100_000, -50_000)
    after = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert await stands(net, "customer", "BP") == (50_000, 0)
    assert await stands(net, "partner", "MILE") == (2_000, 0)
    # 2,000 MILE × 0.05 = 100.00 to the airline; 1 % of it to the hub
    assert await owed(net) == {"BANK": -101 * CNY, "AIR": 100 * CNY, "HUB": 1 * CNY}
    assert await asked(net, made) == [("CREDIT", "MILE", 2_000)]


async def test_points_that_a_partner_took_arrive_in_a_hosted_account_at_once(net: Hub) -> None:
    made = await begun(net, AL, Party("BANK", "bo"), "MILE>BP", "7")
    after = await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    assert after.state is ExchangeState.COMPLETED
    assert await net.balance("BP", "BANK", "bo") == 140
    assert await asked(net, made) == [("DEBIT", "MILE", 7)]


@pytest.mark.parametrize(
    ("status_", "refusal"), [(Status.REFUSED, PartnerRefused), (Status.ABSENT, PartnerUnavailable)]
)
async def test_a_debit_that_is_refused_changes_nothing(net: Hub, status_: Status, refusal: Any) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    after = await answer(net, f"PH-{made.id:X}-D", status_, reason=Reason.INSUFFICIENT_POINTS, code="51")
    assert (after.state, after.refusal) == (ExchangeState.REFUSED, refusal.code)
    assert after.details is not None
    assert after.details["currency"] == "MILE"
    assert await status(net, made) == "REFUSED"
    assert await stands(net, "partner", "MILE") == (0, 0)
    assert await owed(net) == {}
    assert await under_way(net) == []


async def test_a_credit_that_is_refused_frees_what_was_held(net: Hub) -> None:
    made = await begun(net, ALICE, AL, "BP>MILE", "50000")
    after = await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.NO_SUCH_MEMBER)
    assert (after.state, after.details) == (
        ExchangeState.REFUSED, {"currency": "MILE", "because": "NO_SUCH_MEMBER"},
    )  # fmt: skip
    assert await stands(net, "customer", "BP") == (100_000, 0)
    assert await status(net, made) == "REFUSED"


async def test_a_credit_that_is_refused_after_a_debit_is_refunded(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED, partner_reference="A-1")
    after = await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.MEMBER_BLOCKED)
    assert after.state is ExchangeState.REFUNDING
    assert await status(net, made) == "PENDING"
    [refund] = await net.sql("SELECT * FROM partner_order WHERE operation = 'REVERSE'")
    assert (refund["undoes"], refund["partner_undoes"], refund["amount"]) == (f"PH-{made.id:X}-D", "A-1", 200)

    after = await answer(net, f"PH-{made.id:X}-R", Status.SUCCEEDED)
    assert (after.state, after.refusal) == (ExchangeState.REVERSED, "PARTNER_REFUSED")
    assert await status(net, made) == "REVERSED"
    assert (await stands(net, "partner", "MILE"), await stands(net, "transit", "MILE")) == ((0, 0), (0, 0))
    assert await owed(net) == {}


async def test_what_is_unknown_is_in_doubt_and_never_refunded(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    for _ in range(3):
        after = await answer(net, f"PH-{made.id:X}-C", Status.UNKNOWN)
        assert (after.state, after.in_doubt) == (ExchangeState.CREDITING, True)
    assert await status(net, made) == "IN_DOUBT"
    assert await stands(net, "transit", "MILE") == (200, 0)
    assert len(await net.sql("SELECT 1 FROM exchange_step")) == 3  # it began, was debited, and became doubtful once

    after = await answer(net, f"PH-{made.id:X}-C", Status.PENDING)
    assert (after.in_doubt, await status(net, made)) == (False, "PENDING")
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert await status(net, made) == "COMPLETED"


async def test_a_refund_that_is_refused_waits_for_a_person(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    after = await answer(net, f"PH-{made.id:X}-R", Status.REFUSED, reason=Reason.OTHER)
    assert (after.state, after.in_doubt) == (ExchangeState.REFUNDING, True)
    assert await status(net, made) == "IN_DOUBT"
    assert await stands(net, "transit", "MILE") == (200, 0)


async def test_old_double_and_foreign_answers_do_nothing(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    debit, credit = f"PH-{made.id:X}-D", f"PH-{made.id:X}-C"
    host = net.engine.configuration.host.id
    await answer(net, credit, Status.SUCCEEDED)  # before it was asked for
    assert await status(net, made) == "PENDING"
    together = [commands.ReportOrder(actor=host, reference=debit, status=Status.SUCCEEDED) for _ in range(3)]
    await net.batch(together)
    await answer(net, debit, Status.REFUSED, reason=Reason.OTHER)  # it changed its mind, too late
    assert await stands(net, "partner", "MILE") == (-200, 0)
    await answer(net, credit, Status.SUCCEEDED)
    await answer(net, credit, Status.REFUSED, reason=Reason.OTHER)
    assert await status(net, made) == "COMPLETED"
    for strange in ("PH-1-D", "PH-FFFFFFFFFFFFFFFF-D", "anything"):
        assert await net.do(commands.ReportOrder(actor=host, reference=strange, status=Status.SUCCEEDED)) is None
    await answer(net, f"PH-{made.id:X}-Z9", Status.SUCCEEDED)
    assert len(await net.sql("SELECT 1 FROM exchange_step")) == 3
    await invariants.check(net)


async def test_only_the_operator_reports_what_partners_did(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    airline, _ = await net.key("AIR", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
    [said] = await net.batch(
        [commands.ReportOrder(actor=airline, reference=f"PH-{made.id:X}-D", status=Status.SUCCEEDED)]
    )
    assert type(said).__name__ == "Forbidden"
    assert await stands(net, "partner", "MILE") == (0, 0)


# --- what counts while it is under way --------------------------------------------------------------------------------


async def test_pending_money_counts_under_caps_at_once_and_frees_them_when_it_comes_to_nothing(net: Hub) -> None:
    await net.cap("AIR", "20")
    first = await begun(net, AL, HAN, "MILE>STAY", "200")  # 15.00
    with pytest.raises(LimitExceeded):
        await net.do(conversion(net, AL, HAN, "MILE>STAY", "80"))  # 6.00 more
    await answer(net, f"PH-{first.id:X}-D", Status.REFUSED, reason=Reason.OTHER)
    second = await begun(net, AL, HAN, "MILE>STAY", "266")  # 399 × 0.05 = 19.95
    for letter in "DC":
        await answer(net, f"PH-{second.id:X}-{letter}", Status.SUCCEEDED)
    assert await owed(net) == {"AIR": -19_950_000, "HOTEL": 19_950_000}
    with pytest.raises(LimitExceeded):
        await net.do(conversion(net, AL, HAN, "MILE>STAY", "2"))  # 0.15 more


async def test_what_was_promised_is_posted_whatever_the_cap_is_by_then(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await net.cap("AIR", "1")
    for letter in "DC":
        await answer(net, f"PH-{made.id:X}-{letter}", Status.SUCCEEDED)
    assert await owed(net) == {"AIR": -15 * CNY, "HOTEL": 15 * CNY}


async def test_money_falls_into_the_window_that_is_open_when_it_completes(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    first = await net.window()
    await net.do(commands.CloseWindow(actor=net.admin, key="close", window=first))
    assert not await net.sql("SELECT 1 FROM window_net WHERE window_id = $1", first)
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    after = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert after.window == await net.window() != first
    assert await owed(net) == {"AIR": -15 * CNY, "HOTEL": 15 * CNY}


async def test_an_institution_that_moved_meanwhile_frees_the_caps_that_it_counted_under(net: Hub) -> None:
    await net.institution("ALLY")
    await net.cap("AIR", "20")
    await net.cap("ALLY", "20")
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await net.do(commands.MoveInstitution(actor=net.admin, code="AIR", parent="ALLY"))
    first = await net.window()
    await net.do(commands.CloseWindow(actor=net.admin, key="close", window=first))
    await answer(net, f"PH-{made.id:X}-D", Status.REFUSED, reason=Reason.OTHER)
    rows = await net.sql("SELECT * FROM position WHERE window_id = 0")
    assert {row["subtree"] for row in rows} == {0}


async def test_limits_and_bonus_caps_count_it_until_it_comes_to_nothing(net: Hub) -> None:
    bonus = BonusTerms("30", "1000", None, None, Funding.SOURCE_ISSUER, None, None)
    await net.rate("STAY", "MILE", "1:2", bonuses=(bonus,), settlement_price=MoneyText("0.01", "CNY"))
    await net.limit("day", "1500", "STAY", act=Act.CONVERT, period=Period.DAY)
    made = await begun(net, HAN, AL, "STAY>MILE", "1000")  # 500 + 30 % of them
    assert made.figures.target == 650
    with pytest.raises(LimitExceeded):
        await net.do(conversion(net, HAN, AL, "STAY>MILE", "600"))
    [used] = await net.sql("SELECT used FROM bonus_use")
    assert used["used"] == 1_000
    await answer(net, f"PH-{made.id:X}-D", Status.REFUSED, reason=Reason.OTHER)
    again = await begun(net, HAN, AL, "STAY>MILE", "1500")  # 750 + 30 % of the first 500
    assert again.figures.target == 750 + 150


async def test_held_points_cannot_be_spent_twice_nor_left_behind(net: Hub) -> None:
    await begun(net, ALICE, AL, "BP>MILE", "75000")
    with pytest.raises(InsufficientPoints):
        await net.do(conversion(net, ALICE, AL, "BP>MILE", "50000"))
    with pytest.raises(PointsUnresolved):
        await net.do(commands.CloseCustomer(actor=net.admin, key="bye", customer=ALICE, reason="leaves"))


@pytest.mark.parametrize("between", [0, STRETCH])
async def test_one_that_ends_in_its_own_batch_is_kept_as_it_ended(hub: Hub, between: int) -> None:
    # With a whole stretch between the two, the row is written before it ends.
    await network(hub)
    await begun(hub, ALICE, AL, "BP>MILE", "25")  # AL is known from here on
    next_id = ids.first_of(await batch_now(hub) + 1)
    host = hub.engine.configuration.host.id
    asked_for = [
        conversion(hub, ALICE, AL, "BP>MILE", "50"),
        *(commands.EnrollCustomer(actor=hub.admin, customer=Party("BANK", f"c{n}")) for n in range(between)),
        commands.ReportOrder(
            actor=host,
            reference=reference_of(next_id, ExchangeState.CREDITING),
            status=Status.SUCCEEDED,
            partner_reference="1",
        ),
    ]
    made, *_, after = [one.result for one in await hub.batch(asked_for) if isinstance(one, Outcome)]
    assert isinstance(made, Conversion)
    assert isinstance(after, Exchange)
    assert (made.id, after.state) == (next_id, ExchangeState.COMPLETED)
    assert await status(hub, made) == "COMPLETED"
    await invariants.check(hub)


async def test_a_quote_is_used_once_by_an_exchange_too(net: Hub) -> None:
    quote = await net.do(
        commands.RequestQuote(
            actor=net.admin,
            source=AL,
            target=HAN,
            source_currency="MILE",
            target_currency="STAY",
            amount="200",
            ttl_seconds=900,
        )
    )
    made = await net.do(commands.ExecuteQuote(actor=net.admin, key="take", quote=quote.id))
    assert (made.status, made.quote) == (ConversionStatus.PENDING, quote.id)
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert await owed(net) == {"AIR": -15 * CNY, "HOTEL": 15 * CNY}


async def test_a_key_that_is_sent_again_is_answered_with_the_same_conversion(net: Hub) -> None:
    asked_for = conversion(net, AL, HAN, "MILE>STAY", "200")
    first, again = await net.batch([asked_for, asked_for])
    await answer(net, f"PH-{first.result.id:X}-D", Status.SUCCEEDED)  # type: ignore[union-attr]
    [later] = await net.batch([asked_for])
    assert {one.result.id for one in (first, again, later)} == {first.result.id}  # type: ignore[union-attr]
    assert later.replayed  # type: ignore[union-attr]
    assert len(await net.sql("SELECT 1 FROM exchange")) == 1


async def test_a_taker_who_leaves_meanwhile_has_the_giver_refunded(net: Hub) -> None:
    await net.issue("BP", "BANK", "bo", "1")
    made = await begun(net, AL, Party("BANK", "bo"), "MILE>BP", "7")
    await net.do(commands.CloseCustomer(actor=net.admin, key="bye", customer=Party("BANK", "bo"), reason="leaves"))
    after = await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    assert (after.state, after.refusal) == (ExchangeState.REFUNDING, "CUSTOMER_CLOSED")
    await answer(net, f"PH-{made.id:X}-R", Status.SUCCEEDED)
    assert await status(net, made) == "REVERSED"


# --- deciding by evidence ---------------------------------------------------------------------------------------------


async def test_two_persons_decide_what_no_partner_says(net: Hub) -> None:
    made = await begun(net, ALICE, AL, "BP>MILE", "50000")
    await answer(net, f"PH-{made.id:X}-C", Status.UNKNOWN)
    note = commands.AddEvidence(actor=net.admin, exchange=made.id, done=None, text="Telephoned with the airline.")
    await net.do(note)
    await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=True, text="Statement of 1 May."))
    [proposal] = await net.sql("SELECT * FROM exchange_evidence WHERE kind = 'PROPOSAL'")
    approve = commands.ApproveEvidence(actor=net.admin, exchange=made.id, proposal=proposal["id"])
    with pytest.raises(SameApprover):
        await net.do(approve)
    after = await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=proposal["id"]))
    assert after.state is ExchangeState.COMPLETED
    assert await status(net, made) == "COMPLETED"
    with pytest.raises(NotFound):
        await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=proposal["id"]))
    await invariants.check(net)


async def test_evidence_against_a_partner_frees_what_was_held(net: Hub) -> None:
    made = await begun(net, ALICE, AL, "BP>MILE", "50000")
    with pytest.raises(InvalidInput):  # nothing is in doubt yet
        await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=False, text="They say no."))
    await answer(net, f"PH-{made.id:X}-C", Status.UNKNOWN)
    await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=True, text="They say yes."))
    await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=False, text="No, they say no."))
    first, last = await net.sql("SELECT * FROM exchange_evidence ORDER BY id")
    with pytest.raises(NotFound):  # nobody approves what was taken back
        await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=first["id"]))
    await net.do(commands.ApproveEvidence(actor=net.second, exchange=made.id, proposal=last["id"]))
    assert (await status(net, made), await stands(net, "customer", "BP")) == ("REFUSED", (100_000, 0))


async def test_that_a_refund_never_came_is_no_end(net: Hub) -> None:
    made = await begun(net, AL, HAN, "MILE>STAY", "200")
    await answer(net, f"PH-{made.id:X}-D", Status.SUCCEEDED)
    await answer(net, f"PH-{made.id:X}-C", Status.REFUSED, reason=Reason.OTHER)
    await answer(net, f"PH-{made.id:X}-R", Status.UNKNOWN)
    with pytest.raises(InvalidInput):
        await net.do(commands.AddEvidence(actor=net.admin, exchange=made.id, done=False, text="Nothing came."))
    assert Operation.REVERSE.value in {row["operation"] for row in await net.sql("SELECT * FROM partner_order")}


async def test_money_that_was_pending_over_a_closing_and_a_move_falls_into_the_model_that_takes_it_then(
    net: Hub,
) -> None:
    """Accepted when BANK was a member of CARD. At the end it stands below HOTEL in CARD's window, which is none; in the
    default's, the first, still by itself."""
    await net.model("CARD", ["BANK", "AIR"])
    first = await begun(net, ALICE, AL, "BP>MILE", "500")
    assert first.window == await net.window("CARD")  # the newest: by its tree the pending money counts
    kept = await answer(net, f"PH-{first.id:X}-C", Status.SUCCEEDED)
    assert kept.window == await net.window("CARD")
    made = await begun(net, ALICE, AL, "BP>MILE", "1000")
    await net.do(commands.MoveInstitution(actor=net.admin, code="BANK", parent="HOTEL"))
    await net.do(commands.CloseWindow(actor=net.admin, key="card", window=await net.window("CARD")))
    done = await answer(net, f"PH-{made.id:X}-C", Status.SUCCEEDED)
    assert done.window == await net.window()
    assert await net.sql("SELECT 1 FROM position WHERE window_id = 0 AND (subtree <> 0 OR gross <> 0)") == []
    codes = {id: one.code for id, one in net.engine.configuration.institutions.items()}
    rows = await net.sql("SELECT institution_id, subtree FROM position WHERE window_id = $1", done.window)
    # 1,000 BP are 40 MILE at 0.05 = 2.00, and a fee of 1 %.
    assert {codes[row[0]]: row[1] for row in rows} == {"BANK": -2_020_000, "AIR": 2_000_000, "HUB": 0}
    # What a partner redeems is accepted by the newest window as well, after a closing.
    spent = await net.do(
        commands.Redeem(
            actor=net.admin, key="redeem", currency="MILE", customer=AL, merchant="HUB", amount="7", memo=None
        )
    )
    await net.do(commands.CloseWindow(actor=net.admin, key="card 2", window=await net.window("CARD")))
    ended = await answer(net, f"PH-{spent.id:X}-D", Status.SUCCEEDED)
    assert ended.window == await net.window("CARD")
    assert await net.sql("SELECT 1 FROM position WHERE window_id = 0 AND (subtree <> 0 OR gross <> 0)") == []
