"""Standing: the rows of nouns that change after they are made. Each is written once, as it is at its batch's end: whole
in the batch that makes it, and later with what can change.
"""

from collections.abc import Iterator
from functools import singledispatch
from typing import TypeAlias

import msgspec

from hub.acceptance.disputes import Dispute
from hub.ids import batch_of
from hub.ledger.appended import NamedRow
from hub.ledger.draft import Draft
from hub.ledger.journal import Row
from hub.ledger.opening import Relocation
from hub.ledger.orders import Exchange
from hub.ledger.records import Clearing, Hold, Quote, Window
from hub.ledger.rows import figures_columns
from hub.prepaid import Block
from hub.reconciliation.breaks import Break

Standing: TypeAlias = Hold | Clearing | Relocation | Quote | Exchange | Break | Dispute | Window | Block


def standing(draft: Draft) -> Iterator[Standing]:
    """The nouns that a draft makes or changes, as they are after it."""
    yield from draft.holds
    yield from draft.clearings
    yield from draft.relocations
    yield from draft.quotes
    yield from draft.exchanges
    yield from draft.breaks
    yield from draft.disputes
    yield from draft.windows
    yield from draft.blocks.values()


@singledispatch
def row_of(noun: object, batch: int) -> NamedRow:
    """The row of a noun as it is at the end of a batch, with the name of its write."""
    raise TypeError(f"no row for {type(noun).__name__} in {batch}")


@row_of.register
def _(held: Hold, batch: int) -> NamedRow:
    now = (held.status.value, held.captured, held.resolved_by)
    if batch_of(held.id) != batch:
        return "hold end", (held.id, *now)
    by = (held.id, int(held.kind), held.credential, held.for_institution, held.customer.id)
    return "hold", (*by, held.currency, held.amount, held.shortfall, held.expires_at, *now)


@row_of.register
def _(run: Clearing, batch: int) -> NamedRow:
    now = (run.status.value, run.reached, run.accounts, run.cleared, run.pinned, run.ageless, run.ended_at)
    if batch_of(run.id) != batch:
        return "clearing progress", (run.id, *now)
    ordered = (run.id, run.credential, run.for_institution, run.currency, run.scope.value)
    return "clearing", (*ordered, run.earned_before, run.starts_at, run.reason, *now)


@row_of.register
def _(moving: Relocation, batch: int) -> NamedRow:
    counts = (moving.customers, moving.ours, moving.theirs, moving.differing, moving.more, moving.less)
    ends = (moving.digest, moving.accepted_by, moving.accepted, moving.moved, moving.ended_at)
    now = (moving.status.value, moving.approved_by, moving.round, moving.reached, *counts, *ends)
    if batch_of(moving.id) != batch:
        return "relocation progress", (moving.id, *now)
    asked = (moving.id, moving.credential, moving.for_institution, moving.currency, moving.leaves)
    return "relocation", (*asked, moving.adapter, moving.connection, moving.starts_at, moving.reason, *now)


@row_of.register
def _(offer: Quote, batch: int) -> NamedRow:
    if batch_of(offer.id) != batch:
        return "quote use", (offer.id, offer.used_by, offer.cancelled)
    origin = (offer.id, offer.credential, offer.for_institution, offer.rate, offer.source.id, offer.target.id)
    return "quote", (*origin, *figures_columns(offer.figures), offer.expires_at, offer.used_by, offer.cancelled)


@row_of.register
def _(exchange: Exchange, batch: int) -> NamedRow:
    order = None if exchange.order is None else exchange.order.reference
    taken = (exchange.in_doubt, exchange.taken, exchange.partner_taken, exchange.window)
    details = None if exchange.details is None else msgspec.json.encode(exchange.details).decode()
    now: Row = (exchange.state.value, order, *taken, exchange.refusal, details)
    return "exchange", (exchange.id, *now, batch)


@row_of.register
def _(one: Break, batch: int) -> NamedRow:
    figures = msgspec.json.encode(one.figures).decode()
    now = (one.figures.type.value, figures, one.status.value, one.owner, one.proposal)
    if batch_of(one.id) != batch:
        return "break standing", (one.id, *now)
    return "reconciliation_break", (one.id, one.run, one.currency, one.day, one.scale, one.reference, *now)


@row_of.register
def _(disputed: Dispute, batch: int) -> NamedRow:
    outcome = disputed.outcome and disputed.outcome.value
    now = (disputed.status.value, outcome, disputed.proposal, disputed.corrected)
    if batch_of(disputed.id) != batch:
        return "dispute standing", (disputed.id, *now)
    line = disputed.line
    between = (line.window, line.movement, line.leg, line.payer, line.payee)
    said = (line.currency, line.amount, int(line.purpose), disputed.reason.value, disputed.expected)
    return "dispute", (disputed.id, disputed.credential, disputed.institution, *between, *said, *now)


@row_of.register
def _(window: Window, batch: int) -> NamedRow:
    times = (window.closed_at, window.settled_at, window.closed_in, window.due_at)
    if batch_of(window.id) != batch:
        return "window status", (window.id, window.status.value, *times, batch)
    opened = (window.id, window.model, window.number, window.opened_at)
    rest = (*times, window.levels, window.together, window.ordinal)
    return "settlement_window", (*opened, window.status.value, batch, *rest)


@row_of.register
def _(block: Block, batch: int) -> NamedRow:
    now = (block.status.value, block.sold, block.drawn, block.refunded, block.proposal)
    if batch_of(block.id) != batch:
        return "block standing", (block.id, *now)
    what = (block.currency, block.units, block.money, block.value, block.until)
    return "prepaid_block", (block.id, block.credential, block.holder, *what, *now)
