"""Invoices: each month is billed once, by the prices in force at its beginning, for what was done in it, and each
invoice and credit note is the next number and is posted as it stands.

What was used is counted again from the month's movements; what a credit note gives back is reckoned again from its
invoice. Invoices are kept in memory with what was credited of them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import billing, ids
from hub.audit.accounts import Accounts, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings, code_of
from hub.bills import FeeSchedule, Month, Totals, Usage, credited, lines_of, payers, totals_of
from hub.configuration import Configuration
from hub.expiry import is_zone
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose
from hub.money import minor_unit_millionths

_LINE = ("item", "currency", "quantity", "price", "amount")
_POSITION = int(AccountKind.POSITION)


@dataclass(slots=True)
class _Known:
    """An invoice, and what was credited of it, gross."""

    row: Any
    credited: int = 0

    @property
    def totals(self) -> Totals:
        return Totals(self.row["net"], self.row["vat"], self.row["gross"])


class Invoices:
    """The billed months, and the invoices by identifier."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._known: dict[int, _Known] = {}
        self._number = 0
        self._until: datetime | None = None
        self._rows: dict[int, Any] = {}  # of the batch, not posted yet
        self._lines: dict[int, list[Any]] = {}
        self._used: dict[int, tuple[Usage, ...]] = {}  # by billing

    async def begin(self, connection: AsyncConnection, batch: Batch) -> None:
        """Take the rows of a batch, and count again what it bills."""
        self._rows = {row["id"]: row for row in batch.rows.get("invoice", ())}
        self._lines = {}
        for line in batch.rows.get("invoice_line", ()):
            self._lines.setdefault(line["invoice_id"], []).append(line)
        self._used = {
            row["id"]: await billing.used(connection, row["starts_at"], row["ends_at"])
            for row in batch.rows.get("billing", ())
        }

    def billed(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a month that is billed, whose invoices stand beside it."""
        starts, ends = row["starts_at"], row["ends_at"]
        try:
            month = Month.parse(row["period"])
            bounds = (month.starts(row["zone"]), month.ends(row["zone"])) if is_zone(row["zone"]) else None
        except ValueError:
            bounds = None
        over = batch.at is not None and ends <= batch.at
        if bounds != (starts, ends) or not over or (self._until is not None and starts < self._until):
            self._findings.add("BILLING", f"{row['period']} was billed twice, too early, or is no month.")
        self._until = ends
        found = {one["institution_id"]: one for one in self._rows.values() if one["billing_id"] == row["id"]}
        for payer, due in self._due(row["id"], starts, configuration).items():
            made = found.pop(payer, None)
            if made is None or not self._is(made, *due):
                self._findings.add(
                    "INVOICE", f"What {code_of(configuration, payer)} owes for {row['period']} is another."
                )
        for payer in found:
            self._findings.add("INVOICE", f"{code_of(configuration, payer)} owes nothing for {row['period']}.")

    def _due(self, of: int, starts: datetime, configuration: Configuration) -> dict[int, Any]:
        """Who owes what for a month: the schedule, the lines and their totals."""
        by_payer = payers(configuration.charging, configuration.institutions, starts)
        schedules = {schedule.institution: schedule for schedule in by_payer.values()}
        scales = {one.code: one.scale for one in configuration.currencies.values()}
        due = {}
        for payer, schedule in schedules.items():
            used = [
                one
                for one in self._used.get(of, ())
                if one.institution in by_payer and by_payer[one.institution].institution == payer
            ]
            unit = minor_unit_millionths(schedule.money)
            lines = lines_of(schedule, used, scales, unit)
            totals = totals_of(lines, schedule.vat, unit, gross=schedule.gross)
            if totals.gross:
                due[payer] = schedule, lines, totals
        return due

    def _is(self, row: Any, schedule: FeeSchedule, lines: Any, totals: Totals) -> bool:
        stated = [tuple(line[name] for name in _LINE) for line in self._lines.pop(row["id"], ())]
        expected = [(line.item.value, line.currency, line.quantity, line.price, line.amount) for line in lines]
        sums = (row["schedule_id"], row["money"], row["net"], row["vat"], row["gross"])
        return stated == expected and sums == (schedule.id, schedule.money, totals.net, totals.vat, totals.gross)

    def posted(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take the movement of an invoice or a credit note."""
        row, name = self._rows.pop(moved["id"], None), ids.text(ids.INVOICE, moved["id"])
        if row is None:
            self._findings.add("INVOICE", f"{name} is posted, but there is none.")
            return
        self._number += 1
        if row["number"] != self._number:
            self._findings.add("INVOICE_NUMBER", f"{name} is number {row['number']}, and {self._number} is the next.")
        is_bill = moved["kind"] == MovementKind.BILL
        subject = row["billing_id"] if is_bill else row["of_id"]
        stated = (moved["for_institution_id"], moved["currency"], moved["money"], moved["amount"], moved["value"])
        due = (row["institution_id"], row["money"], row["money"], row["gross"], row["gross"])
        if stated != due or moved["subject_id"] != subject or (row["of_id"] is None) != is_bill or subject is None:
            self._findings.add("INVOICE", f"{name} and its movement say different things.")
        key, operator = self._accounts.key, operator_of(configuration)
        parties = (row["institution_id"], operator) if is_bill else (operator, row["institution_id"])
        debit, credit = ((_POSITION, party, row["money"]) for party in parties)
        expected = [(debit, credit, row["gross"], int(Purpose.FEE), int(Phase.POSTED))]
        if [(key(leg[4]), key(leg[5]), leg[6], leg[3], leg[2]) for leg in legs] != expected:
            self._findings.add(
                "ACT_LEGS", f"The legs of {ids.text(ids.ENTRY, moved['id'])} are not what the act posts."
            )
        if is_bill:
            self._known[row["id"]] = _Known(row)
        else:
            self._credit(row, name)

    def _credit(self, row: Any, name: str) -> None:
        """Hold a credit note against its invoice."""
        known = self._known.get(row["of_id"])
        if known is None or known.row["institution_id"] != row["institution_id"] or known.row["money"] != row["money"]:
            self._findings.add("CREDIT_NOTE", f"{name} is of an invoice that there is not.")
            return
        before, after = known.credited, known.credited + row["gross"]
        known.credited = after
        due = credited(known.totals, before, after, minor_unit_millionths(row["money"]))
        stated = Totals(row["net"], row["vat"], row["gross"])
        if after > known.row["gross"] or stated != due or row["schedule_id"] != known.row["schedule_id"]:
            self._findings.add("CREDIT_NOTE", f"{name} is not a part of the invoice that it is of.")

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for id in (*self._rows, *self._lines):
            self._findings.add(
                "INVOICE", f"{ids.text(ids.INVOICE, id)} is posted nowhere, or has lines that are not its."
            )
        self._rows, self._lines = {}, {}
