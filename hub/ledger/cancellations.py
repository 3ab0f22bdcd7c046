"""Cancellations: every issue that was made for one record, reversed in one act. Pure."""

from hub import ids
from hub.errors import AlreadyReversed, InvalidInput, NotFound, Unexpected
from hub.ledger import commands, resolve, reversals
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Account, Cancellation

ISSUES_MAX = 1_000
_IDS_MAX = 4  # that one reversal takes: its own, an account of a debt, lots
IDS_KEPT = ids.PLACES // 4  # of a batch, for its other commands


def cancel(book: Book, command: commands.CancelRecord) -> Draft:
    """Reverse what is left of each issue of the record, all or none. By a trader of the currency's issuer.

    Raises:
        NotFound: nothing was issued for the record.
        NotHosted: a partner keeps the points.
        InvalidInput: more was issued for it than is reversed at once.
        AlreadyReversed: nothing is left of it.
        InsufficientPoints, Frozen, CustomerClosed: see ``reversals.post``.
        Unexpected: the batch has not enough identifiers left for it; another batch will have.
    """
    of = resolve.currency(book, command.currency)
    acting = resolve.guard(book, command.actor, of)
    resolve.hosted(of, "CANCEL")
    resolve.reason(command.reason)
    found = book.records.get((of.code, resolve.record(command.record)), [])
    if not found:
        raise NotFound(record=command.record)
    if len(found) > ISSUES_MAX:
        raise InvalidInput(record=command.record, maximum=ISSUES_MAX)
    if book.next_id + _IDS_MAX * len(found) > ids.first_of(book.batch + 1) - IDS_KEPT:
        raise Unexpected
    draft = Draft(book)
    id = draft.new_id()
    free: dict[Account, int] = {}
    done = []
    for issue in found:
        original = book.originals[issue]
        if left := original.movement.amount - original.reversed:
            done.append(reversals.post(draft, command, original, issue, acting, left, free))
    if not done:
        raise AlreadyReversed
    made = Cancellation(
        id=id,
        last=done[-1].id,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        issues=len(done),
        amount=sum(one.amount for one in done),
        debt=sum(one.debt for one in draft.missing),
        written_off=sum(one.written_off for one in draft.missing),
    )
    draft.cancellations.append(made)
    draft.result = made
    return draft
