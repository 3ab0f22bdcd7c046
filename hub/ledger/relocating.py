"""Relocating: what the hub itself does for a relocation, customer after customer. Pure.

    to the partner      customer → partner:C, lots and all; then what the partner has more or less than that,
                        issuance:C ↔ partner:C
    to the hub          partner:C → customer, into the partner's lots or by the currency's policy; then what the
                        partner issued or took by itself, issuance:C ↔ partner:C, so that nothing is left there

So what is in circulation stays what it was, and partner:C is what the partner says that it has. How far a relocation
has come changes with what is done, so that a chunk that does not go on exactly there does nothing.
"""

from dataclasses import replace

import msgspec

from hub.currencies import PartnerState, PointCurrency
from hub.errors import CustomerClosed, InvalidInput
from hub.expiry import NEVER
from hub.ledger import ageing, commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.lots import in_order, merged
from hub.ledger.opening import Holder, OpeningBalance, OpeningLot, Relocation, RelocationAct, RelocationStatus
from hub.ledger.records import Account, AccountKind, Customer, Mark, Movement, MovementKind
from hub.ledger.relocations import connection_of, step
from hub.points import AMOUNT_MAX, render
from hub.registry.currencies import connected

_S = RelocationStatus


def record(book: Book, command: commands.RecordBalances) -> Draft:
    """Put the partner's balances of some customers beside the hub's; answers the relocation as it is now. From the
    beginning again it is a new round, and what was accepted is not any more; a round is of one file, or of none.

    Raises:
        InvalidInput: the partner's own total is another one; the hub has more customers than were read; or an amount,
            lot or customer is none.
        CustomerClosed: a customer has left, and nothing can be credited any more.
    """
    resolve.operating(book, command.actor)
    draft, run = Draft(book), book.relocations[command.relocation]
    draft.result = run
    if run.status not in (_S.FIXED, _S.COMPARED):
        return draft
    if command.round == run.round + 1 and not command.after:
        run = msgspec.structs.replace(
            run,
            status=_S.FIXED,
            round=command.round,
            reached=0,
            **dict.fromkeys(("customers", "ours", "theirs", "differing", "more", "less"), 0),
            digest=command.digest,
            accepted_by=None,
            accepted=False,
        )
        step(draft, run, RelocationAct.READ, command.actor)
    elif run.status is not _S.FIXED or _place(run) != (command.round, command.after, command.digest):
        return draft
    of = resolve.currency(book, run.currency)
    found = [_opening(draft, run, of, one) for one in command.holders]
    draft.opening.extend(found)
    differing = [one for one in found if one.theirs != one.ours and not run.comes_home]
    run = msgspec.structs.replace(
        run,
        reached=command.through,
        customers=run.customers + len(found),
        ours=run.ours + sum(one.ours for one in found),
        theirs=run.theirs + sum(one.theirs for one in found),
        differing=run.differing + len(differing),
        more=run.more + sum(max(0, one.theirs - one.ours) for one in differing),
        less=run.less + sum(max(0, one.ours - one.theirs) for one in differing),
    )
    if not command.last:
        return step(draft, run, None, command.actor)
    _check_totals(book, of, run, command.control)
    run = msgspec.structs.replace(run, status=_S.COMPARED)
    return step(draft, run, RelocationAct.COMPARE, command.actor)


def _place(run: Relocation) -> tuple[int, int, str | None]:
    return run.round, run.reached, run.digest


def _opening(draft: Draft, run: Relocation, of: PointCurrency, one: Holder) -> OpeningBalance:
    book = draft.book
    customer = book.holders.get(one.customer)
    if customer is None:
        raise InvalidInput(customer=one.customer)
    if not 0 <= one.units <= AMOUNT_MAX or (one.lots and sum(lot.units for lot in one.lots) != one.units):
        raise InvalidInput(reference=customer.reference, amount=render(one.units, of.scale))
    for lot in one.lots:
        ends, earned = lot.expires_at, lot.earned_at
        if lot.units <= 0 or (ends is not None and not book.at < ends < NEVER) or (earned and earned > book.at):
            raise InvalidInput(reference=customer.reference, expiresAt="" if ends is None else ends.isoformat())
    account = book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    marks = book.customer_marks.get(customer.id, 0) if account is None else account.marks
    if run.comes_home and one.units:
        if marks & Mark.CLOSED:
            raise CustomerClosed(reference=customer.reference or "")
        if customer.id in book.pools:
            raise InvalidInput(reference=customer.reference, pool="true")
    return OpeningBalance(
        id=draft.new_id(),
        relocation=run.id,
        round=run.round,
        customer=customer.id,
        ours=0 if account is None else account.balance,
        theirs=one.units,
        lots=one.lots,
    )


def _check_totals(book: Book, of: PointCurrency, run: Relocation, control: int | None) -> None:
    if control is None and run.comes_home:
        raise InvalidInput(control="It is needed where the hub has nothing to compare with.")
    if control is not None and control != run.theirs:
        raise InvalidInput(control=render(control, of.scale), found=render(run.theirs, of.scale))
    held = book.opening_totals.get(of.code, (0, 0))[1]
    if held != run.ours:
        raise InvalidInput(total=render(held, of.scale), found=render(run.ours, of.scale))


def relocate(book: Book, command: commands.Relocate) -> Draft:
    """Move the points of some customers; answers the relocation as it is now. With the last ones the currency is kept
    where it was to go.

    Raises:
        InvalidInput: not all points were moved.
    """
    resolve.operating(book, command.actor)
    draft, run = Draft(book), book.relocations[command.relocation]
    draft.result = run
    if run.status is not _S.MOVING or run.reached != command.after:
        return draft
    of = resolve.currency(book, run.currency)
    partner = draft.account(AccountKind.PARTNER, of.issuer, of.code)
    for one in sorted(book.opening.values(), key=lambda one: one.customer):
        if run.comes_home:
            _bring(draft, run, of, partner, one)
        else:
            _send(draft, run, of, partner, one)
    moved = sum(movement.amount for movement in draft.movements)
    run = msgspec.structs.replace(run, reached=command.through, moved=run.moved + moved)
    if not command.last:
        return step(draft, run, None, command.actor)
    if run.moved != (run.theirs if run.comes_home else run.ours):
        raise InvalidInput(moved=render(run.moved, of.scale))
    _recognise(draft, run, of, partner)
    home = run.comes_home
    draft.nouns.append(
        replace(
            connected(of, run.adapter, connection_of(run)),
            partner=PartnerState.ACTIVE,
            partner_reason="",
            relocation=None,
        )
    )
    run = msgspec.structs.replace(run, status=_S.DONE, ended_at=book.at)
    if home and partner.balance + _moved(draft, partner):
        raise AssertionError("the partner would keep points of a currency that has come home")
    return step(draft, run, RelocationAct.FINISH, command.actor)


def _send(draft: Draft, run: Relocation, of: PointCurrency, partner: Account, one: OpeningBalance) -> None:
    """customer → partner:C, all of it with its lots, also those that have ended meanwhile."""
    if not one.ours:
        return
    account = draft.account(AccountKind.CUSTOMER, one.customer, of.code)
    if account.balance != one.ours:
        raise AssertionError("a balance changed that was fixed")
    pieces = tuple(
        lot.piece(lot.amount) for lot in in_order(draft.book.lots.get(account.id, {}).values()) if lot.amount
    )
    movement = _movement(draft, run, of, MovementKind.RELOCATE, one.ours, source=draft.book.holders[one.customer])
    draft.points(movement.id, account, partner, one.ours, pieces)


def _bring(draft: Draft, run: Relocation, of: PointCurrency, partner: Account, one: OpeningBalance) -> None:
    """partner:C → customer, into the partner's lots, or as if they had been issued now; into the main account."""
    if not one.theirs:
        return
    at, customer = draft.book.at, draft.book.holders[one.customer]
    told = one.lots or (OpeningLot(one.theirs),)
    made = (ageing.issued(of, lot.units, at, lot.earned_at, lot.expires_at) for lot in told)
    given = merged(piece for pieces in made for piece in pieces)
    movement = _movement(draft, run, of, MovementKind.RELOCATE, one.theirs, target=customer)
    account = draft.account(AccountKind.CUSTOMER, customer.id, of.code)
    draft.points(movement.id, partner, account, one.theirs, given=given)


def _recognise(draft: Draft, run: Relocation, of: PointCurrency, partner: Account) -> None:
    """issuance:C ↔ partner:C: what the partner has more or less than the hub gave it; of what has come home, what it
    issued or took by itself."""
    issuance = draft.account(AccountKind.ISSUANCE, of.issuer, of.code)
    more, less = run.more, run.less
    if run.comes_home:
        left = partner.balance + _moved(draft, partner)
        more, less = max(0, -left), max(0, left)
    if more:
        movement = _movement(draft, run, of, MovementKind.RECOGNISE, more)
        draft.points(movement.id, issuance, partner, more)
    if less:
        movement = _movement(draft, run, of, MovementKind.DERECOGNISE, less)
        draft.points(movement.id, partner, issuance, less)


def _moved(draft: Draft, account: Account) -> int:
    """By how much this draft changes an account's balance."""
    return sum(
        leg.amount if leg.credit is account else -leg.amount
        for _, leg in draft.legs
        if account in (leg.credit, leg.debit)
    )


def _movement(
    draft: Draft,
    run: Relocation,
    of: PointCurrency,
    kind: MovementKind,
    amount: int,
    source: Customer | None = None,
    target: Customer | None = None,
) -> Movement:
    made = Movement(
        id=draft.new_id(),
        kind=kind,
        at=draft.book.at,
        credential=draft.book.configuration.host.id,
        for_institution=of.issuer,
        currency=of.code,
        amount=amount,
        source=source,
        target=target,
        subject=run.id,
    )
    draft.movements.append(made)
    return made
