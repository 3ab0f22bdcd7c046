"""Disputes of lines: opened by the institution, answered by the other one, ended by two persons of the
operator's. Pure.

A line says that its payer owes its payee an amount. A dispute that is upheld has the payee give back as much of it as
two persons say, exactly, in the window that is open then, by a movement that names the dispute and so the line. What
all disputes of one line give back is never more than the line. No cap refuses it: what was counted wrongly is owed.
"""

from typing import Any

import msgspec

from hub.acceptance.disputes import (
    LINES_MAX,
    REFERENCES_MAX,
    Dispute,
    DisputeOutcome,
    DisputeStatus,
    DisputeStep,
    DisputeStepKind,
    ReportLine,
    Statement,
    corrected,
    memo_of,
)
from hub.access import Credential, Right
from hub.errors import (
    DisputeTooLate,
    Duplicate,
    InvalidAmount,
    InvalidInput,
    NotFound,
    ReportAccepted,
)
from hub.ledger import commands, resolve
from hub.ledger.acceptances import accepted, closed_window
from hub.ledger.book import Book
from hub.ledger.commands import KEY_MAX
from hub.ledger.draft import Draft
from hub.ledger.records import Movement, MovementKind
from hub.money import format_millionths
from hub.points import MONEY_SCALE, parse

_SECRETS = ("phk_", "whsec_", "PRIVATE KEY")  # what keys of the hub's, and private keys, have in them


def open_(book: Book, command: commands.OpenDisputes) -> Draft:
    """Dispute lines of an institution's report, all or none; by its own administrator, until the deadline. Answers the
    disputes in the order of the lines.

    Raises:
        Forbidden: somebody else asks.
        NotFound: there is no such window, no report of the institution in it, or no such line in that.
        InvalidInput: the window is open, there are no lines or too many, or what is said is no evidence.
        InvalidAmount: an expected amount is malformed, or below zero.
        DisputeTooLate: the deadline has passed.
        ReportAccepted: the report is accepted with a signature.
        Duplicate: the institution has disputed one of the lines.
    """
    node = resolve.institution(book, command.institution)
    resolve.own_word(book, command.actor, node.id)
    window, until = closed_window(book, command.window, node)
    if not 0 < len(command.lines) <= LINES_MAX:
        raise InvalidInput(lines=len(command.lines), maximum=LINES_MAX)
    if accepted(book, window.id, node.id) is not None:
        raise ReportAccepted(institution=node.code, window=window.number)
    if book.at >= until:
        raise DisputeTooLate(deadline=until.isoformat())
    known = {(one.line.movement, one.line.leg) for one in book.disputes.values() if one.institution == node.id}
    draft = Draft(book)
    for place, asked in enumerate(command.lines, start=1):
        line = book.disputed_lines.get((asked.movement or 0, asked.leg))
        if line is None or line.window != window.id or node.id not in (line.payer, line.payee):
            raise NotFound(line=place)
        if (line.movement, line.leg) in known:
            raise Duplicate(line=place)
        known.add((line.movement, line.leg))
        draft.disputes.append(_opened(draft, command.actor, node.id, line, asked))
    draft.result = list(draft.disputes)
    return draft


def _opened(draft: Draft, actor: int, institution: int, line: ReportLine, asked: commands.DisputedLine) -> Dispute:
    expected = None if asked.expected is None else parse(asked.expected, MONEY_SCALE)
    if expected is not None and expected < 0:
        raise InvalidAmount(amount=asked.expected)
    made = Dispute(
        id=draft.new_id(),
        at=draft.book.at,
        credential=actor,
        institution=institution,
        line=line,
        reason=asked.reason,
        expected=expected,
    )
    _say(draft, made, DisputeStepKind.OPENED, actor, asked.said)
    return made


def answer(book: Book, command: commands.AnswerDispute) -> Draft:
    """Answer a dispute that is open; by an administrator of the line's other institution, or by the operator.

    Raises:
        NotFound: there is no such dispute for the caller.
        Forbidden: the caller is neither.
        InvalidInput: it has been answered or has ended, or what is said is no evidence.
    """
    found, _ = _seen(book, command.actor, command.id)
    resolve.allow(book, command.actor, Right.CONFIGURE, found.other)
    if found.status is not DisputeStatus.OPEN:
        raise InvalidInput(status=found.status.value)
    draft = Draft(book)
    _say(draft, found, DisputeStepKind.ANSWERED, command.actor, command.said)
    return _take(draft, found, status=DisputeStatus.ANSWERED)


def note(book: Book, command: commands.NoteDispute) -> Draft:
    """Add evidence to a dispute; by an administrator of either institution, or by the operator.

    Raises:
        NotFound: there is no such dispute for the caller.
        Forbidden: the caller is none of them.
        InvalidInput: it has ended, or what is said is no evidence.
    """
    found, asking = _seen(book, command.actor, command.id)
    mine = found.institution if resolve.sees(book, asking, found.institution) else found.other
    resolve.allow(book, command.actor, Right.CONFIGURE, mine)
    _check_open(found)
    draft = Draft(book)
    _say(draft, found, DisputeStepKind.NOTED, command.actor, command.said)
    draft.result = found
    return draft


def withdraw(book: Book, command: commands.WithdrawDispute) -> Draft:
    """End a dispute of one's own; what was proposed is proposed no more.

    Raises:
        NotFound: there is no such dispute for the caller.
        Forbidden: the caller is no administrator of the institution that opened it.
        InvalidInput: it has ended, or no reason is given.
    """
    found, _ = _seen(book, command.actor, command.id)
    resolve.own_word(book, command.actor, found.institution)
    _check_open(found)
    draft = Draft(book)
    _say(draft, found, DisputeStepKind.WITHDRAWN, command.actor, Statement(command.reason))
    return _take(draft, found, status=DisputeStatus.RESOLVED, outcome=DisputeOutcome.WITHDRAWN, proposal=None)


def propose_end(book: Book, command: commands.ProposeDisputeEnd) -> Draft:
    """Propose how an answered dispute is to end, instead of what was proposed before. By the operator.

    Raises:
        NotFound: there is no such dispute.
        InvalidInput: it is not answered or has ended, it cannot end so, or what is said is no evidence.
        InvalidAmount: more is to be given back than is left of the line, or nothing.
    """
    found = _operated(book, command.actor, command.id)
    if found.status is not DisputeStatus.ANSWERED:
        raise InvalidInput(status=found.status.value)
    amount = _asked_amount(book, found, command)
    draft = Draft(book)
    said = _say(
        draft, found, DisputeStepKind.PROPOSED, command.actor, command.said, outcome=command.outcome, amount=amount
    )
    return _take(draft, found, proposal=said.id)


def _asked_amount(book: Book, found: Dispute, command: commands.ProposeDisputeEnd) -> int | None:
    if command.outcome is DisputeOutcome.REJECTED and command.amount is None:
        return None
    if command.outcome is not DisputeOutcome.UPHELD:
        raise InvalidInput(outcome=command.outcome.value, amount=command.amount)
    amount = _left(book, found) if command.amount is None else parse(command.amount, MONEY_SCALE)
    _check_amount(book, found, amount)
    return amount


def approve_end(book: Book, command: commands.ApproveDisputeEnd) -> Draft:
    """End a dispute as it was proposed, and post the correction that follows. By another person of the operator's.

    Raises:
        NotFound: there is no such dispute, or this is not the proposal that stands.
        SameApprover: the same person proposed it.
        InvalidAmount: less is left of the line by now than is to be given back.
    """
    found = _operated(book, command.actor, command.id)
    said = book.dispute_proposals.get(found.id)
    if said is None or said.outcome is None or said.id != command.proposal or found.proposal != said.id:
        raise NotFound
    resolve.second_person(book, command.actor, said.credential)
    draft = Draft(book)
    step = draft.new_id()
    movement = None
    if said.amount is not None:
        _check_amount(book, found, said.amount)
        movement = _correct(draft, found, said.amount, command.actor)
    draft.dispute_steps.append(
        DisputeStep(
            id=step,
            of=found.id,
            kind=DisputeStepKind.APPROVED,
            credential=command.actor,
            outcome=said.outcome,
            amount=said.amount,
            movement=movement,
        )
    )
    ended = {"status": DisputeStatus.RESOLVED, "outcome": said.outcome, "corrected": said.amount or 0}
    return _take(draft, found, proposal=None, **ended)


def _correct(draft: Draft, found: Dispute, amount: int, actor: int) -> int:
    """Have the line's payee give back an amount to its payer, for the same purpose."""
    line = found.line
    made = Movement(
        id=draft.new_id(),
        kind=MovementKind.CORRECT,
        at=draft.book.at,
        credential=actor,
        for_institution=found.institution,
        currency=line.currency,
        amount=amount,
        money=line.currency,
        value=amount,
        subject=found.id,
    )
    draft.movements.append(made)
    draft.promised = True  # by two persons' word
    draft.money(made.id, line.payee, line.payer, line.currency, amount, line.purpose)
    return made.id


def _left(book: Book, found: Dispute) -> int:
    """What of a line no dispute has given back."""
    return found.line.amount - corrected(book.disputes, (found.line.movement, found.line.leg))


def _check_amount(book: Book, found: Dispute, amount: int) -> None:
    left = _left(book, found)
    if not 0 < amount <= left:
        shown = (format_millionths(one, found.line.currency) for one in (amount, left))
        raise InvalidAmount(**dict(zip(("amount", "left"), shown, strict=True)))


def _seen(book: Book, actor: int, id: int | None) -> tuple[Dispute, Credential]:
    """A dispute that exists for the caller, who sees one of its two institutions from within."""
    asking, found = resolve.credential(book, actor), book.disputes.get(id or 0)
    if found is None or not resolve.sees(book, asking, found.line.payer, found.line.payee):
        raise NotFound
    return found, asking


def _operated(book: Book, actor: int, id: int | None) -> Dispute:
    resolve.operating(book, actor)
    found = book.disputes.get(id or 0)
    if found is None:
        raise NotFound
    return found


def _check_open(found: Dispute) -> None:
    if not found.is_open:
        raise InvalidInput(status=found.status.value)


def _take(draft: Draft, found: Dispute, **changes: Any) -> Draft:
    changed = msgspec.structs.replace(found, **changes)
    draft.disputes.append(changed)
    draft.result = changed
    return draft


def _say(draft: Draft, of: Dispute, kind: DisputeStepKind, actor: int, said: Statement, **more: Any) -> DisputeStep:
    """A step with what was said at it."""
    resolve.reason(said.text)
    if len(said.references) > REFERENCES_MAX or any(not 0 < len(one.strip()) <= KEY_MAX for one in said.references):
        raise InvalidInput(references=f"at most {REFERENCES_MAX} of 1 to {KEY_MAX} characters")
    if any(secret in text for secret in _SECRETS for text in (said.text, *said.references)):
        raise InvalidInput(evidence="it holds a secret")
    made = DisputeStep(id=draft.new_id(), of=of.id, kind=kind, credential=actor, **more)
    draft.dispute_steps.append(made)
    draft.memos.append((made.id, memo_of(said)))
    return made
