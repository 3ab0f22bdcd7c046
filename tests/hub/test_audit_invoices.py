"""The audit of invoices: the history is clean, and each tampering with prices, usage, or an invoice is found."""

import pytest

from hub import billing, postgres
from hub.audit import audit
from hub.ledger import commands
from tests.conftest import Hub, passing
from tests.hub.audited import check_every
from tests.hub.test_billing import UTC, act, found, now_month, pass_to


@pytest.fixture
async def told(hub: Hub) -> Hub:
    """Two months that are billed, and a part of an invoice that is given back."""
    with passing() as pass_:
        await found(hub)
        month = (await now_month(hub)).next
        await pass_to(hub, pass_, month)
        await act(hub, 1)
        await pass_to(hub, pass_, month.next.next)
        assert len(await billing.bill_due(hub.reading, hub.engine, UTC)) == 3
        [row] = await hub.sql("SELECT id FROM invoice WHERE number = 1")
        for key in ("one", "two"):
            note = commands.CreditInvoice(actor=hub.admin, key=key, invoice=row["id"], amount="10", reason="late")
            await hub.do(note)
    return hub


FIRST = "id = (SELECT min(id) FROM invoice)"
NOTE = "id = (SELECT min(id) FROM invoice WHERE of_id IS NOT NULL)"
SCHEDULE = "UPDATE configuration_change SET document = replace(document, {}) WHERE noun = 'fee_schedule'"
TAMPERED = {
    "an invoice of more": (f"UPDATE invoice SET net = net + 10000, gross = gross + 10000 WHERE {FIRST}", "INVOICE"),
    "another VAT": (f"UPDATE invoice SET net = net + 10000, vat = vat - 10000 WHERE {FIRST}", "INVOICE"),
    "an invoice of somebody else": (f"UPDATE invoice SET institution_id = institution_id + 1 WHERE {FIRST}", "INVOICE"),
    "other prices": (f"UPDATE invoice SET schedule_id = schedule_id + 1 WHERE {FIRST}", "INVOICE"),
    "another number": (f"UPDATE invoice SET number = 99 WHERE {FIRST}", "INVOICE_NUMBER"),
    "an invoice that is gone": (f"DELETE FROM invoice WHERE {FIRST}", "INVOICE"),
    "a line of more": ("UPDATE invoice_line SET amount = amount + 10000 WHERE item = 'MOVEMENTS'", "INVOICE"),
    "a line of less used": ("UPDATE invoice_line SET quantity = quantity - 1 WHERE item = 'POINTS'", "INVOICE"),
    "a line at another price": ("UPDATE invoice_line SET price = price + 1 WHERE item = 'MOVEMENTS'", "INVOICE"),
    "a line that is gone": ("DELETE FROM invoice_line WHERE item = 'POINTS'", "INVOICE"),
    "a line of no invoice": (
        "INSERT INTO invoice_line (journal_id, invoice_id, n, item, quantity, price, amount)"
        " SELECT 1, id, 0, 'POINTS', 1, 1, 1 FROM invoice WHERE of_id IS NOT NULL",
        "INVOICE",
    ),
    "a month that is billed after later ones": (
        "UPDATE billing SET period = '2020-01', starts_at = '2020-01-01T00:00Z', ends_at = '2020-02-01T00:00Z'"
        " WHERE id = (SELECT max(id) FROM billing)",
        "BILLING",
    ),
    "a month of other days": ("UPDATE billing SET starts_at = starts_at + interval '1 day'", "BILLING"),
    "a month in another zone": ("UPDATE billing SET zone = 'Asia/Shanghai'", "BILLING"),
    "a month that was not over": (
        "UPDATE billing SET period = '2999-01', starts_at = '2999-01-01T00:00Z', ends_at = '2999-02-01T00:00Z'"
        " WHERE id = (SELECT max(id) FROM billing)",
        "BILLING",
    ),
    "a movement that was not counted": (
        "INSERT INTO movement (journal_id, id, kind, credential_id, for_institution_id, currency, amount,"
        " to_customer_id) SELECT journal_id, id + 500, kind, credential_id, for_institution_id, currency, amount,"
        " to_customer_id FROM movement WHERE kind = 2 AND currency = 'BP'",
        "INVOICE",
    ),
    "a credit note of more": (f"UPDATE invoice SET net = net + 10000, gross = gross + 10000 WHERE {NOTE}", "INVOICE"),
    "a credit note of more than there is": (
        f"UPDATE invoice SET net = net * 1000, gross = net * 1000 + vat WHERE {NOTE}", "CREDIT_NOTE",
    ),
    "a credit note's VAT": (f"UPDATE invoice SET net = net + 10000, vat = vat - 10000 WHERE {NOTE}", "CREDIT_NOTE"),
    "a credit note of another invoice": (f"UPDATE invoice SET of_id = of_id + 1 WHERE {NOTE}", "CREDIT_NOTE"),
    "a credit note as an invoice": (f"UPDATE invoice SET billing_id = of_id, of_id = NULL WHERE {NOTE}", "INVOICE"),
    "a leg of less": ("UPDATE leg SET amount = amount - 10000 WHERE purpose = 3", "ACT_LEGS"),
    "a payee who is not the operator": (
        "UPDATE leg SET credit_account_id = (SELECT min(id) FROM account WHERE kind = 1) WHERE purpose = 3",
        "ACT_LEGS",
    ),
    "prices that always were others": (SCHEDULE.format("'500000000', '400000000'"), "INVOICE"),
    "prices that changed afterwards": (
        SCHEDULE.format("'500000000', '400000000'") + " AND document LIKE '%APPROVED%'", "VERSION",
    ),
    "prices that nobody accepted": (
        "UPDATE configuration_change SET document ="
        """ replace(document, '"awaiting":["OPERATOR"]', '"awaiting":["INSTITUTION","OPERATOR"]')"""
        " WHERE noun = 'fee_schedule'",
        "VERSION",
    ),
    "a movement of an invoice for somebody else": (
        "UPDATE movement SET for_institution_id = for_institution_id + 1 WHERE kind = 60", "INVOICE",
    ),
}  # fmt: skip


async def test_every_tampering_with_invoices_is_found(told: Hub, postgres_server: postgres.Server) -> None:
    async with told.database.snapshot() as connection:
        done = await audit(connection)
    assert done.findings == ()
    # two institutions in two months; nobody had prices when the month began in which they were agreed
    counts = {name: done.counts[name] for name in ("billing", "invoice", "invoice_line")}
    assert counts == {"billing": 3, "invoice": 2 * 2 + 2, "invoice_line": (3 + 1) + (1 + 1)}
    await check_every(TAMPERED, told, postgres_server)
