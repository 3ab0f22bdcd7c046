"""Relocations: a currency's balances go from the hub to a partner who keeps them from then on, or come back. Pure.

    PROPOSED ─▶ APPROVED ─ halted ─▶ FIXED ─▶ COMPARED ─▶ MOVING ─▶ DONE        cancelled from any state before MOVING

The adapter's configuration is checked and sealed before it is proposed; another person, of the operator's, approves.
From its time on nothing new is begun with the currency, and what is under way ends (``halting``). Once nothing is, the
balances are fixed: that place in the journal is what both sides are held to. The partner's balance of each customer is
put on record beside the hub's, and only if none differs, or two persons accept the differences, are the points moved
(``relocating``).
"""

from dataclasses import replace

import msgspec

from hub.access import Right
from hub.currencies import HOSTED, PointCurrency, Relocating
from hub.errors import CurrencyMoving, Duplicate, InvalidInput, NotAccepted, NotFound
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.opening import ENDED, Relocation, RelocationAct, RelocationStatus, RelocationStep
from hub.points import parse, render
from hub.registry.currencies import sealed_connection
from hub.registry.limits import check_no_accounts

_S = RelocationStatus


def propose(book: Book, command: commands.ProposeRelocation) -> Draft:
    """A relocation to another keeper. By the issuer's administrator, or the operator.

    Raises:
        Duplicate: another one is on its way.
        InvalidInput: it goes nowhere else, between two partners without the hub, or into the past; the partner cannot
            count as finely, or limits bound what only the hub can count.
    """
    of = resolve.currency(book, command.currency)
    acting = resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    resolve.active(book, of.issuer)
    resolve.reason(command.reason)
    if of.relocation is not None:
        raise Duplicate(currency=of.code)
    if HOSTED not in (of.adapter, command.adapter) or of.adapter == command.adapter:
        raise InvalidInput(adapter=command.adapter[:60], now=of.adapter)
    sealed_connection(command.adapter, command.connection, of.scale)
    if command.adapter != HOSTED:
        check_no_accounts(book, of)
    starts = command.starts_at or book.at
    if starts < book.at:
        raise InvalidInput(at=starts.isoformat(), now=book.at.isoformat())
    draft = Draft(book)
    made = Relocation(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        leaves=of.adapter,
        adapter=command.adapter,
        connection="" if command.connection is None else msgspec.json.encode(command.connection).decode(),
        starts_at=starts,
        reason=command.reason,
    )
    draft.nouns.append(replace(of, relocation=Relocating(made.id)))
    return step(draft, made, RelocationAct.PROPOSE, command.actor)


def approve(book: Book, command: commands.ApproveRelocation) -> Draft:
    """Have a relocation go on: from its time on nothing new is begun with the currency. By another person, of the
    operator's.

    Raises:
        NotFound: there is no such relocation.
        InvalidInput: it is past that.
        SameApprover: the same person proposed it.
    """
    found = _operated(book, command.actor, command.id, _S.PROPOSED)
    resolve.second_person(book, command.actor, found.credential)
    draft, of = Draft(book), resolve.currency(book, found.currency)
    halts = max(found.starts_at, book.at)
    draft.nouns.append(replace(of, relocation=Relocating(found.id, halts)))
    approved = msgspec.structs.replace(found, status=_S.APPROVED, approved_by=command.actor)
    return step(draft, approved, RelocationAct.APPROVE, command.actor)


def cancel(book: Book, command: commands.CancelRelocation) -> Draft:
    """End a relocation whose completion has not begun; everything goes on where it was. By the issuer's administrator,
    or the operator.

    Raises:
        NotFound: there is no such relocation, or not for the caller.
        InvalidInput: its completion has begun, or it has ended.
    """
    found = book.relocations.get(command.id or 0)
    asking = resolve.credential(book, command.actor)
    if found is None or not resolve.sees(book, asking, resolve.currency(book, found.currency).issuer):
        raise NotFound
    of = resolve.currency(book, found.currency)
    resolve.allow(book, command.actor, Right.CONFIGURE, of.issuer)
    resolve.reason(command.reason)
    if found.status in ENDED or found.status is _S.MOVING:
        raise InvalidInput(status=found.status.value)
    draft = Draft(book)
    draft.nouns.append(replace(of, relocation=None))
    ended = msgspec.structs.replace(found, status=_S.CANCELLED, ended_at=book.at)
    step(draft, ended, RelocationAct.CANCEL, command.actor)
    draft.memos.append((draft.relocation_steps[0].id, command.reason))
    return draft


def fix(book: Book, command: commands.FixBalances) -> Draft:
    """Let no balance of the currency change any more. By the operator.

    Raises:
        NotFound: there is no such relocation.
        InvalidInput: it is not approved, or past that; or a limit was set that only the hub can count.
        CurrencyMoving: the currency is not halted yet, or with what is still under way (``waits``).
    """
    found = _operated(book, command.actor, command.id, _S.APPROVED)
    draft, of = Draft(book), resolve.currency(book, found.currency)
    moving = of.relocation
    # What is under way was counted when the batch began, so nothing may have been begun in it either.
    if moving is None or moving.halts_at is None or moving.halts_at >= book.at:
        raise CurrencyMoving(currency=of.code, startsAt=found.starts_at.isoformat())
    if not found.comes_home:
        check_no_accounts(book, of)
    _check_waits(book, of)
    draft.nouns.append(replace(of, relocation=replace(moving, fixed=True)))
    return step(draft, msgspec.structs.replace(found, status=_S.FIXED), RelocationAct.FIX, command.actor)


def accept(book: Book, command: commands.AcceptDifferences) -> Draft:
    """Accept what differs; it counts once two persons of the operator's have.

    Raises:
        NotFound: there is no such relocation.
        InvalidInput: nothing is compared, nothing differs, or other differences are named than there are.
        SameApprover: the same person has accepted them.
    """
    found = _operated(book, command.actor, command.id, _S.COMPARED)
    of = resolve.currency(book, found.currency)
    named = (command.differing, parse(command.more, of.scale), parse(command.less, of.scale))
    if found.comes_home or found.accepted or not found.differing or named != (found.differing, found.more, found.less):
        raise InvalidInput(
            differing=found.differing, more=render(found.more, of.scale), less=render(found.less, of.scale)
        )
    if found.accepted_by is None:
        changed = msgspec.structs.replace(found, accepted_by=command.actor)
    else:
        resolve.second_person(book, command.actor, found.accepted_by)
        changed = msgspec.structs.replace(found, accepted=True)
    return step(Draft(book), changed, RelocationAct.ACCEPT, command.actor)


def complete(book: Book, command: commands.CompleteRelocation) -> Draft:
    """Begin to move the points; there is no way back. By the operator.

    Raises:
        NotFound: there is no such relocation.
        InvalidInput: nothing is compared yet.
        NotAccepted: balances differ, and two persons have not accepted that.
        CurrencyMoving: with what came under way meanwhile, such as a freeze.
    """
    found = _operated(book, command.actor, command.id, _S.COMPARED)
    of = resolve.currency(book, found.currency)
    if found.differing and not found.comes_home and not found.accepted:
        raise NotAccepted(awaiting="OPERATOR", differing=found.differing)
    _check_waits(book, of)
    changed = msgspec.structs.replace(found, status=_S.MOVING, reached=0)
    return step(Draft(book), changed, RelocationAct.COMPLETE, command.actor)


def _operated(book: Book, actor: int, id: int | None, status: RelocationStatus) -> Relocation:
    resolve.operating(book, actor)
    found = book.relocations.get(id or 0)
    if found is None:
        raise NotFound
    if found.status is not status:
        raise InvalidInput(status=found.status.value)
    return found


def _check_waits(book: Book, of: PointCurrency) -> None:
    waits = {what: count for what, count in book.waits.get(of.code, {}).items() if count}
    if waits:
        told = ", ".join(f"{what} {count}" for what, count in sorted(waits.items()))
        raise CurrencyMoving(currency=of.code, waits=told)


def connection_of(run: Relocation) -> commands.Connection | None:
    """How the partner is reached that a currency is to go to; None: it is to go to the hub."""
    return msgspec.json.decode(run.connection, type=commands.Connection) if run.connection else None


def step(draft: Draft, changed: Relocation, act: RelocationAct | None, credential: int) -> Draft:
    """Have a relocation stand so from now on, and put on record what was done to it, if that is a whole step."""
    draft.relocations.append(changed)
    if act is not None:
        draft.relocation_steps.append(
            RelocationStep(id=draft.new_id(), act=act, relocation=changed, credential=credential)
        )
    draft.result = changed
    return draft
