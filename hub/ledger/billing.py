"""Billing: the invoices of a month, each a movement from a position to the operator's, and credit notes. Pure.

A month is billed once, for everybody in one act, and only after the months before it; so what was counted for it is
counted for no other. An invoice is owed whatever cap there is, because what it is for has been done.
"""

from collections.abc import Iterable

from hub.access import Right
from hub.bills import FeeSchedule, Month, Usage, credited, lines_of, payers, totals_of
from hub.errors import AlreadyReversed, Duplicate, ExceedsOriginal, InvalidAmount, InvalidInput, NotFound
from hub.expiry import is_zone
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Billing, Invoice, Movement, MovementKind, Purpose
from hub.money import format_millionths, minor_unit_millionths
from hub.points import AMOUNT_MAX, MONEY_SCALE, parse_positive

_MILLIONTHS_MAX = AMOUNT_MAX * 1000


def bill(book: Book, command: commands.Bill) -> Draft:
    """The invoices of a month; who owes nothing has none. Said by the hub itself, or by the operator.

    Raises:
        InvalidInput: it is no month, or not over; the zone is none; or something was used by nobody.
        Duplicate: it is billed, or a later one is.
        InvalidAmount: an invoice would be larger than the ledger carries.
    """
    configuration = book.configuration
    resolve.allow(book, command.actor, Right.OPERATE, configuration.operator.id)
    try:
        month = Month.parse(command.period)
    except ValueError:
        raise InvalidInput(period=command.period[:20]) from None
    if not is_zone(command.zone):
        raise InvalidInput(timeZone=command.zone[:60])
    starts, ends = month.starts(command.zone), month.ends(command.zone)
    if ends > book.at:
        raise InvalidInput(period=command.period, ends=ends.isoformat())
    if book.billed_until is not None and starts < book.billed_until:
        raise Duplicate(period=command.period, billedUntil=book.billed_until.isoformat())
    draft = Draft(book)
    billing = Billing(
        id=draft.new_id(), credential=command.actor, period=str(month), zone=command.zone, starts=starts, ends=ends
    )
    draft.billings.append(billing)
    by_payer = payers(configuration.charging, configuration.institutions, starts)
    schedules = {schedule.institution: schedule for schedule in by_payer.values()}
    used: dict[int, list[Usage]] = {payer: [] for payer in schedules}
    for one in command.used:
        if one.currency not in configuration.currency_codes or one.institution not in configuration.institutions:
            raise InvalidInput(currency=one.currency)
        if (schedule := by_payer.get(one.institution)) is not None:
            used[schedule.institution].append(one)
    for payer in sorted(schedules):
        _invoice(draft, billing, schedules[payer], used[payer])
    draft.result = billing
    return draft


def _invoice(draft: Draft, billing: Billing, schedule: FeeSchedule, used: Iterable[Usage]) -> None:
    scales = {of.code: of.scale for of in draft.book.configuration.currencies.values()}
    unit = minor_unit_millionths(schedule.money)
    lines = lines_of(schedule, used, scales, unit)
    totals = totals_of(lines, schedule.vat, unit, gross=schedule.gross)
    if not totals.gross:
        return
    if totals.gross > _MILLIONTHS_MAX:
        raise InvalidAmount(amount=format_millionths(totals.gross, schedule.money), currency=schedule.money)
    made = Invoice(
        id=draft.new_id(),
        number=draft.book.invoice_number + len(draft.invoices) + 1,
        billing=billing.id,
        of=None,
        institution=schedule.institution,
        schedule=schedule.id,
        money=schedule.money,
        totals=totals,
        lines=lines,
    )
    _post(draft, made, MovementKind.BILL, billing.credential, billing.id)


def credit(book: Book, command: commands.CreditInvoice) -> Draft:
    """A credit note: a part of an invoice, gross, is given back with its part of the VAT, in the window open now. By
    the operator.

    Raises:
        NotFound: there is no such invoice.
        InvalidAmount: the amount is malformed, or no whole number of minor units.
        AlreadyReversed, ExceedsOriginal: nothing, or less than asked, is left of it.
        InvalidInput: no reason is given.
    """
    resolve.operating(book, command.actor)
    invoice = book.invoices.get(command.invoice or 0)
    if invoice is None or invoice.of is not None:
        raise NotFound
    resolve.reason(command.reason)
    before, unit = book.credited.get(invoice.id, 0), minor_unit_millionths(invoice.money)
    left = invoice.totals.gross - before
    if not left:
        raise AlreadyReversed
    amount = left if command.amount is None else parse_positive(command.amount, MONEY_SCALE)
    if amount > left:
        asked, there = (format_millionths(value, invoice.money) for value in (amount, left))
        raise ExceedsOriginal(left=there, requested=asked)
    if amount % unit:
        raise InvalidAmount(amount=command.amount, currency=invoice.money)
    draft = Draft(book)
    note = Invoice(
        id=draft.new_id(),
        number=book.invoice_number + 1,
        billing=None,
        of=invoice.id,
        institution=invoice.institution,
        schedule=invoice.schedule,
        money=invoice.money,
        totals=credited(invoice.totals, before, before + amount, unit),
    )
    _post(draft, note, MovementKind.CREDIT, command.actor, invoice.id)
    draft.memos.append((note.id, command.reason))
    draft.result = note
    return draft


def _post(draft: Draft, made: Invoice, kind: MovementKind, actor: int, subject: int) -> None:
    operator, amount = draft.book.configuration.operator.id, made.totals.gross
    payer, payee = (made.institution, operator) if kind is MovementKind.BILL else (operator, made.institution)
    draft.promised = True  # nobody is billed less because somebody cannot pay at once
    draft.money(made.id, payer, payee, made.money, amount, Purpose.FEE)
    draft.movements.append(
        Movement(
            id=made.id,
            kind=kind,
            at=draft.book.at,
            credential=actor,
            for_institution=made.institution,
            currency=made.money,
            amount=amount,
            money=made.money,
            value=amount,
            subject=subject,
        )
    )
    draft.invoices.append(made)
