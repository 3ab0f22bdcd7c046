"""Cover: what is put up at the settlement bank and taken back. Pure.

What moves is posted between the settlement bank's account and the institution's own of its kind, in no window; one
person records it with the bank's reference, and another approves it. What it is for is ``hub.ledger.covered``.
"""

import msgspec

from hub.cover import NO_TERMS, CoverEntry, EntryStatus, Pot, reach
from hub.defaults import DefaultStatus
from hub.errors import (
    Duplicate,
    InsufficientLiquidity,
    InvalidAmount,
    InvalidInput,
    NotFound,
    PayOutWaits,
)
from hub.institutions import Institution
from hub.ledger import commands, payments, resolve
from hub.ledger.book import Book
from hub.ledger.covered import held
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Leg, Movement, MovementKind, Purpose
from hub.money import format_millionths, minor_unit_millionths
from hub.points import MONEY_SCALE, parse
from hub.registry import checks
from hub.registry.caps import CAP_MAX
from hub.registry.cover import settling

POTS = {
    Pot.COLLATERAL: AccountKind.COLLATERAL,
    Pot.FUND: AccountKind.FUND,
    Pot.LIQUIDITY: AccountKind.LIQUIDITY,
    Pot.RECOVERED: AccountKind.RECOVERED,
}


def record(book: Book, command: commands.RecordCoverEntry) -> Draft:
    """Record that the bank received money for a pot, or is to pay some out of it. By the operator.

    Raises:
        NotFound: there is no such institution.
        UnknownCurrency: the currency is not in ISO 4217.
        InvalidInput: its nets go to somebody above it, the reference is empty, the value date is none, or somebody pays
            into what is recovered.
        InvalidAmount: it is zero, or not in whole minor units.
        Duplicate: the bank's reference is recorded in this currency, and was not rejected.
        InsufficientLiquidity: there would be less than there has to be.
    """
    resolve.operating(book, command.actor)
    currency = resolve.money(command.currency)
    node = resolve.institution(book, command.institution)
    amount = parse(command.amount, MONEY_SCALE)
    if not amount or amount % minor_unit_millionths(currency) or abs(amount) > CAP_MAX:
        raise InvalidAmount(amount=command.amount)
    if amount > 0:
        settling(book, command.institution)
        if command.pot is Pot.RECOVERED:
            raise InvalidInput(pot=command.pot.value)
    payments.check(command.reference, command.value_date)
    for known in book.cover_entries.values():
        same = (known.currency, known.reference) == (currency, command.reference)
        if same and known.status is not EntryStatus.REJECTED:
            raise Duplicate(currency=currency, reference=command.reference)
    draft = Draft(book)
    entry = CoverEntry(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        institution=node.id,
        pot=command.pot,
        currency=currency,
        amount=amount,
        value_date=command.value_date,
        reference=command.reference,
    )
    _check_left(book, node, entry)
    draft.cover_entries.append(entry)
    draft.result = entry
    return draft


def approve(book: Book, command: commands.ApproveCoverEntry) -> Draft:
    """Post an entry, by another person than who recorded it.

    Raises:
        NotFound: there is no such entry, or it was decided on.
        SameApprover: the caller recorded it.
        InsufficientLiquidity: there would be less than there has to be.
    """
    entry = _proposed(book, command.actor, command.id)
    resolve.second_person(book, command.actor, entry.credential)
    _check_left(book, book.configuration.institutions[entry.institution], entry)
    draft = Draft(book)
    decision, movement = draft.new_id(), draft.new_id()
    pot = draft.account(POTS[entry.pot], entry.institution, entry.currency)
    bank = draft.account(AccountKind.BANK, book.configuration.operator.id, entry.currency)
    sides = (bank, pot) if entry.amount > 0 else (pot, bank)
    draft.legs.append((movement, Leg(*sides, abs(entry.amount), Purpose.COVER)))
    draft.movements.append(
        Movement(
            id=movement,
            kind=MovementKind.COVER,
            at=book.at,
            credential=command.actor,
            for_institution=entry.institution,
            currency=entry.currency,
            amount=abs(entry.amount),
            money=entry.currency,
            value=entry.amount,
            subject=entry.id,
        )
    )
    return _decide(draft, entry, command.actor, EntryStatus.POSTED, decision, movement)


def reject(book: Book, command: commands.RejectCoverEntry) -> Draft:
    """End an entry that was not posted, also one's own.

    Raises:
        NotFound: there is no such entry, or it was decided on.
        InvalidInput: the reason is blank.
    """
    entry = _proposed(book, command.actor, command.id)
    checks.name("reason", command.reason)
    draft = Draft(book)
    decision = draft.new_id()
    draft.memos.append((decision, command.reason))
    return _decide(draft, entry, command.actor, EntryStatus.REJECTED, decision, None)


def _check_left(book: Book, node: Institution, entry: CoverEntry) -> None:
    """Pass if what an entry leaves is no less than what has to be there: of collateral what covers the exposure, of a
    contribution to the fund what was agreed, and of either all as long as there is a default that it owes, or may be
    drawn on for.

    Raises:
        PayOutWaits: it is not settled yet who bears a default.
        InsufficientLiquidity: with what there is, and what has to be there.
    """
    if entry.amount > 0:
        return
    owes = 0
    if entry.pot in (Pot.COLLATERAL, Pot.FUND):
        for default in book.defaults.values():
            if default.is_standing and default.currency == entry.currency:
                if default.status is DefaultStatus.DECLARED:
                    raise PayOutWaits(currency=entry.currency)
                owes += default.outstanding if default.institution == node.id else 0
    there = held(book, POTS[entry.pot], node.id, entry.currency)
    left = there + entry.amount
    cover = book.configuration.covers.get((node.id, entry.currency))
    terms = NO_TERMS if cover is None else cover.terms
    enough = left >= 0 and not owes
    if entry.pot is Pot.FUND:
        enough = enough and left >= terms.fund
    elif entry.pot is Pot.COLLATERAL and terms.needed:
        enough = enough and book.exposure(node.id, entry.currency) <= reach(terms, left)
    if not enough:
        raise InsufficientLiquidity(
            institution=node.code,
            currency=entry.currency,
            pot=entry.pot.value,
            held=format_millionths(there, entry.currency),
            exposure=format_millionths(book.exposure(node.id, entry.currency), entry.currency),
        )


def _proposed(book: Book, actor: int, id: int | None) -> CoverEntry:
    resolve.operating(book, actor)
    found = book.cover_entries.get(id or 0)
    if found is None or found.status is not EntryStatus.PROPOSED:
        raise NotFound
    return found


def _decide(
    draft: Draft, entry: CoverEntry, actor: int, status: EntryStatus, decision: int, movement: int | None
) -> Draft:
    made = msgspec.structs.replace(
        entry, status=status, decision=decision, decided_by=actor, decided_at=draft.book.at, movement=movement
    )
    draft.cover_entries.append(made)
    draft.result = made
    return draft
