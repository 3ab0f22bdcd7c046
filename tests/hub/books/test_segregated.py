"""Segregated accounts: what the books say of them day by day, what a bank's file says, and the difference, exactly."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from hub import postgres
from hub.access import Role
from hub.books import segregated
from hub.books.balances import trial_balance
from hub.books.banking import BankPurpose, account_number
from hub.cover import Pot
from hub.errors import Duplicate, Forbidden, InvalidAmount, InvalidInput, NotFound, Refusal, UnknownCurrency
from hub.expiry import day_of
from hub.ledger import commands
from hub.ledger.commands import BankAccountText, MoneyText
from hub.ledger.records import AccountKind
from settlement.banking import Banking, take
from tests.conftest import Hub, Pass
from tests.hub.agreed import agree, grant
from tests.hub.audited import check_every
from tests.hub.ledger.test_cover import put

ZONE = "Asia/Shanghai"
IBAN = "DE89370400440532013000"
CNY = 1_000_000


def account(number: str, purpose: BankPurpose = BankPurpose.COLLATERAL, of: str | None = None) -> BankAccountText:
    return BankAccountText(number, "CNY", purpose, f"The {number}", None, None, of)


async def register(hub: Hub, *accounts: BankAccountText, actor: int | None = None) -> None:
    zone = ZONE if actor is None else None
    asking = hub.admin if actor is None else actor
    await hub.do(commands.SetBooks(actor=asking, time_zone=zone, accounts=None, banks=accounts))


async def today(hub: Hub) -> date:
    async with hub.reading.open(hub.admin) as reader:
        return day_of(reader.at, ZONE)


def file(*rows: Sequence[str]) -> bytes:
    return "\n".join(["account,currency,day,amount,statement", *(",".join(row) for row in rows)]).encode()


async def bring(hub: Hub, *rows: Sequence[str], apply: bool = True) -> Banking:
    return await take(hub.reading, hub.engine, hub.admin, file(*rows), apply=apply)


async def compared(hub: Hub, day: date) -> list[tuple[str, str | None, int, int | None]]:
    """What a day comes to: the purpose, the account's number, what is booked, and the difference."""
    async with hub.reading.open(hub.admin) as reader:
        found = await segregated.compare(reader, day)
    return [
        (one.purpose.value, None if one.account is None else one.account.number, one.booked, one.difference)
        for one in found
    ]


async def test_what_is_kept_is_held_against_the_bank_s_word_by_account_and_day(
    hub: Hub, pass_: Pass, postgres_server: postgres.Server
) -> None:
    for code in ("BANK", "SHOP", "TEL"):
        await hub.institution(code)
    await hub.currency("BP", "BANK")
    bank, _ = await hub.key("BANK", Role.INSTITUTION_ADMIN)
    tel, _ = await hub.key("TEL", Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER)
    own, prepaid = account("0001", of="BANK"), account("0002", BankPurpose.PREPAID)
    common = account("DE89 3704 0044 0532 0130 00")
    await register(hub, common, own, prepaid)
    first = await today(hub)
    await put(hub, "50.00", "a", of="BANK")
    await put(hub, "20.00", "b", of="SHOP")
    await put(hub, "5.00", "c", of="SHOP", pot=Pot.FUND)
    await agree(hub, grant(hub, "TEL", "0.03"), tel)
    offer = commands.OfferBlock(
        actor=bank, currency="BP", holder="TEL", points="100", price=MoneyText("3.00", "CNY"), until=None
    )
    await hub.do(commands.AcceptBlock(actor=tel, id=(await hub.do(offer)).id))
    pass_(timedelta(days=1))
    # The fund has no account; and the block's price has not moved yet, because its window is open.
    assert await compared(hub, first) == [
        ("COLLATERAL", IBAN, 20 * CNY, None),  # of all but BANK
        ("COLLATERAL", "0001", 50 * CNY, None),
        ("FUND", None, 5 * CNY, None),
        ("PREPAID", "0002", 0, None),
    ]

    # A file is taken whole or not at all: of one whose last row is of no account nothing is kept.
    day = first.isoformat()
    rows = [(IBAN, "CNY", day, "20.00", "S-1"), ("0001", "CNY", day, "49.99", ""), ("0002", "CNY", day, "0", "")]
    wrong = await bring(hub, *rows, ("9999", "CNY", day, "1.00", ""))
    assert ([row.outcome.value for row in wrong.rows], wrong.taken) == (["TAKEN"] * 3 + ["UNKNOWN"], False)
    for told in (
        ((IBAN, "CNY", (first + timedelta(days=1)).isoformat(), "1", ""), "NOT_OVER"),
        (("DE88370400440532013000", "CNY", day, "1", ""), "MALFORMED"),  # wrong check digits
        ((IBAN, "CNY", day, "1.001", ""), "MALFORMED"),
        ((IBAN, "CNY", "20260131", "1", ""), "MALFORMED"),
        ((IBAN, "CNY", (first - timedelta(days=1)).isoformat(), "1", ""), "UNKNOWN"),  # not registered then
        ((IBAN, "USD", day, "1", ""), "UNKNOWN"),
    ):
        refused = await bring(hub, told[0])
        assert ([row.outcome.value for row in refused.rows], refused.taken) == ([told[1]], False)
    twice = await bring(hub, rows[0], rows[0])
    assert [row.outcome.value for row in twice.rows] == ["TAKEN", "DUPLICATE"]
    looked = await bring(hub, *rows, apply=False)
    assert (looked.taken, await hub.sql("SELECT * FROM bank_balance")) == (False, [])
    taken = await bring(hub, *rows)
    again = await bring(hub, *rows)
    assert (taken.taken, taken.replayed, again.replayed) == (True, False, True)
    assert await hub.sql("SELECT count(*) FROM bank_file") == [(1,)]
    assert await compared(hub, first) == [
        ("COLLATERAL", IBAN, 20 * CNY, 0),
        ("COLLATERAL", "0001", 50 * CNY, -10_000),  # a fen is missing
        ("FUND", None, 5 * CNY, None),
        ("PREPAID", "0002", 0, 0),
    ]
    await bring(hub, ("0001", "CNY", day, "50.00", "S-2"))  # the bank says it again; what it said last counts

    # What is posted today with yesterday's value date is in yesterday's books, here as in the trial balance.
    await put(hub, "-7.00", "d", of="SHOP", value_date=day)
    await put(hub, "1.00", "e", of="TEL", value_date=None)
    window = await hub.window()
    await hub.do(commands.CloseWindow(actor=hub.admin, key="close", window=window))
    for institution, amount in (("TEL", "-3.00"), ("BANK", "3.00")):
        await hub.do(
            commands.ConfirmSettlement(
                actor=hub.admin, key=institution, window=window, institution=institution, currency="CNY",
                amount=amount, value_date=None, reference=f"r {institution}",
            )
        )  # fmt: skip
    granted = commands.Issue(
        actor=tel, key="grant", currency="BP", to=commands.Party("TEL", "al"), amount="10", earned_at=None,
        expires_at=None, memo=None, grantor="TEL",
    )  # fmt: skip
    await hub.do(granted)
    second = await today(hub)
    pass_(timedelta(days=1))
    found = {at: await compared(hub, at) for at in (first, second)}
    assert found[first][:2] == [("COLLATERAL", IBAN, 13 * CNY, 7 * CNY), ("COLLATERAL", "0001", 50 * CNY, 0)]
    assert found[second] == [
        ("COLLATERAL", IBAN, 14 * CNY, None),  # 20 - 7 + 1
        ("COLLATERAL", "0001", 50 * CNY, None),
        ("FUND", None, 5 * CNY, None),
        ("PREPAID", "0002", 2_700_000, None),  # 90 of 100 points for 3.00 are still owed
    ]
    assert found[first][3] == ("PREPAID", "0002", 0, 0)
    async with hub.reading.open(hub.admin) as reader:
        for at, rows_of in found.items():
            balances = {one.kind: one.closing for one in await trial_balance(reader, at) if one.currency == "CNY"}
            booked = Counter[str]()
            for purpose, _, units, _ in rows_of:
                booked[purpose] += units
            assert booked["COLLATERAL"] == balances[AccountKind.COLLATERAL]
            assert booked["FUND"] == balances[AccountKind.FUND]

    await check_every(
        {
            "a balance that is missing": ("DELETE FROM bank_balance WHERE number = '0002'", "BANK_FILE"),
            "a file that is missing": ("DELETE FROM bank_file WHERE balances = 3", "BANK_FILE"),
            "taken by another": (f"UPDATE bank_file SET credential_id = {tel}", "BANK_FILE"),
            "of no account": (
                "UPDATE bank_balance SET number = '7' WHERE number = '0001'",
                "BANK_BALANCE",
            ),
            "of a day to come": (f"UPDATE bank_balance SET day = '{second}' WHERE number = '0001'", "BANK_BALANCE"),
            "of no day": ("UPDATE bank_balance SET day = 'x' WHERE number = '0001'", "BANK_BALANCE"),
            "of another amount": ("UPDATE bank_balance SET amount = amount + 1", "ENTRY_CONTENT"),
        },
        hub,
        postgres_server,
    )

    # What the command itself refuses, whoever has looked before.
    def said(number: str = IBAN, on: date = first, amount: str = "1") -> commands.BalanceText:
        return commands.BalanceText(number, "CNY", on, amount, "S")

    other, _ = await hub.key("SHOP", Role.INSTITUTION_ADMIN)
    for balances_said, why in (
        ((), InvalidInput),
        ((said("9"),), NotFound),
        ((said(on=await today(hub)),), InvalidInput),
        ((said(), said()), Duplicate),
        ((said(amount="1.001"),), InvalidAmount),
    ):
        with pytest.raises(why):
            await hub.do(commands.TakeBankFile(actor=hub.admin, digest=str(why), balances=balances_said))
    with pytest.raises(Forbidden):
        await hub.do(commands.TakeBankFile(actor=other, digest="x", balances=(said(),)))
    with pytest.raises(Forbidden):
        await register(hub, common, actor=other)
    bad: tuple[tuple[tuple[BankAccountText, ...], type[Refusal]], ...] = (
        ((account("no number!"),), InvalidInput),
        ((account("0001"), account("0001", BankPurpose.FUND)), Duplicate),  # one account for two things
        ((account("0001"), account("0002")), Duplicate),  # two for one
        ((account("0001", BankPurpose.PREPAID, "BANK"),), InvalidInput),
        ((account("0001", of="NOBODY"),), NotFound),
        ((BankAccountText("1", "XYZ", BankPurpose.FUND, "n", None, None, None),), UnknownCurrency),
        ((BankAccountText("1", "CNY", BankPurpose.FUND, "n", second, first, None),), InvalidInput),
    )
    for banks, refusal in bad:
        with pytest.raises(refusal):
            await register(hub, *banks)
    ended = BankAccountText("0001", "CNY", BankPurpose.FUND, "n", first, first, None)
    next_one = BankAccountText("0002", "CNY", BankPurpose.FUND, "n", second, None, None)
    await register(hub, ended, next_one)  # one after the other
    assert {row[1] for row in await compared(hub, second) if row[0] == "FUND"} == {"0002"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("de89 3704 0044 0532 0130 00", IBAN),
        ("GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("GB82WEST12345698765433", None),
        ("6222-0202", "6222-0202"),
        ("", None),
        ("1" * 35, None),
        ("12;34", None),
    ],
)
def test_an_account_number_has_one_spelling_and_an_iban_its_check_digits(text: str, number: str | None) -> None:
    assert account_number(text) == number
