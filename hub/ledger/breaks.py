"""Breaks: what a run of reconciliation found, kept; and how persons end it. Pure.

A run of a day knows the breaks that earlier runs of that day left. What persons have ended stays ended, unless the
difference has become another one; what is not found any more has matched later; all else keeps its age and its owner.

Breaks end by two persons of the operator's. An end that posts makes the hub's ledger say what the partner's books say:
``partner:C`` changes by the difference, against ``issuance:C`` for a correction and against ``breakage:C`` for a
write-off, which is the issuer's loss or gain. Of an order that is under way nothing is posted here: to correct it is to
decide by evidence what became of it, as ``hub.ledger.exchanges`` does.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.access import Right
from hub.errors import InvalidInput, NotFound
from hub.ledger import commands, exchanges, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.orders import Exchange, exchange_of
from hub.ledger.records import AccountKind, Movement, MovementKind
from hub.partners import Status
from hub.reconciliation.breaks import (
    BREAKS_MAX,
    ENDED_AS,
    Break,
    BreakStatus,
    BreakStep,
    Ending,
    Found,
    Run,
    Source,
    StepKind,
)

# --- runs -------------------------------------------------------------------------------------------------------------


def reconcile(book: Book, command: commands.Reconcile) -> Draft:
    """Keep what a run has found. Asked for by the hub itself. If another run of the day was kept since this one began,
    nothing is done, and that one is answered.

    Raises:
        UnknownCurrency: no currency has this code.
        InvalidInput: it has more breaks than a day can have, or lacks a side that an earlier run compared, so that what
            that one found would vanish unseen.
    """
    resolve.operating(book, command.actor)
    of = resolve.currency(book, command.currency)
    if len(command.found) > BREAKS_MAX:
        raise InvalidInput(breaks=len(command.found), maximum=BREAKS_MAX)
    draft = Draft(book)
    last = book.runs.get((of.code, command.day))
    if (None if last is None else last.id) != command.after:
        draft.result = last
        return draft
    sources = {side.source for side in command.sides}
    if last is not None and (lacking := sorted(last.sources - sources)):
        raise InvalidInput(lacking=", ".join(lacking), day=command.day)
    known = {one.reference: one for one in book.breaks.values() if (one.currency, one.day) == (of.code, command.day)}
    run = Run(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        currency=of.code,
        day=command.day,
        scale=command.scale,
        sides=command.sides,
        matched=command.matched,
        opened=0,
        unchanged=0,
        settled=0,
        vanished=0,
    )
    counts = {"opened": 0, "unchanged": 0, "settled": 0}
    for found in command.found:
        counts[_take(draft, run, known.get(found.reference), found)] += 1
    vanished = _vanish(draft, run, known, {found.reference for found in command.found})
    kept = msgspec.structs.replace(run, vanished=vanished, **counts)
    draft.runs.append(kept)
    draft.result = kept
    return draft


def _take(draft: Draft, run: Run, known: Break | None, found: Found) -> str:
    """Take in one break that was found; answers as what it counts."""
    if known is None:
        made = Break(
            id=draft.new_id(),
            at=run.at,
            run=run.id,
            currency=run.currency,
            day=run.day,
            scale=run.scale,
            reference=found.reference,
            figures=found.figures,
        )
        draft.breaks.append(made)
        _step(draft, made, StepKind.FOUND, run.credential, run=run.id, figures=found.figures)
        if found.members:
            draft.memos.append((made.id, found.members))
        return "opened"
    if known.is_open:
        if found.figures != known.figures:
            _change(draft, run, known, found)
        return "unchanged"
    same = (found.figures.type, found.figures.difference) == (known.figures.type, known.figures.difference)
    if same and known.status is not BreakStatus.MATCHED_LATER:
        return "settled"
    _change(draft, run, known, found)
    return "opened"


def _change(draft: Draft, run: Run, known: Break, found: Found) -> None:
    """Show a break with other figures, or again. What was proposed on the old ones is proposed no more."""
    changed = msgspec.structs.replace(known, figures=found.figures, status=BreakStatus.OPEN, proposal=None)
    draft.breaks.append(changed)
    _step(draft, changed, StepKind.CHANGED, run.credential, run=run.id, figures=found.figures)


def _vanish(draft: Draft, run: Run, known: Mapping[str, Break], found: set[str]) -> int:
    gone = [one for reference, one in known.items() if one.is_open and reference not in found]
    for one in gone:
        draft.breaks.append(msgspec.structs.replace(one, status=BreakStatus.MATCHED_LATER, proposal=None))
        _step(draft, one, StepKind.MATCHED, run.credential, run=run.id)
    return len(gone)


# --- what persons do --------------------------------------------------------------------------------------------------


def assign(book: Book, command: commands.AssignBreak) -> Draft:
    """Give an open break an owner, one of the operator's persons, or none. By the operator.

    Raises:
        NotFound: there is no such break, or no such person with a live key.
        InvalidInput: it has ended.
    """
    found = _operated(book, command.actor, command.id)
    _check_open(found)
    owner = None
    if command.owner is not None:
        owner = next(
            (
                one.id
                for one in book.configuration.credentials.values()
                if one.person == command.owner and one.sees_all and one.secret_hash and one.is_live(book.at)
            ),
            None,
        )
        if owner is None:
            raise NotFound(person=command.owner)
    draft = Draft(book)
    changed = msgspec.structs.replace(found, owner=owner)
    draft.breaks.append(changed)
    _step(draft, changed, StepKind.ASSIGNED, command.actor, owner=owner)
    draft.result = changed
    return draft


def note(book: Book, command: commands.NoteBreak) -> Draft:
    """Put a comment or a piece of evidence into a break's file. By the operator, or an administrator of the currency's
    issuer.

    Raises:
        NotFound: there is no such break for the caller.
        InvalidInput: the text is blank.
    """
    asking = resolve.credential(book, command.actor)
    found = book.breaks.get(command.id or 0)
    issuer = 0 if found is None else resolve.currency(book, found.currency).issuer
    if found is None or not resolve.sees(book, asking, issuer):
        raise NotFound
    resolve.allow(book, command.actor, Right.CONFIGURE, issuer)
    resolve.reason(command.text)
    draft = Draft(book)
    said = _step(draft, found, StepKind.NOTED, command.actor)
    draft.memos.append((said.id, command.text))
    draft.result = found
    return draft


def propose_end(book: Book, command: commands.ProposeBreakEnd) -> Draft:
    """Propose how an open break is to end, instead of what was proposed before. By the operator.

    Raises:
        NotFound: there is no such break.
        InvalidInput: the text is blank, the break has ended, or it cannot end so (``_check_end``).
    """
    found = _operated(book, command.actor, command.id)
    resolve.reason(command.text)
    _check_open(found)
    _check_end(book, found, command.ending)
    draft = Draft(book)
    said = _step(draft, found, StepKind.PROPOSED, command.actor, ending=command.ending)
    draft.memos.append((said.id, command.text))
    exchange = _under_way(book, found)
    if exchange is not None and command.ending is Ending.CORRECTION:
        exchanges.propose(draft, exchange, command.actor, done=_done(found), text=command.text)
    changed = msgspec.structs.replace(found, status=BreakStatus.PROPOSED, proposal=said.id)
    draft.breaks.append(changed)
    draft.result = changed
    return draft


def approve_end(book: Book, command: commands.ApproveBreakEnd) -> Draft:
    """End a break as it was proposed, and post what follows. By another person of the operator's.

    Raises:
        NotFound: there is no such break, or this is not the proposal that stands.
        SameApprover: the same person proposed it.
        InvalidInput: it cannot end so any more (``_check_end``).
    """
    found = _operated(book, command.actor, command.id)
    said = book.break_proposals.get(found.id)
    if said is None or said.ending is None or said.id != command.proposal or found.proposal != said.id:
        raise NotFound
    resolve.second_person(book, command.actor, said.credential)
    _check_end(book, found, said.ending)
    draft = Draft(book)
    exchange = _under_way(book, found)
    adjusted: int | None = None
    if exchange is not None and said.ending is Ending.CORRECTION:
        exchanges.approve(draft, exchange, command.actor, done=_done(found))
    elif said.ending is not Ending.ACCEPT:
        adjusted = found.figures.difference
    step = draft.new_id()
    movement = None if adjusted is None else _adjust(draft, found, said.ending, adjusted, command.actor)
    draft.break_steps.append(
        BreakStep(
            id=step,
            of=found.id,
            kind=StepKind.APPROVED,
            credential=command.actor,
            ending=said.ending,
            adjusted=adjusted,
            movement=movement,
        )
    )
    changed = msgspec.structs.replace(found, status=ENDED_AS[said.ending], proposal=None)
    draft.breaks.append(changed)
    draft.result = changed
    return draft


def _adjust(draft: Draft, found: Break, ending: Ending, difference: int, actor: int) -> int:
    """Make ``partner:C`` what the partner says: issuance:C or breakage:C → partner:C if it has given more or taken less
    than the hub knew, and the other way round."""
    of = resolve.currency(draft.book, found.currency)
    made = Movement(
        id=draft.new_id(),
        kind=MovementKind.ADJUST,
        at=draft.book.at,
        credential=actor,
        for_institution=of.issuer,
        currency=of.code,
        amount=abs(difference),
        subject=found.id,
    )
    draft.movements.append(made)
    partner = draft.account(AccountKind.PARTNER, of.issuer, of.code)
    other = draft.account(_against(ending), of.issuer, of.code)
    debit, credit = (other, partner) if difference > 0 else (partner, other)
    draft.points(made.id, debit, credit, abs(difference))
    return made.id


def _against(ending: Ending) -> AccountKind:
    return AccountKind.BREAKAGE if ending is Ending.WRITE_OFF else AccountKind.ISSUANCE


def _operated(book: Book, actor: int, id: int | None) -> Break:
    resolve.operating(book, actor)
    found = book.breaks.get(id or 0)
    if found is None:
        raise NotFound
    return found


def _check_open(found: Break) -> None:
    if not found.is_open:
        raise InvalidInput(status=found.status.value)


def _check_end(book: Book, found: Break, ending: Ending) -> None:
    """Pass if a break can end so: whatever it is may be accepted. An order that is under way is only corrected, and
    only if it is in doubt and the partner's sides say with one voice what became of it; of anything else there has to
    be a difference, and one that is clear."""
    if ending is Ending.ACCEPT:
        return
    exchange = _under_way(book, found)
    if exchange is None:
        if not found.figures.difference:
            told = "unclear" if found.figures.difference is None else "0"
            raise InvalidInput(ending=ending.value, difference=told)
        return
    if ending is Ending.WRITE_OFF or not exchange.in_doubt:
        raise InvalidInput(ending=ending.value, state=exchange.state.value, inDoubt=exchange.in_doubt)
    exchanges.check_outcome(exchange, done=_done(found))


def _under_way(book: Book, found: Break) -> Exchange | None:
    """The exchange whose order under way has the break's reference."""
    exchange = book.exchanges.get(exchange_of(found.reference) or 0)
    is_asked = exchange is not None and exchange.order is not None and exchange.order.reference == found.reference
    return exchange if is_asked else None


def _done(found: Break) -> bool:
    """Whether the partner did what was asked, by all of its sides that speak of it.

    Raises:
        InvalidInput: they disagree, or say neither.
    """
    told = {side.status for side in found.figures.sides if side.source is not Source.HUB and side.rows}
    if told not in ({Status.SUCCEEDED}, {Status.REFUSED}):
        raise InvalidInput(status=", ".join(sorted(one.value for one in told if one is not None)) or "none")
    return told == {Status.SUCCEEDED}


def _step(draft: Draft, of: Break, kind: StepKind, credential: int, **more: Any) -> BreakStep:
    made = BreakStep(id=draft.new_id(), of=of.id, kind=kind, credential=credential, **more)
    draft.break_steps.append(made)
    return made
