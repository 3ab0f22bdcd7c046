"""Deciding by evidence: two persons of the operator's say what became of an order that no partner tells of. Pure."""

from hub.access import Right
from hub.errors import InvalidInput, NotFound, SameApprover
from hub.ledger import commands, resolve
from hub.ledger.book import Book, Draft
from hub.ledger.exchanges import answers
from hub.ledger.orders import Evidence, EvidenceKind, ExchangeState
from hub.partners import Reason, Status


def add_evidence(book: Book, command: commands.AddEvidence) -> Draft:
    """Put a note into the file of an exchange, or propose what became of its order. By the operator.

    Raises:
        NotFound: there is no such exchange.
        InvalidInput: the text is blank; or an outcome is proposed of what is not in doubt, or one that nothing follows
            from: that a partner never gave points back is no end.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None:
        raise NotFound
    resolve.reason(command.text)
    if command.done is not None:
        if exchange.order is None or not exchange.in_doubt:
            raise InvalidInput(state=exchange.state.value, inDoubt=exchange.in_doubt)
        if exchange.state is ExchangeState.REFUNDING and not command.done:
            raise InvalidInput(done=command.done, state=exchange.state.value)
    draft = Draft(book)
    said = Evidence(
        id=draft.new_id(),
        exchange=exchange.id,
        order="" if exchange.order is None else exchange.order.reference,
        kind=EvidenceKind.NOTE if command.done is None else EvidenceKind.PROPOSAL,
        done=command.done,
        credential=command.actor,
    )
    draft.evidence.append(said)
    draft.memos.append((said.id, command.text))
    draft.result = exchange
    return draft


def approve_evidence(book: Book, command: commands.ApproveEvidence) -> Draft:
    """Go on as if the partner had answered what was proposed. By another person of the operator's.

    Raises:
        NotFound: there is no such exchange, or this is not the last proposal on the order that is under way.
        SameApprover: the same person proposed it.
    """
    resolve.allow(book, command.actor, Right.OPERATE, book.configuration.operator.id)
    exchange = book.exchanges.get(command.exchange or 0)
    if exchange is None or exchange.order is None:
        raise NotFound
    proposed = book.proposals.get(exchange.id)
    if proposed is None or proposed.id != command.proposal or proposed.order != exchange.order.reference:
        raise NotFound
    person = resolve.credential(book, command.actor).person
    if book.configuration.credentials[proposed.credential].person == person:
        raise SameApprover(person=person)
    draft = Draft(book)
    draft.evidence.append(
        Evidence(
            id=draft.new_id(),
            exchange=exchange.id,
            order=exchange.order.reference,
            kind=EvidenceKind.APPROVAL,
            done=proposed.done,
            credential=command.actor,
        )
    )
    status, reason = (Status.SUCCEEDED, None) if proposed.done else (Status.REFUSED, Reason.OTHER)
    answer = commands.ReportOrder(actor=command.actor, reference=exchange.order.reference, status=status, reason=reason)
    answers.take(draft, exchange, answer)
    return draft
