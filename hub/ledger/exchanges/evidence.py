"""Deciding by evidence: two persons of the operator's say what became of an order that no partner tells of. Pure."""

from hub.errors import InvalidInput, NotFound
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.exchanges import answers
from hub.ledger.orders import UNREFUSABLE, Evidence, EvidenceKind, Exchange, ExchangeState, PlacedOrder
from hub.partners import Reason, Status


def add_evidence(book: Book, command: commands.AddEvidence) -> Draft:
    """Put a note into the file of an exchange, or propose what became of its order. By the operator.

    Raises:
        NotFound: there is no such exchange.
        InvalidInput: the text is blank; or an outcome is proposed of what is not in doubt, or one that nothing follows
            from: that a partner never gave points back, freed or took what it had held is no end.
    """
    resolve.operating(book, command.actor)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None:
        raise NotFound
    resolve.reason(command.text)
    if command.done is not None:
        check_outcome(exchange, done=command.done)
    draft = Draft(book)
    if command.done is not None:
        propose(draft, exchange, command.actor, done=command.done, text=command.text)
    else:
        _say(draft, exchange, EvidenceKind.NOTE, None, command.actor, command.text)
    draft.result = exchange
    return draft


def check_outcome(exchange: Exchange, *, done: bool) -> None:
    """Pass if something follows from this outcome of the order under way.

    Raises:
        InvalidInput: it is not in doubt; or a partner would never have done what is owed, which is no end.
    """
    if exchange.order is None or not exchange.in_doubt:
        raise InvalidInput(state=exchange.state.value, inDoubt=exchange.in_doubt)
    if exchange.state in UNREFUSABLE and not done:
        raise InvalidInput(done=done, state=exchange.state.value)


def propose(draft: Draft, exchange: Exchange, actor: int, *, done: bool, text: str) -> None:
    """Put a proposal into the file of an exchange whose order is in doubt."""
    _say(draft, exchange, EvidenceKind.PROPOSAL, done, actor, text)


def _say(draft: Draft, exchange: Exchange, kind: EvidenceKind, done: bool | None, actor: int, text: str) -> None:
    said = Evidence(
        id=draft.new_id(),
        exchange=exchange.id,
        order="" if exchange.order is None else exchange.order.reference,
        kind=kind,
        done=done,
        credential=actor,
    )
    draft.evidence.append(said)
    draft.memos.append((said.id, text))


def approve_evidence(book: Book, command: commands.ApproveEvidence) -> Draft:
    """Go on as if the partner had answered what was proposed. By another person of the operator's.

    Raises:
        NotFound: there is no such exchange, or this is not the last proposal on the order that is under way.
        SameApprover: the same person proposed it.
    """
    resolve.operating(book, command.actor)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None or exchange.order is None:
        raise NotFound
    proposed = book.proposals.get(exchange.id)
    if proposed is None or proposed.id != command.proposal or proposed.order != exchange.order.reference:
        raise NotFound
    resolve.second_person(book, command.actor, proposed.credential)
    draft = Draft(book)
    _approve(draft, exchange, exchange.order, command.actor, done=bool(proposed.done))
    return draft


def approve(draft: Draft, exchange: Exchange, actor: int, *, done: bool) -> None:
    """The same in a draft that does more, of an outcome that was proposed in the exchange's file.

    Raises:
        NotFound: the last proposal there is not of this outcome.
        SameApprover: the same person proposed it.
    """
    proposed = draft.book.proposals.get(exchange.id)
    if exchange.order is None or proposed is None:
        raise NotFound
    if (proposed.order, proposed.done) != (exchange.order.reference, done):
        raise NotFound
    resolve.second_person(draft.book, actor, proposed.credential)
    _approve(draft, exchange, exchange.order, actor, done=done)


def _approve(draft: Draft, exchange: Exchange, order: PlacedOrder, actor: int, *, done: bool) -> None:
    draft.evidence.append(
        Evidence(
            id=draft.new_id(),
            exchange=exchange.id,
            order=order.reference,
            kind=EvidenceKind.APPROVAL,
            done=done,
            credential=actor,
        )
    )
    status, reason = (Status.SUCCEEDED, None) if done else (Status.REFUSED, Reason.OTHER)
    if exchange.state is ExchangeState.CAPTURING and not done:
        reason = Reason.EXCEEDS_ORIGINAL  # they have seen to it that nothing is held any more
    answers.take(
        draft, exchange, commands.ReportOrder(actor=actor, reference=order.reference, status=status, reason=reason)
    )
