"""Months that were billed, and the invoices and credit notes that institutions have."""

from datetime import datetime

import msgspec

from hub.bills import BillLine, Totals


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """A month that was billed, for all institutions at once; ``zone``: in which its days are."""

    id: int
    credential: int
    period: str
    zone: str
    starts: datetime
    ends: datetime


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice of a billing, or a credit note ``of`` an invoice, which has no lines; its identifier is that of the
    movement that posts it. ``number``: of both together, from 1, without gaps; ``schedule``: the version of prices."""

    id: int
    number: int
    billing: int | None
    of: int | None
    institution: int
    schedule: int
    money: str
    totals: Totals
    lines: tuple[BillLine, ...] = ()

    @property
    def reference(self) -> str:
        """What it is called on paper."""
        return f"{'INV' if self.of is None else 'CN'}-{self.number:08d}"
