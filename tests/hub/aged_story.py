"""A story of points that end, for the audit: gifts, holds, conversions there and back, and what comes back too late;
and how its rows can be tampered with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.currencies import ExpiryKind, HeldExpiry
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.rates import Life
from tests.conftest import Hub, Pass, passing

DAY = timedelta(days=1)
FIRST_END, SECOND_END = datetime(2090, 2, 1, tzinfo=UTC), datetime(2090, 7, 1, tzinfo=UTC)
SOON = timedelta(hours=1)


def carol() -> Party:
    return Party("BANK", "carol")


def dave() -> Party:
    return Party("BANK", "dave")


class AgedStory:
    """EP end a year after they were earned, GP at the year's end with days of grace, AP never but keep their age.

    BANK and SHOP are there. What ends soon ends while the story is told.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0

    async def act(self, kind: type[commands.Keyed], **of: Any) -> Any:
        self._keys += 1
        return await self.hub.do(kind(actor=self.hub.admin, key=f"aged-{self._keys}", **of))

    async def issue(self, to: Party, amount: int, currency: str = "EP", **times: Any) -> Any:
        told = {"earned_at": None, "expires_at": None, "memo": None, **times}
        return await self.act(commands.Issue, currency=currency, to=to, amount=str(amount), **told)

    async def give(self, amount: int, currency: str = "EP") -> Any:
        terms = {"source": carol(), "target": dave(), "memo": None}
        return await self.act(commands.Transfer, currency=currency, amount=str(amount), **terms)

    async def redeem(self, amount: int, currency: str = "EP") -> Any:
        terms = {"customer": carol(), "merchant": "SHOP", "memo": None}
        return await self.act(commands.Redeem, currency=currency, amount=str(amount), **terms)

    async def convert(self, source: str, target: str, amount: int) -> Any:
        ends = {"source": carol(), "target": carol(), "source_currency": source, "target_currency": target}
        return await self.act(commands.Convert, **ends, amount=str(amount), minimum_target=None)

    async def execute(self, source: str, target: str, amount: int) -> Any:
        ends: dict[str, Any] = {
            "source": carol(),
            "target": dave(),
            "source_currency": source,
            "target_currency": target,
        }
        offer = await self.hub.do(
            commands.RequestQuote(actor=self.hub.admin, **ends, amount=str(amount), ttl_seconds=60)
        )
        return await self.act(commands.ExecuteQuote, quote=offer.id)

    async def hold(self, amount: int, until: datetime, currency: str = "EP") -> int:
        made = await self.act(
            commands.HoldPoints, currency=currency, customer=carol(), amount=str(amount), expires_at=until, memo=None
        )
        return int(made.id)

    async def capture(
        self, hold: int, amount: int | None = None, *, to: Party | None = None, at: str | None = None
    ) -> None:
        text = None if amount is None else str(amount)
        await self.act(commands.CaptureHold, hold=hold, amount=text, target=to, merchant=at)

    async def reverse(self, id: int, amount: int | None = None) -> None:
        text = None if amount is None else str(amount)
        await self.act(commands.Reverse, id=id, amount=text, reason="sent back")

    async def configure(self) -> None:
        graced = commands.PolicyTerms(grace_days=3, held_expiry=HeldExpiry.EXPIRE)
        await self.hub.currency("EP", "BANK", expiry=ExpiryKind.MONTHS_AFTER_EARNING, months=12, cashable=True)
        await self.hub.currency("GP", "BANK", expiry=ExpiryKind.END_OF_YEAR, time_zone="Asia/Shanghai", policy=graced)
        await self.hub.currency("AP", "SHOP", policy=commands.PolicyTerms(keeps_age=True))
        await self.hub.rate("EP", "AP", "2:3")
        await self.hub.rate("AP", "EP", "1:1", allows_cashout=True)
        await self.hub.rate("EP", "GP", "1:2", life=Life.CARRIED)

    async def tell(self) -> None:
        with passing() as pass_:
            await self.configure()
            await self.live(pass_)

    async def live(self, pass_: Pass) -> None:
        now = datetime.now(UTC)
        soon = now + SOON
        for amount, ends in ((500, None), (400, SECOND_END), (300, FIRST_END)):
            await self.issue(carol(), amount, expires_at=ends)
        await self.issue(dave(), 77, earned_at=now - 100 * DAY)
        for currency in ("EP", "GP"):
            await self.issue(carol(), 90, currency, expires_at=soon)
        await self.issue(carol(), 1000, "GP")
        for age in (0, 40):
            await self.issue(carol(), 100, "AP", earned_at=now - age * DAY)
        late = [await self.redeem(20, currency) for currency in ("EP", "GP")]
        honoured = await self.hold(30, now + DAY)
        lost = await self.hold(30, now + DAY, "GP")
        forgotten = await self.hold(25, now + SOON / 2)
        await self.spend()
        await self.keep()
        await self.there_and_back()
        pass_(SOON)
        for act in late:
            await self.reverse(act.id)  # to breakage, or for the days of grace
        await self.capture(honoured, 28)
        await self.act(commands.ReleaseHold, hold=lost)
        accounts = await self.hub.sql("SELECT id FROM account WHERE kind = 1")
        await self.hub.do(commands.Lapse(actor=self.hub.admin, accounts=tuple(row[0] for row in accounts)))
        assert await self.status(forgotten) == "EXPIRED"

    async def spend(self) -> None:
        """Gifts and a redemption out of several lots, given back in parts."""
        gift = await self.give(500)
        await self.reverse(gift.id, 120)
        await self.reverse(gift.id, 50)
        cup = await self.redeem(210)
        await self.reverse(cup.id, 33)
        await self.give(120, "AP")

    async def keep(self) -> None:
        """Holds that are captured, given back, released, and open."""
        until = datetime.now(UTC) + 5 * DAY
        burned, sold, given, freed = [await self.hold(amount, until) for amount in (60, 70, 50, 40)]
        await self.capture(burned)
        await self.capture(sold, 45, at="SHOP")
        await self.reverse(sold, 20)
        await self.reverse(sold)
        await self.capture(given, 35, to=dave())
        await self.reverse(given, 5)
        await self.act(commands.ReleaseHold, hold=freed)
        await self.hold(15, until)
        await self.hold(10, until, "AP")

    async def there_and_back(self) -> None:
        """Conversions; what comes back has the end that it had."""
        there = await self.convert("EP", "AP", 120)
        await self.convert("AP", "EP", 130)
        carried = await self.convert("EP", "GP", 41)
        await self.execute("EP", "AP", 30)
        await self.reverse(there.id, 10)
        await self.reverse(carried.id, 3)
        await self.reverse(carried.id)

    async def status(self, hold: int) -> str:
        [row] = await self.hub.sql("SELECT status FROM hold WHERE id = $1", hold)
        return str(row[0])


EP = "currency = 'EP'"
GIFT = f"movement_id = (SELECT min(id) FROM movement WHERE kind = 2 AND {EP})"
MONEY = "(SELECT min(movement_id) FROM leg WHERE purpose = 2)"
# A statement, and what the audit finds after it, at least.
TAMPERED = {
    "a leg's phase": (
        "UPDATE leg SET phase = 1 WHERE phase = 2",
        {"ENTRY_CONTENT", "ACT_LEGS", "LEG_BALANCE", "LEG_PHASE", "LOT_ENTRY", "ACCOUNT_COUNTERS"},
    ),
    "a leg's phase that there is not": ("UPDATE leg SET phase = 4 WHERE phase = 2", {"ENTRY_CONTENT", "LEG_PHASE"}),
    "money that is pending": (
        f"UPDATE leg SET phase = 2 WHERE movement_id = {MONEY} AND purpose = 2",
        {"ENTRY_CONTENT", "LEG_PURPOSE", "ACT_LEGS"},  # it names a window, in which nothing is that is pending
    ),
    "what is pending on an account": (
        "UPDATE account SET debits_pending = debits_pending + 1"
        " WHERE kind = 1 AND credits_posted > debits_posted + debits_pending",
        {"ACCOUNT_COUNTERS", "HOLD_PENDING", "CURRENCY_PENDING"},
    ),
    "what is pending on both sides of a currency": (
        "UPDATE account SET debits_pending = debits_pending + 1, credits_pending = credits_pending + 1 WHERE kind = 2",
        {"ACCOUNT_COUNTERS", "HOLD_PENDING"},
    ),
    "what of an account is in lots": ("UPDATE account SET aged = aged - 1 WHERE aged > 0", {"ACCOUNT_COUNTERS"}),
    "a lot's amount": ("UPDATE lot SET amount = amount + 1", {"LOT"}),
    "what of a lot is held": ("UPDATE lot SET held = held - 1 WHERE held > 0", {"LOT"}),
    "when a lot was earned": ("UPDATE lot SET earned_at = earned_at + interval '1 day'", {"LOT"}),
    "when a lot ends": (
        "UPDATE lot SET expires_at = expires_at + interval '1 day' WHERE expires_at < '9000-01-01'",
        {"LOT"},
    ),
    "a lot that is gone": ("DELETE FROM lot WHERE held > 0", {"LOT"}),
    "a lot that nothing made": (
        "INSERT INTO lot"
        " SELECT journal_id, account_id, expires_at, origin || 'x', earned_at, id, amount, held FROM lot",
        {"LOT"},
    ),
    "what a gift takes": (
        f"UPDATE lot_entry SET amount = amount + 1 WHERE amount < 0 AND {GIFT}",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "what a gift takes of points without a lot": (
        f"DELETE FROM lot_entry WHERE {GIFT}",
        {"ENTRY_CONTENT", "LOT_ORDER", "LOT_BALANCE", "LOT", "ACCOUNT_COUNTERS"},
    ),
    "a gift of other points than those that end first": (
        "UPDATE lot_entry SET expires_at = '2095-01-01' WHERE expires_at = '2090-02-01'",
        {"ENTRY_CONTENT", "LOT_ORDER", "LOT_LIFE", "LOT"},
    ),
    "a gift of points that are over": (
        "UPDATE lot_entry SET expires_at = '2020-01-01' WHERE expires_at = '2090-02-01'",
        {"ENTRY_CONTENT", "LOT_OVER", "LOT"},
    ),
    "a gift that lives longer": (
        f"UPDATE lot_entry SET expires_at = expires_at + interval '1 day' WHERE amount > 0 AND {GIFT}",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "an entry's sign": (
        f"UPDATE lot_entry SET amount = -amount WHERE amount > 0 AND {GIFT}",
        {"ENTRY_CONTENT", "LOT_ENTRY", "LOT_BALANCE"},
    ),
    "an entry's place": (f"UPDATE lot_entry SET place = place + 10 WHERE {GIFT}", {"ENTRY_CONTENT", "LOT_ENTRY"}),
    "an entry's account": (
        f"UPDATE lot_entry SET account_id = (SELECT id FROM account WHERE kind = 2 AND currency = 'EP') WHERE {GIFT}",
        {"ENTRY_CONTENT", "LOT_ENTRY"},
    ),
    "an entry of more than its leg": (
        f"UPDATE lot_entry SET amount = amount * 1000 WHERE amount > 0 AND {GIFT}",
        {"ENTRY_CONTENT", "LOT_ENTRY", "LOT_LIFE", "LOT_BALANCE"},
    ),
    "an entry of a leg that there is not": (
        f"UPDATE lot_entry SET n = 9 WHERE {GIFT}",
        {"ENTRY_CONTENT", "LOT_ENTRY"},
    ),
    "an entry of points that have no lot": (
        f"UPDATE lot_entry SET expires_at = '9999-12-31', origin = '' WHERE amount > 0 AND {GIFT}",
        {"ENTRY_CONTENT", "LOT_ENTRY"},
    ),
    "an entry whose origin is none": (
        "UPDATE lot_entry SET origin = 'x' WHERE movement_id IN (SELECT id FROM movement WHERE kind = 4)",
        {"ENTRY_CONTENT", "LOT_ENTRY", "LOT"},
    ),
    "an issue that nothing put into a lot": (
        f"DELETE FROM lot_entry WHERE movement_id = (SELECT min(id) FROM movement WHERE kind = 1 AND {EP})",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT_BALANCE", "LOT"},
    ),
    "an issue of points whose age is not told": (
        "UPDATE lot_entry SET origin = replace(origin, '-', '/')"
        " WHERE movement_id IN (SELECT id FROM movement WHERE kind = 1 AND currency = 'AP')",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "a conversion that renews a life": (
        "UPDATE lot_entry SET expires_at = expires_at + interval '1 year' WHERE amount > 0 AND movement_id ="
        f" (SELECT min(id) FROM movement WHERE kind = 4 AND {EP})",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "a conversion that forgets what points were": (
        "UPDATE lot_entry SET origin = '' WHERE amount > 0 AND origin <> ''"
        " AND movement_id = (SELECT min(id) FROM movement WHERE kind = 4 AND currency = 'GP')",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "a reversal into another lot": (
        "UPDATE lot_entry SET expires_at = expires_at + interval '1 day' WHERE amount > 0"
        " AND movement_id IN (SELECT id FROM movement WHERE kind = 5)",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "days of grace that were more": (
        """UPDATE configuration_change SET document = replace(document, '"grace_days":3', '"grace_days":2')"""
        " WHERE noun = 'currency' AND document LIKE '%\"GP\"%'",
        {"ENTRY_CONTENT", "LOT_LIFE"},
    ),
    "an expiry of points that live": (
        "UPDATE lot_entry SET expires_at = '2090-02-01' WHERE movement_id IN (SELECT id FROM movement WHERE kind = 11)",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT_BALANCE", "LOT"},
    ),
    "an expiry that somebody asked for": (
        "UPDATE movement SET credential_id = (SELECT min(credential_id) FROM movement) WHERE kind = 11",
        {"ENTRY_CONTENT", "ACT_OUTCOME"},
    ),
    "a hold's amount": (
        "UPDATE hold SET amount = amount + 1",
        {"ENTRY_CONTENT", "HOLD", "HOLD_PENDING", "ACT_LEGS"},
    ),
    "a hold's customer": ("UPDATE hold SET customer_id = 7", {"ENTRY_CONTENT", "HOLD"}),
    "a hold's kind": ("UPDATE hold SET kind = 2", {"ENTRY_CONTENT", "HOLD"}),
    "a hold that is gone": ("DELETE FROM hold WHERE status = 'HELD'", {"ENTRY_CONTENT", "HOLD", "HOLD_PENDING"}),
    "a hold that was resolved and is gone": (
        "DELETE FROM hold WHERE status = 'CAPTURED'",
        {"ENTRY_CONTENT", "HOLD", "ACT"},
    ),
    "a hold without a movement": (
        "INSERT INTO hold SELECT journal_id, id + 1000, kind, credential_id, for_institution_id, customer_id, currency,"
        " amount, shortfall, expires_at, 'HELD', 0, NULL FROM hold WHERE status = 'HELD'",
        {"ENTRY_CONTENT", "HOLD"},
    ),
    "a hold that lasts longer than the policy lets": (
        "UPDATE hold SET expires_at = expires_at + interval '40 days' WHERE status = 'HELD'",
        {"ENTRY_CONTENT", "HOLD_TERM"},
    ),
    "a hold that was captured after its end": (
        "UPDATE hold SET expires_at ="
        " (SELECT at + interval '1 microsecond' FROM journal_entry WHERE batch = hold.id >> 20)"
        " WHERE status = 'CAPTURED'",
        {"ENTRY_CONTENT", "HOLD_TERM"},
    ),
    "a hold that the host released before its end": (
        "UPDATE hold SET expires_at = expires_at + interval '1 day' WHERE status = 'EXPIRED'",
        {"ENTRY_CONTENT", "HOLD_TERM", "HOLD_STATUS"},
    ),
    "a release that somebody asked for": (
        "UPDATE movement SET credential_id = (SELECT min(credential_id) FROM movement)"
        " WHERE id IN (SELECT resolved_by FROM hold WHERE status = 'EXPIRED')",
        {"ENTRY_CONTENT", "HOLD_TERM", "ACT_OUTCOME"},
    ),
    "a release that nobody asked for": (
        "UPDATE movement SET credential_id = (SELECT credential_id FROM movement WHERE kind = 11 LIMIT 1)"
        " WHERE id IN (SELECT resolved_by FROM hold WHERE status = 'RELEASED')",
        {"ENTRY_CONTENT", "HOLD_TERM", "OUTCOME"},
    ),
    "a hold that is resolved twice": (
        "UPDATE movement SET subject_id = (SELECT min(id) FROM hold WHERE status = 'CAPTURED') WHERE kind = 10",
        {"ENTRY_CONTENT", "HOLD", "ACT", "HOLD_STATUS"},
    ),
    "what a hold pins": (
        "UPDATE lot_entry SET held = held - 1 WHERE held > 1",
        {"ENTRY_CONTENT", "HOLD_PINS", "LOT_BALANCE", "LOT"},
    ),
    "what a capture takes": (
        "UPDATE lot_entry SET expires_at = expires_at + interval '1 day' WHERE amount < 0"
        " AND movement_id IN (SELECT id FROM movement WHERE kind = 9)",
        {"ENTRY_CONTENT", "HOLD_PINS", "LOT_BALANCE", "LOT"},
    ),
    "what a capture gives": (
        "UPDATE lot_entry SET expires_at = expires_at + interval '1 day' WHERE amount > 0"
        " AND movement_id IN (SELECT id FROM movement WHERE kind = 9)",
        {"ENTRY_CONTENT", "LOT_LIFE", "LOT"},
    ),
    "a capture of points that are over": (
        """UPDATE configuration_change SET document = replace(document, '"HONOUR"', '"EXPIRE"')"""
        " WHERE noun = 'currency'",
        {"ENTRY_CONTENT", "LOT_OVER"},
    ),
    "a capture of more than is held": (
        "UPDATE movement SET amount = amount + 100 WHERE kind = 9",
        {"ENTRY_CONTENT", "HOLD_PINS", "ACT_LEGS", "HOLD_STATUS"},
    ),
    "a reversal of a capture": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 5 AND subject_id IN (SELECT id FROM hold)",
        {"ENTRY_CONTENT", "REVERSAL", "ACT_LEGS"},
    ),
    "a hold's status": ("UPDATE hold SET status = 'RELEASED' WHERE status = 'HELD'", {"HOLD_STATUS"}),
    "an expired hold's status": ("UPDATE hold SET status = 'RELEASED' WHERE status = 'EXPIRED'", {"HOLD_STATUS"}),
    "what of a hold was captured": ("UPDATE hold SET captured = captured - 1 WHERE captured > 0", {"HOLD_STATUS"}),
    "what resolved a hold": ("UPDATE hold SET resolved_by = resolved_by + 1", {"HOLD_STATUS"}),
}
