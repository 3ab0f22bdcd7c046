"""Confirmations: what a bank's file says that it moved, matched to the nets that are due, row by row.

A net is named by its payment reference; window, institution and currency follow from it, and the amount has to be what
the bank has still to move for it, signed like it: the net, or of a pay-out what is not cut. So is what one participant
owes another, whichever of the two banks' advices is in the file. Matching reads and changes nothing. Only a file of
which every row matches is applied, by one command (``hub.confirmations.confirm_file``), which decides it all again
under the journal's lock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from hub import ids, payment_references
from hub.ledger.commands import Payment as Confirmed
from hub.ledger.records import NetView, ObligationView, Window, WindowStatus
from hub.money import InvalidMoney, format_millionths, parse_millionths
from settlement.uploads import Columns, Row

COLUMNS: Final = Columns(("reference", "currency", "amount"), ("value_date", "bank_reference", "institution", "window"))


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of a bank's file. ``amount``: as decimal text, signed like the net; ``wrong``: why it cannot be taken."""

    number: int
    reference: str
    currency: str
    amount: str
    value_date: str | None = None
    bank_reference: str = ""
    wrong: str | None = None


class Outcome(StrEnum):
    """What comes of a row."""

    MATCHED = "MATCHED"
    DIFFERS = "DIFFERS"
    UNKNOWN = "UNKNOWN"  # no net is due under the reference
    NOT_DUE = "NOT_DUE"  # it is paid, declared unpaid, zero, goes to a parent, or an earlier window comes first
    DUPLICATE = "DUPLICATE"
    MALFORMED = "MALFORMED"


@dataclass(frozen=True, slots=True)
class Matched:
    """A row and its outcome; ``expected``: what is due. Of an obligation the institution is its debtor."""

    row: int
    outcome: Outcome
    reference: str
    window: str = ""
    institution: str = ""
    currency: str = ""
    amount: str = ""
    expected: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What comes of all rows; ``payments``: what is to be confirmed, if every row matches."""

    rows: tuple[Matched, ...]
    payments: tuple[Confirmed, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every row matches, and there is one."""
        return bool(self.rows) and all(row.outcome is Outcome.MATCHED for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have which outcome."""
        return dict(sorted(Counter(row.outcome.value for row in self.rows).items()))


@dataclass(frozen=True, slots=True)
class Due:
    """What is known of nets: the windows that are named and all that are not settled, their nets by identifier, and the
    codes of institutions."""

    windows: Mapping[int, Window]
    nets: Mapping[int, Sequence[NetView]]
    codes: Mapping[int, str]

    def obligations(self) -> dict[int, ObligationView]:
        """What participants owe one another of these windows."""
        return {one.obligation.id: one for nets in self.nets.values() for net in nets for one in net.obligations}


def from_rows(rows: Iterable[Row]) -> list[Payment]:
    """The payments of a table."""
    return [
        Payment(
            number=row.number,
            reference=row.cells.get("reference", ""),
            currency=row.cells.get("currency", ""),
            amount=row.cells.get("amount", ""),
            value_date=row.cells.get("value_date") or None,
            bank_reference=row.cells.get("bank_reference", ""),
            wrong=row.wrong,
        )
        for row in rows
    ]


def windows_of(payments: Iterable[Payment]) -> set[int]:
    """The windows that payments name."""
    return {named[0] for one in payments if (named := payment_references.parse(one.reference)) is not None}


def obligations_of(payments: Iterable[Payment]) -> set[int]:
    """The obligations that payments name."""
    found = (payment_references.parse_obligation(one.reference) for one in payments)
    return {one for one in found if one is not None}


def match(payments: Iterable[Payment], due: Due) -> Match:
    """Match payments to nets. A window may be paid only when those before it are settled, or are by this very file."""
    rows: list[Matched] = []
    found: list[tuple[int, Confirmed]] = []
    seen: dict[str, int] = {}
    obligations = due.obligations()
    for one in payments:
        row, payment = _match(one, due, obligations, seen)
        rows.append(row)
        if payment is not None:
            found.append((due.windows[payment.window].number, payment))
    paid = {(payment.window, payment.institution, payment.currency) for _, payment in found}
    named = {payment.window for _, payment in found if payment.counterparty is None}
    late = {ids.text(ids.WINDOW, id) for id in named if not _is_next(due.windows[id], due, paid)}
    early = _too_early(rows, due, obligations)
    rows = [
        _late(row) if row.outcome is Outcome.MATCHED and (row.window in late or row.reference in early) else row
        for row in rows
    ]
    return Match(tuple(rows), tuple(payment for _, payment in sorted(found, key=lambda one: one[0])))


def _match(
    one: Payment, due: Due, obligations: Mapping[int, ObligationView], seen: dict[str, int]
) -> tuple[Matched, Confirmed | None]:
    def no(outcome: Outcome, told: str, **more: str) -> tuple[Matched, None]:
        where = {"reference": one.reference, "currency": one.currency, "amount": one.amount}
        return Matched(one.number, outcome, **where, told=told, **more), None

    if one.wrong is not None:
        return no(Outcome.MALFORMED, one.wrong)
    named = payment_references.parse(one.reference)
    try:
        amount = parse_millionths(one.amount)
    except InvalidMoney as error:
        return no(Outcome.MALFORMED, str(error))
    if one.value_date is not None and not _is_day(one.value_date):
        return no(Outcome.MALFORMED, f"{one.value_date} is no day such as 2026-01-31")
    if one.reference in seen:
        return no(Outcome.DUPLICATE, f"row {seen[one.reference]} has the same reference")
    seen[one.reference] = one.number
    owed = obligations.get(payment_references.parse_obligation(one.reference) or 0)
    if owed is not None:
        return _match_obligation(one, due, owed, amount)
    net = None if named is None else _net(due, *named)
    if named is None or net is None:
        return no(Outcome.UNKNOWN, "there is no net of this reference")
    window, code = due.windows[named[0]], due.codes[named[1]]
    expected = format_millionths(net.due, net.net.currency)
    which = {"window": ids.text(ids.WINDOW, window.id), "institution": code, "expected": expected}
    if window.status is WindowStatus.OPEN or net.due == 0 or net.obligations:
        why = (
            "the window is open"
            if window.status is WindowStatus.OPEN
            else "nothing is due: it is paid, was declared unpaid, or goes to a parent"
        )
        return no(Outcome.NOT_DUE, why, **which)
    if (one.currency, amount) != (net.net.currency, net.due):
        return no(Outcome.DIFFERS, f"{one.amount} {one.currency} for {expected} {net.net.currency}", **which)
    taken = Matched(one.number, Outcome.MATCHED, one.reference, currency=one.currency, amount=one.amount, **which)
    reference = one.bank_reference or one.reference
    return taken, Confirmed(
        window=window.id,
        institution=code,
        currency=one.currency,
        amount=expected,
        value_date=one.value_date,
        reference=reference,
    )


def _match_obligation(one: Payment, due: Due, view: ObligationView, amount: int) -> tuple[Matched, Confirmed | None]:
    owed = view.obligation
    debtor, creditor = due.codes[owed.debtor], due.codes[owed.creditor]
    expected = format_millionths(owed.amount, owed.currency)
    which = {"window": ids.text(ids.WINDOW, owed.window), "institution": debtor, "expected": expected}
    where = {"reference": one.reference, "currency": one.currency, "amount": one.amount, **which}
    if view.paid:
        return Matched(one.number, Outcome.NOT_DUE, **where, told="it is paid"), None
    if (one.currency, abs(amount)) != (owed.currency, owed.amount):
        told = f"{one.amount} {one.currency} for {expected} {owed.currency}"
        return Matched(one.number, Outcome.DIFFERS, **where, told=told), None
    return Matched(one.number, Outcome.MATCHED, **where), Confirmed(
        window=owed.window,
        institution=creditor,
        counterparty=debtor,
        currency=owed.currency,
        amount=expected,
        value_date=one.value_date,
        reference=one.bank_reference or one.reference,
    )


def _too_early(rows: Iterable[Matched], due: Due, obligations: Mapping[int, ObligationView]) -> set[str]:
    """The references of those between two of whom something of an earlier window of the model is due, and not paid by
    the file."""
    matched = {row.reference: row for row in rows if row.outcome is Outcome.MATCHED}
    found = {id: matched[text] for id in obligations if (text := payment_references.of_obligation(id)) in matched}
    first: dict[tuple[str, frozenset[int]], int] = {}  # by model and pair, the first number of which something is due
    for id, view in obligations.items():
        if not view.paid and id not in found:
            window = due.windows[view.obligation.window]
            key = (window.model, frozenset((view.obligation.debtor, view.obligation.creditor)))
            first[key] = min(window.number, first.get(key, window.number))
    early = set[str]()
    for id, row in found.items():
        owed = obligations[id].obligation
        window = due.windows[owed.window]
        if first.get((window.model, frozenset((owed.debtor, owed.creditor))), window.number) < window.number:
            early.add(row.reference)
    return early


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _net(due: Due, window: int, institution: int, currency: str) -> NetView | None:
    for net in due.nets.get(window, ()):
        if (net.net.institution, net.net.currency) == (institution, currency):
            return net
    return None


def _is_next(of: Window, due: Due, paid: set[tuple[int, str, str]]) -> bool:
    """Whether all that is due before a window of its model is paid by the file."""
    for window in due.windows.values():
        is_before = window.model == of.model and window.number < of.number
        if is_before and window.status in (WindowStatus.CLOSED, WindowStatus.SETTLING):
            for net in due.nets.get(window.id, ()):
                if net.due and (window.id, due.codes[net.net.institution], net.net.currency) not in paid:
                    return False
    return True


def _late(row: Matched) -> Matched:
    told = "an earlier window has to be settled first"
    same = (row.reference, row.window, row.institution, row.currency, row.amount, row.expected)
    return Matched(row.row, Outcome.NOT_DUE, *same, told)
