"""A history with every kind of act is clean; then it is tampered with as nobody but a superuser can, each time in a
transaction that is rolled back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import clearings, postgres
from hub.access import Role
from hub.audit import Audit, audit
from hub.db import Addresses, Database
from hub.errors import LimitExceeded
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.records import ClearingScope
from hub.limits import Act, Measure, Mode, Period, Subject
from hub.rates import Funding
from tests.conftest import Hub, NewHub
from tests.hub import aged_story, audited
from tests.hub.test_certificates import FOUND


class Story:
    """A bank with a branch and a cap, an airline and a shop; two closed windows, the first one settled."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = 0

    def key(self) -> str:
        self._keys += 1
        return f"story-{self._keys}"

    async def act(self, kind: type[commands.Keyed], **of: Any) -> Any:
        return await self.hub.do(kind(actor=self.hub.admin, key=self.key(), **of))

    async def convert(self, amount: str, reference: str = "alice") -> Any:
        return await self.act(commands.Convert, **self.deal(amount, reference), minimum_target=None)

    def deal(self, amount: str, reference: str = "alice") -> dict[str, Any]:
        return {
            "source": commands.Party("BANK", reference),
            "target": commands.Party("AIR", reference),
            "source_currency": "BP",
            "target_currency": "MILE",
            "amount": amount,
        }

    async def redeem(self, amount: str) -> Any:
        who = commands.Party("BANK", "alice")
        return await self.act(
            commands.Redeem, currency="BP", customer=who, merchant="SHOP", amount=amount, memo="a cup"
        )

    async def reverse(self, act: Any, amount: str | None) -> Any:
        return await self.act(commands.Reverse, id=act.id, amount=amount, reason="sent back")

    async def quote(self, amount: str) -> Any:
        return await self.hub.do(commands.RequestQuote(actor=self.hub.admin, **self.deal(amount), ttl_seconds=600))

    async def clear(self, currency: str) -> None:
        for who in ("ann", "ben"):
            await self.hub.issue(currency, "BRANCH", who, "50")
        terms = {"scope": ClearingScope.ALL, "earned_before": None, "starts_at": None, "reason": "year-end"}
        run = await self.act(commands.ClearPoints, currency=currency, **terms)
        done = await clearings.work_off(self.hub.database, self.hub.engine, run)
        assert done.cleared == 100

    async def close(self) -> int:
        window = await self.hub.window()
        await self.act(commands.CloseWindow, window=window)
        return window

    async def confirm(self, window: int, most: int = 100) -> None:
        nets = await self.hub.sql(
            "SELECT institution_id, currency, net FROM window_net WHERE window_id = $1 AND net <> 0 ORDER BY 1, 2",
            window,
        )
        for institution, currency, net in nets[:most]:
            await self.act(
                commands.ConfirmSettlement,
                window=window,
                institution=self.hub.engine.configuration.institutions[institution].code,
                currency=currency,
                amount=str(net / 1_000_000),
                value_date="2026-01-31",
                reference="bank",
            )

    async def tell(self) -> None:
        hub = self.hub
        await hub.institution("BANK", Kind.BANK)
        await hub.institution("BRANCH", Kind.BRANCH, "BANK")
        await hub.institution("AIR", Kind.AIRLINE)
        await hub.institution("SHOP", Kind.MERCHANT)
        await hub.currency("BP", "BANK", unit_value="0.0048")
        await hub.currency("MILE", "AIR", scale=1)
        await hub.currency("BRP", "BRANCH", unit_value="0.0031")
        await hub.currency("OLD", "BRANCH")
        await hub.cap("BANK", "1000")
        await hub.do(commands.RegisterCertificate(actor=hub.admin, found=FOUND))
        bonus = commands.BonusTerms("10", "60000", None, None, Funding.TARGET_ISSUER, None, None)
        rate = await hub.rate("BP", "MILE", "1:25", fee_percent="1", bonuses=(bonus,))
        await hub.rate("BRP", "MILE", "1:20", fee_fixed=commands.MoneyText("0.0007", "CNY"))
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=commands.Party("BANK", "nobody")))
        earned = datetime.now(UTC) - timedelta(days=1)
        await self.act(
            commands.Issue,
            currency="BP",
            to=commands.Party("BANK", "alice"),
            amount="1000000",
            earned_at=earned,
            expires_at=earned + timedelta(days=400),
            memo="welcome",
        )
        await hub.issue("BRP", "BRANCH", "bob", "90001")
        await self.act(
            commands.Transfer,
            currency="BP",
            source=commands.Party("BANK", "alice"),
            target=commands.Party("BRANCH", "bob"),
            amount="777",
            memo=None,
        )
        first = await self.convert("50000")  # 2,000 miles and 200 more; 100.00 CNY and 1.00
        offer, kept = await self.quote("25000"), await self.quote("50")
        second = await self.act(commands.ExecuteQuote, quote=offer.id)
        cup = await self.redeem("333")  # 1.5984 CNY
        for act, amount in ((first, "100.3"), (first, "7.1"), (first, None), (cup, "100")):
            await self.reverse(act, amount)
        outcome = await hub.try_(
            commands.Convert(actor=hub.admin, key=self.key(), **self.deal("900000"), minimum_target=None)
        )
        assert outcome.refusal is not None
        await self.clear("OLD")
        one = await self.close()
        await hub.do(commands.MoveInstitution(actor=hub.admin, code="BRANCH", parent="AIR"))
        await self.reverse(second, "10")
        for kind in ("BRANCH", "BANK"):
            deal = self.deal("1234") | {"source": commands.Party(kind, "bob" if kind == "BRANCH" else "alice")}
            currency = "BRP" if kind == "BRANCH" else "BP"
            await self.act(commands.Convert, **(deal | {"source_currency": currency}), minimum_target=None)
        await self.confirm(one)
        two = await self.close()
        await self.confirm(two, 1)
        await hub.cap("BANK", "900")
        await self.redeem("1000")
        await self.limited()
        await hub.do(commands.WithdrawRate(actor=hub.admin, id=rate.id, reason="over", cancel_quotes=True))
        assert kept.id
        await self.meet()
        await aged_story.AgedStory(hub).tell()

    async def meet(self) -> None:
        """A card passes from nobody to alice, who is linked with alice of AIR for a while and again."""
        card, nobody, alice = (commands.Party("BANK", name) for name in ("6217000011112222", "nobody", "alice"))
        await self.act(commands.BindIdentifier, identifier=card, customer=nobody)
        await self.act(commands.UnbindIdentifier, identifier=card, reason="lost")
        await self.act(commands.BindIdentifier, identifier=card, customer=alice)
        await self.act(commands.BindIdentifier, identifier=commands.Party("BANK", "86-138"), customer=alice)
        await self.hub.do(commands.EnrollCustomer(actor=self.hub.admin, customer=commands.Party("AIR", "bob")))
        air, _ = await self.hub.key("AIR", Role.INSTITUTION_TRADER)
        for number in range(2):
            link = await self.act(
                commands.ProposeLink, a=alice, b=commands.Party("AIR", "alice"), evidence=f"form {number}"
            )
            await self.hub.do(commands.AcceptLink(actor=air, key=f"accept-{number}", id=link.id))
            if number == 0:
                await self.act(commands.EndLink, id=link.id, reason="no more")
        link = await self.act(commands.ProposeLink, a=nobody, b=commands.Party("AIR", "bob"), evidence=None)
        await self.act(commands.EndLink, id=link.id, reason="no")

    async def limited(self) -> None:
        """Carol under limits: 90 BP a year are clipped, a ceiling of 85 clips more; what she does is counted."""
        hub, carol = self.hub, commands.Party("BANK", "carol")
        await hub.limit("year", "90", period=Period.YEAR, mode=Mode.CLIP, institution="BANK")
        granted = await hub.issue("BP", "BANK", "carol", "60")
        assert (await hub.issue("BP", "BANK", "carol", "60")).amount == 30
        await self.reverse(granted, "10")
        await hub.limit("ceiling", "85", period=Period.BALANCE, mode=Mode.CLIP, subject=Subject.ACCOUNT)
        assert (await hub.issue("BP", "BANK", "carol", "9")).amount == 5  # she holds 80
        await hub.limit("spend", "0.50", act=Act.REDEEM, measure=Measure.MONEY, subject=Subject.INSTITUTION)
        await hub.limit("give", "20", act=Act.TRANSFER, period=Period.MONTH, subject=Subject.ACCOUNT)
        await hub.limit("take", "20", act=Act.RECEIVE, subject=Subject.PROGRAMME)
        await hub.limit("pair", "25", act=Act.CONVERT, target="MILE")
        await hub.limit("into", "9999", "MILE", act=Act.CONVERT_IN, measure=Measure.MONEY)
        to = commands.Party("BRANCH", "bob")
        sent = await self.act(commands.Transfer, currency="BP", source=carol, target=to, amount="7", memo=None)
        cup = await self.act(commands.Redeem, currency="BP", customer=carol, merchant="SHOP", amount="11", memo=None)
        exchanged = await self.convert("25", "carol")
        for act, amount in ((sent, "3"), (cup, "5"), (cup, None), (exchanged, "0.3")):
            await self.reverse(act, amount)
        refused = await self.hub.try_(
            commands.Convert(actor=hub.admin, key=self.key(), **self.deal("25", "carol"), minimum_target=None)
        )
        assert isinstance(refused.refusal, LimitExceeded)
        year = next(one for one in hub.engine.configuration.limits.values() if one[0].code == "year")
        await hub.do(commands.LiftLimit(actor=hub.admin, id=year[0].family, starts=None))
        await hub.issue("BP", "BANK", "dora", "1")


@pytest.fixture(scope="module")
async def story(hubs: NewHub) -> AsyncIterator[Hub]:
    async with hubs() as hub:
        await Story(hub).tell()
        yield hub


@pytest.fixture
async def tampering(story: Hub, postgres_server: postgres.Server) -> AsyncIterator["Tampering"]:
    async with audited.tampered(postgres_server, story) as connection:
        yield Tampering(story, connection)


class Tampering:
    """A superuser's transaction, in which triggers sleep."""

    def __init__(self, hub: Hub, connection: AsyncConnection) -> None:
        self.hub = hub
        self.connection = connection

    async def found(self, *statements: str) -> set[str]:
        """The codes that the audit finds after these statements, each of which changes something."""
        for statement in statements:
            done = await self.connection.exec_driver_sql(statement)
            assert done.rowcount != 0, statement
        return codes(await audit(self.connection))


def codes(done: Audit) -> set[str]:
    return {finding.code for finding in done.findings}


async def test_a_history_with_every_kind_of_act_is_clean(story: Hub) -> None:
    stages = []
    async with story.database.snapshot() as connection:
        done = await audit(connection, lambda stage, place, total: stages.append((stage, place, total)))
    assert done.findings == ()
    assert done.ok
    [[batch, entry_hash]] = await story.sql("SELECT batch, hash FROM journal_head")
    assert (done.batch, done.hash, done.counts["journal_entry"]) == (batch, entry_hash, batch)
    points = ("movement", "leg", "account", "customer", "outcome", "quote", "conversion", "confirmation", "limit_entry")
    for table in (*points, "lot_entry", "hold", "clipping", "binding"):
        [[count]] = await story.sql(f"SELECT count(*) FROM {table}")
        assert done.counts[table] == count > 0
    assert stages[0] == ("journal", batch, batch)
    assert {"journal", "relations"} <= {stage for stage, _, _ in stages}


SECOND_ENTRY = "(SELECT min(batch) + 1 FROM journal_entry)"
SOME_LEG = "(SELECT min(movement_id) FROM leg WHERE purpose = 2)"
TAMPERED = {
    "a leg's amount": (
        f"UPDATE leg SET amount = amount + 1 WHERE movement_id = {SOME_LEG} AND purpose = 2",
        {"ENTRY_CONTENT", "ACT_LEGS", "LEG_BALANCE", "ACCOUNT_COUNTERS", "POSITION", "NET"},
    ),
    "a leg is gone": (
        f"DELETE FROM leg WHERE movement_id = {SOME_LEG} AND purpose = 2",
        {"ENTRY_CONTENT", "ACT_LEGS", "LEG_BALANCE", "ACCOUNT_COUNTERS", "POSITION", "NET"},
    ),
    "a leg's stated balance": (
        f"UPDATE leg SET debit_after = debit_after + 1 WHERE movement_id = {SOME_LEG} AND purpose = 2",
        {"ENTRY_CONTENT", "LEG_BALANCE"},
    ),
    "a leg's window": (
        f"UPDATE leg SET window_id = 1 WHERE movement_id = {SOME_LEG} AND purpose = 2",
        {"ENTRY_CONTENT", "LEG_WINDOW", "POSITION", "NET"},
    ),
    "a leg's account of another currency": (
        "UPDATE leg SET credit_account_id = (SELECT id FROM account WHERE currency = 'MILE' AND kind = 2)"
        " WHERE movement_id = (SELECT min(movement_id) FROM leg)",
        {"ENTRY_CONTENT", "LEG_CURRENCY", "ACT_LEGS", "ACCOUNT_COUNTERS"},
    ),
    "a leg's account that there is not": (
        "UPDATE leg SET credit_account_id = 5 WHERE movement_id = (SELECT min(movement_id) FROM leg)",
        {"ENTRY_CONTENT", "LEG_ACCOUNT", "ACT_LEGS", "ACCOUNT_COUNTERS"},
    ),
    "a leg of no movement, in a batch of no entry": (
        "INSERT INTO leg SELECT journal_id, (1000000 + 1::bigint << 20) + n, n, phase, purpose, debit_account_id,"
        " credit_account_id, amount, debit_after, credit_after, window_id FROM leg LIMIT 1",
        {"ROW_WITHOUT_ENTRY", "LEG_MOVEMENT", "ACCOUNT_COUNTERS"},
    ),
    "a movement's amount": (
        "UPDATE movement SET amount = amount + 1 WHERE kind = 2",
        {"ENTRY_CONTENT", "ACT_LEGS"},
    ),
    "a movement that its request does not know": (
        "UPDATE outcome SET subject_id = subject_id + 1 WHERE subject_id IN (SELECT id FROM movement WHERE kind = 2)",
        {"ENTRY_CONTENT", "ACT_OUTCOME", "OUTCOME"},
    ),
    "an outcome's refusal": (
        "UPDATE outcome SET refusal = 'NOT_FOUND' WHERE refusal IS NOT NULL",
        {"ENTRY_CONTENT"},
    ),
    "an outcome that is gone": (
        "DELETE FROM outcome WHERE subject_id IN (SELECT id FROM movement WHERE kind = 1)",
        {"ENTRY_CONTENT", "ACT_OUTCOME"},
    ),
    "a reversal above its original": (
        "UPDATE movement SET amount = 99999999 WHERE id = (SELECT max(id) FROM movement WHERE kind = 5)",
        {"ENTRY_CONTENT", "REVERSAL", "ACT_LEGS"},
    ),
    "a clearing's terms": ("UPDATE clearing SET scope = 'EARNED_BEFORE'", {"ENTRY_CONTENT"}),
    "what a clearing took": ("UPDATE clearing SET cleared = cleared + 1", {"CLEARING"}),
    "where a clearing stands": ("UPDATE clearing SET reached = 1", {"CLEARING"}),
    "a clearing's status": ("UPDATE clearing SET status = 'RUNNING'", {"CLEARING"}),
    "a clearing that is gone": ("DELETE FROM clearing", {"ENTRY_CONTENT", "CLEARING", "OUTCOME"}),
    "what was cleared for another clearing": (
        "UPDATE movement SET subject_id = 5 WHERE kind = 14",
        {"ENTRY_CONTENT", "CLEARING"},
    ),
    "a customer who was cleared twice": (
        "UPDATE movement SET from_customer_id = (SELECT min(from_customer_id) FROM movement WHERE kind = 14)"
        " WHERE kind = 14",
        {"ENTRY_CONTENT", "CLEARING", "ACT_LEGS"},
    ),
    "an account's counter": (
        "UPDATE account SET credits_posted = credits_posted + 1 WHERE kind = 1",
        {"ACCOUNT_COUNTERS", "CURRENCY_SUM"},
    ),
    "an account's owner": (
        "UPDATE account SET owner_id = 7 WHERE kind = 6",
        {"ENTRY_CONTENT", "ACCOUNT_OWNER", "ACT_LEGS"},
    ),
    "an entry's hash": (
        f"UPDATE journal_entry SET hash = content WHERE batch = {SECOND_ENTRY}",
        {"ENTRY_HASH", "ENTRY_PREVIOUS"},
    ),
    "an entry's content": (
        f"UPDATE journal_entry SET content = hash WHERE batch = {SECOND_ENTRY}",
        {"ENTRY_CONTENT", "ENTRY_HASH"},
    ),
    "an entry's time": (
        f"UPDATE journal_entry SET at = at - interval '1 day' WHERE batch = {SECOND_ENTRY}",
        {"ENTRY_TIME", "ENTRY_HASH"},
    ),
    "an entry's count of rows": (
        f"UPDATE journal_entry SET rows = 0 WHERE batch = {SECOND_ENTRY}",
        {"ENTRY_ROWS"},
    ),
    "an entry that is gone": (
        f"DELETE FROM journal_entry WHERE batch = {SECOND_ENTRY}",
        {"ENTRY_MISSING", "ENTRY_PREVIOUS", "ROW_WITHOUT_ENTRY"},
    ),
    "the last entries, whose head is kept": (
        "DELETE FROM journal_entry WHERE batch > (SELECT max(batch) - 3 FROM journal_entry)",
        {"HEAD", "ROW_WITHOUT_ENTRY"},
    ),
    "the head": ("UPDATE journal_head SET batch = batch - 1", {"HEAD"}),
    "no head": ("DELETE FROM journal_head", {"EMPTY"}),
    "a configuration's document": (
        'UPDATE configuration_change SET document = replace(document, $$"name":"SHOP"$$, $$"name":"SHED"$$)',
        {"ENTRY_CONTENT"},
    ),
    "a certificate that found something else": (
        """UPDATE configuration_change SET document = replace(document, '"failed":1', '"failed":0')"""
        " WHERE noun = 'certificate'",
        {"ENTRY_CONTENT"},
    ),
    "a configuration's document that is none": (
        "UPDATE configuration_change SET document = '{}' WHERE noun = 'rate'",
        {"ENTRY_CONTENT", "CONFIGURATION", "ACT"},
    ),
    "the configuration's last change": (
        "DELETE FROM configuration_change WHERE version = (SELECT max(version) FROM configuration_change)",
        {"ENTRY_CONTENT", "HEAD"},
    ),
    "a cap that had been lower": (
        """UPDATE configuration_change SET document = replace(document, '"amount":1000000000', '"amount":5000000')"""
        " WHERE noun = 'cap' AND version = (SELECT min(version) FROM configuration_change WHERE noun = 'cap')",
        {"ENTRY_CONTENT", "CAP"},
    ),
    "a net": ("UPDATE window_net SET net = net + 10000 WHERE net > 0", {"ENTRY_CONTENT", "NET", "CONFIRMATION"}),
    "a net's debits": ("UPDATE window_net SET debits = debits + 1", {"ENTRY_CONTENT", "NET"}),
    "a net that is gone": ("DELETE FROM window_net WHERE net > 0", {"ENTRY_CONTENT", "NET", "CONFIRMATION"}),
    "a position": ("UPDATE position SET subtree = subtree - 1", {"POSITION"}),
    "a position that is gone": ("DELETE FROM position WHERE subtree <> 0", {"POSITION"}),
    "a confirmation's amount": (
        "UPDATE confirmation SET amount = amount + 1",
        {"ENTRY_CONTENT", "CONFIRMATION"},
    ),
    "a bonus' use": ("UPDATE bonus_use SET used = used + 1", {"BONUS_USE"}),
    "a bonus' use that is gone": ("DELETE FROM bonus_use", {"BONUS_USE"}),
    "a bonus' use above its cap": (
        "UPDATE conversion SET eligible = '[60001]' WHERE eligible <> '[]'",
        {"ENTRY_CONTENT", "BONUS_CAP", "BONUS_USE"},
    ),
    "what acts count": (
        "UPDATE limit_entry SET amount = amount + 1 WHERE amount > 0",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "what an act counts that is gone": (
        "DELETE FROM limit_entry WHERE movement_id = (SELECT min(movement_id) FROM limit_entry)",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE", "CLIPPING"},
    ),
    "what a reversal gives back": (
        "UPDATE limit_entry SET amount = amount - 1 WHERE amount < 0",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "what a reversal gives back that is gone": (
        "DELETE FROM limit_entry WHERE amount < 0",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE", "LIMIT"},
    ),
    "the period of an act": (
        "UPDATE limit_entry SET period = '2001-01-01' WHERE length(period) = 10",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "for whom an act counts": (
        "UPDATE limit_entry SET subject_id = subject_id + 1",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "the limit that an act counts under": (
        "UPDATE limit_entry SET limit_id = 7 WHERE movement_id = (SELECT max(movement_id) FROM limit_entry)",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "an act that counts twice": (
        "INSERT INTO limit_entry SELECT journal_id, movement_id, 5, limit_id, subject_id, period, amount"
        " FROM limit_entry WHERE n = 0",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "LIMIT_USE"},
    ),
    "what counts of no act": (
        "INSERT INTO limit_entry SELECT journal_id, movement_id + 900000, n, limit_id, subject_id, period, amount"
        " FROM limit_entry LIMIT 1",
        {"ENTRY_CONTENT", "LIMIT_ENTRY"},
    ),
    "a limit's use": ("UPDATE limit_use SET used = used + 1", {"LIMIT_USE"}),
    "a limit's use that is gone": ("DELETE FROM limit_use WHERE used > 0", {"LIMIT_USE"}),
    "a limit that had been lower": (
        """UPDATE configuration_change SET document = replace(document, '"amount":90', '"amount":80')"""
        " WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "LIMIT", "CLIPPING"},
    ),
    "a ceiling that had been lower": (
        """UPDATE configuration_change SET document = replace(document, '"amount":85', '"amount":84')"""
        " WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "LIMIT", "CLIPPING"},
    ),
    "a limit that had been higher": (
        """UPDATE configuration_change SET document = replace(document, '"amount":90', '"amount":95')"""
        " WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "CLIPPING"},
    ),
    "a limit that there was not": (
        "DELETE FROM configuration_change WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "CLIPPING"},
    ),
    "a limit of another period": (
        """UPDATE configuration_change SET document = replace(document, '"period":"DAY"', '"period":"MONTH"')"""
        " WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "LIMIT_ENTRY"},
    ),
    "a limit in no time zone": (
        """UPDATE configuration_change SET document = replace(document, '"zone":"', '"zone":"Mars/')"""
        " WHERE noun = 'limit'",
        {"ENTRY_CONTENT", "LIMIT_ENTRY", "CLIPPING"},
    ),
    "what was asked for of a clipped issue": ("UPDATE clipping SET requested = 1", {"ENTRY_CONTENT", "CLIPPING"}),
    "the limit that clipped": (
        "UPDATE clipping SET version_id = (SELECT max(version_id) FROM clipping)",
        {"ENTRY_CONTENT", "CLIPPING"},
    ),
    "a clipping that is gone": ("DELETE FROM clipping", {"ENTRY_CONTENT"}),
    "a clipping of no issue": (
        "INSERT INTO clipping SELECT journal_id, movement_id + 900000, version_id, requested FROM clipping LIMIT 1",
        {"ENTRY_CONTENT", "CLIPPING"},
    ),
    "a clipping of what was no issue": (
        "INSERT INTO clipping SELECT m.journal_id, m.id, c.version_id, 100 FROM movement m, clipping c"
        " WHERE m.kind = 2 LIMIT 1",
        {"ENTRY_CONTENT", "CLIPPING"},
    ),
    "a conversion's figures": (
        "UPDATE conversion SET target = target + 1 WHERE quote_id IS NOT NULL",
        {"ENTRY_CONTENT", "CONVERSION", "ACT_LEGS", "QUOTE"},
    ),
    "a conversion's status": (
        "UPDATE conversion SET status = 'REVERSED' WHERE status = 'COMPLETED'",
        {"CONVERSION_STATUS"},
    ),
    "a reversed conversion's status": (
        "UPDATE conversion SET status = 'COMPLETED' WHERE status = 'REVERSED'",
        {"CONVERSION_STATUS"},
    ),
    "a quote's use": ("UPDATE quote SET used_by = NULL WHERE used_by IS NOT NULL", {"QUOTE"}),
    "a quote's other use": ("UPDATE quote SET used_by = 7 WHERE used_by IS NULL", {"QUOTE"}),
    "a quote's offer": ("UPDATE quote SET fee = fee + 1", {"ENTRY_CONTENT", "QUOTE"}),
    "a settled window's status": (
        "UPDATE settlement_window SET status = 'CLOSED' WHERE status = 'SETTLED'",
        {"WINDOW"},
    ),
    "a window's closing": (
        "UPDATE settlement_window SET closed_in = closed_in - 1 WHERE status = 'SETTLED'",
        {"WINDOW", "ENTRY_CONTENT", "NET"},
    ),
    "a customer's institution": (
        "UPDATE customer SET institution_id = 7",
        {"ENTRY_CONTENT", "CUSTOMER", "CUSTOMER_REFERENCE", "CONVERSION"},
    ),
    "a customer": ("DELETE FROM customer", {"ENTRY_CONTENT", "ACCOUNT_OWNER", "CUSTOMER_REFERENCE"}),
    "a reference": ("UPDATE customer_reference SET customer_id = 7", {"CUSTOMER_REFERENCE"}),
    "a binding's customer": (
        "UPDATE binding SET customer_id = customer_id + 1 WHERE ends_id IS NOT NULL",
        {"ENTRY_CONTENT", "BINDING"},
    ),
    "a binding's institution": (
        "UPDATE binding SET institution_id = 7",
        {"ENTRY_CONTENT", "BINDING", "IDENTIFIER"},
    ),
    "an unbinding that is gone, so that a card has two owners": (
        "DELETE FROM binding WHERE ends_id IS NOT NULL",
        {"ENTRY_CONTENT", "BINDING", "MEMO"},
    ),
    "a binding that is gone": (
        "DELETE FROM binding WHERE id = (SELECT min(id) FROM binding)",
        {"ENTRY_CONTENT", "BINDING"},
    ),
    "a binding of no request": (
        "UPDATE outcome SET subject_id = 7 WHERE subject_id = (SELECT max(id) FROM binding)",
        {"ENTRY_CONTENT", "ACT_OUTCOME", "OUTCOME"},
    ),
    "an identifier's number": ("UPDATE identifier SET id = 7 WHERE text = '86-138'", {"IDENTIFIER"}),
    "an identifier that becomes a reference": (
        "UPDATE identifier SET text = 'alice' WHERE text = '86-138'",
        {"IDENTIFIER"},
    ),
    "a link's status": (
        "UPDATE customer_link SET status = 'ACTIVE' WHERE status = 'ENDED'",
        {"ENTRY_CONTENT", "CUSTOMER_LINK"},
    ),
    "a link's status that is none": (
        "UPDATE customer_link SET status = 'FRIENDS' WHERE status = 'REJECTED'",
        {"ENTRY_CONTENT", "CUSTOMER_LINK"},
    ),
    "a link's proposal that is gone": (
        "DELETE FROM customer_link WHERE id = (SELECT min(id) FROM customer_link)",
        {"ENTRY_CONTENT", "CUSTOMER_LINK", "MEMO"},
    ),
    "a link's end that is gone, so that there are two": (
        "DELETE FROM customer_link WHERE status = 'ENDED'",
        {"ENTRY_CONTENT", "CUSTOMER_LINK", "MEMO"},
    ),
    "a link's customer": (
        "UPDATE customer_link SET b_customer_id = a_customer_id WHERE status = 'ACTIVE'",
        {"ENTRY_CONTENT", "CUSTOMER_LINK"},
    ),
    "a memo": ("UPDATE memo SET movement_id = 7 WHERE movement_id = (SELECT min(movement_id) FROM memo)", {"MEMO"}),
} | aged_story.TAMPERED


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found(tampering: Tampering, what: str) -> None:
    statement, expected = TAMPERED[what]
    assert expected <= await tampering.found(statement)


@pytest.mark.parametrize("what", [what for what in TAMPERED if len(TAMPERED[what][1]) == 1])
async def test_what_one_row_breaks_is_one_kind_of_finding(tampering: Tampering, what: str) -> None:
    statement, expected = TAMPERED[what]
    assert await tampering.found(statement) == expected


async def test_every_tampering_is_listed(tampering: Tampering) -> None:
    statements = [TAMPERED[what][0] for what in ("a position", "a memo", "an entry's hash", "a bonus' use")]
    assert await tampering.found(*statements) == {"POSITION", "MEMO", "ENTRY_HASH", "ENTRY_PREVIOUS", "BONUS_USE"}


async def test_a_wrong_leg_is_one_finding_however_many_follow(tampering: Tampering) -> None:
    await tampering.connection.execute(
        text("UPDATE leg SET credit_after = credit_after + 1 WHERE movement_id = (SELECT min(movement_id) FROM leg)")
    )
    done = await audit(tampering.connection)
    assert [finding.code for finding in done.findings].count("LEG_BALANCE") <= 2  # the leg, and the one after it


async def test_a_customer_below_zero_is_found(tampering: Tampering) -> None:
    found = await tampering.found(
        "UPDATE leg SET amount = 2000000 WHERE movement_id = (SELECT min(id) FROM movement WHERE kind = 2)"
    )
    assert "BELOW_ZERO" in found


async def test_a_settled_net_leaves_the_settlement_account(tampering: Tampering) -> None:
    found = await tampering.found(
        "DELETE FROM leg WHERE purpose = 6 AND movement_id = (SELECT min(movement_id) FROM leg WHERE purpose = 6)"
    )
    assert {"MONEY_ACCOUNT", "ACT_LEGS"} <= found


async def test_everything_but_the_head_gone_is_an_empty_history(tampering: Tampering) -> None:
    names = await tampering.connection.scalars(
        text(
            "SELECT string_agg(relname, ', ') FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace AND relname NOT IN ('journal_head', 'alembic_version')"
        )
    )
    await tampering.connection.execute(text(f"TRUNCATE {names.one()}"))
    assert codes(await audit(tampering.connection)) == {"EMPTY", "HEAD"}


async def test_entries_without_any_row_are_an_empty_history(tampering: Tampering) -> None:
    for table in (
        "configuration_change, customer, account, outcome, movement, leg, lot_entry, hold, quote, conversion,"
        " settlement_window, window_net, internal_account, confirmation, limit_entry, clipping, binding, customer_link,"
        " clearing, missing, restriction, cancellation, customer_profile, pool,"
        " pool_member, pool_use",
    ):
        await tampering.connection.execute(text(f"TRUNCATE {table}"))
    assert {"EMPTY", "ENTRY_CONTENT", "HEAD"} <= codes(await audit(tampering.connection))


async def test_a_database_that_is_not_set_up_is_not_clean(addresses: Addresses) -> None:
    database = Database(addresses.server)
    try:
        async with database.snapshot() as connection:
            done = await audit(connection)
    finally:
        await database.close()
    assert not done.ok
    assert codes(done) == {"EMPTY"}
