"""Appended: the rows that drafts of the rarer kinds add to tables which are only added to; a function for each noun.

What nearly every draft has (customers, movements, legs, lots, outcomes) is gathered by the batch itself
(``hub.ledger.store``), and what may change again in ``hub.ledger.standing``.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import msgspec

from hub.defaults import DefaultStatus
from hub.ledger import break_rows
from hub.ledger.draft import Draft
from hub.ledger.journal import Row

NamedRow: TypeAlias = tuple[str, Row]  # of which write (``hub.ledger.writes``) it is, and the row


def appended(draft: Draft) -> Iterator[NamedRow]:
    """The rows of a draft that is not plain, each with the name of its write."""
    for rows in _ROWS:
        yield from rows(draft)


def _bindings(draft: Draft) -> Iterator[NamedRow]:
    for new in draft.identifiers:
        yield "identifier", (new.id, new.institution, new.text)
    for bound in draft.bindings:
        of, step, ends = bound.identifier, bound.ended or bound.made, bound.id if bound.ended else None
        who = (step.credential, step.for_institution)
        yield "binding", (step.id, *who, of.institution, of.id, bound.customer.id, ends)


def _links(draft: Draft) -> Iterator[NamedRow]:
    for link in draft.links:
        status, step = link.changes[-1]
        sides = (link.a.id, link.a.institution, link.b.id, link.b.institution)
        yield "customer_link", (step.id, link.id, status.value, step.credential, step.for_institution, *sides)


def _profiles(draft: Draft) -> Iterator[NamedRow]:
    for profile in draft.profiles:
        groups = msgspec.json.encode(profile.groups).decode()
        yield "customer_profile", (profile.id, profile.customer, profile.type, groups, profile.credential)


def _pools(draft: Draft) -> Iterator[NamedRow]:
    for pool in draft.pools:
        yield "pool", (pool.id, pool.kind.value, pool.owner.id, pool.credential)
    for one in draft.memberships:
        rights = None if one.rights is None else msgspec.json.encode(one.rights).decode()
        yield "pool_member", (one.id, one.pool, one.member, rights, one.credential)
    if draft.spender is not None:
        yield "pool_use", (draft.movements[0].id, draft.spender.id)


def _restrictions(draft: Draft) -> Iterator[NamedRow]:
    for made in draft.restrictions:
        who = (made.id, int(made.kind), made.credential, made.for_institution)
        yield "restriction", (*who, made.customer.id, made.currency)
    for one in draft.missing:
        yield "missing", (one.movement, one.debt, one.written_off)
    for done in draft.cancellations:
        who = (done.id, done.last, done.credential, done.for_institution)
        yield "cancellation", (*who, done.currency, done.issues, done.amount, done.debt, done.written_off)


def _orders(draft: Draft) -> Iterator[NamedRow]:
    for order in draft.orders:
        what = (order.operation.value, order.currency, order.customer, order.amount)
        yield "partner_order", (order.id, order.reference, order.exchange, *what, order.of, order.partner_of)
        yield "partner_call", (order.reference, order.currency, order.at, 0)
    asked = {exchange.id: exchange.order for exchange in draft.exchanges}
    for step in draft.exchange_steps:
        reached = (step.id, step.exchange, step.state.value, step.in_doubt, step.credential, step.order)
        why = (step.status and step.status.value, step.reason and step.reason.value, step.code)
        yield "exchange_step", (*reached, *why, step.partner_reference)
        now = asked[step.exchange]
        if step.order is not None and (now is None or now.reference != step.order):
            yield "partner_call end", (step.order,)
    for said in draft.evidence:
        about = (said.id, said.exchange, said.order, said.kind.value, said.done, said.credential)
        yield "exchange_evidence", about


def _relocations(draft: Draft) -> Iterator[NamedRow]:
    for step in draft.relocation_steps:
        of = step.relocation
        figures = (of.round, of.customers, of.ours, of.theirs, of.differing, of.digest)
        yield "relocation_step", (step.id, of.id, step.act.value, step.credential, *figures)
    for one in draft.opening:
        lots = msgspec.json.encode(one.lots).decode() if one.lots else None
        yield "opening_balance", (one.id, one.relocation, one.round, one.customer, one.ours, one.theirs, lots)


def _breaks(draft: Draft) -> Iterator[NamedRow]:
    for run in draft.runs:
        yield "reconciliation", (run.id, run.credential, run.currency, run.day, break_rows.document_of(run))
    for step in draft.break_steps:
        figures = None if step.figures is None else msgspec.json.encode(step.figures).decode()
        what = (step.run, figures, step.owner, step.ending and step.ending.value, step.adjusted, step.movement)
        yield "break_step", (step.id, step.of, step.kind.value, step.credential, *what)


def _labels(draft: Draft) -> Iterator[NamedRow]:
    for label in draft.labels:
        yield "act_label", (label.act, label.channel, label.product)
    for clipped in draft.clippings:
        yield "clipping", (clipped.movement, clipped.version, clipped.requested)


def _fee_shares(draft: Draft) -> Iterator[NamedRow]:
    for one in sorted(draft.fee_shares, key=lambda one: (one.movement, one.place)):
        yield "fee_share", (one.movement, one.place, one.plan, one.institution, one.amount, one.n)


def _disputes(draft: Draft) -> Iterator[NamedRow]:
    for made in draft.acceptances:
        signed = (made.digest, made.kid, made.jws)
        yield "acceptance", (made.id, made.credential, made.window, made.institution, *signed)
    for step in draft.dispute_steps:
        what = (step.outcome and step.outcome.value, step.amount, step.movement)
        yield "dispute_step", (step.id, step.of, step.kind.value, step.credential, *what)


def _baskets(draft: Draft) -> Iterator[NamedRow]:
    for basket in draft.baskets:
        asked = (basket.id, basket.last, basket.credential, basket.for_institution)
        yield "basket", (*asked, basket.customer.id, basket.merchant, basket.money, basket.amount, basket.rest)


def _invoices(draft: Draft) -> Iterator[NamedRow]:
    for billed in draft.billings:
        when = (billed.period, billed.zone, billed.starts, billed.ends)
        yield "billing", (billed.id, billed.credential, *when)
    for made in draft.invoices:
        sums = (made.totals.net, made.totals.vat, made.totals.gross)
        whose = (made.billing, made.of, made.institution, made.schedule, made.money)
        yield "invoice", (made.id, made.number, *whose, *sums)
        for n, line in enumerate(made.lines):
            what = (line.item.value, line.currency, line.quantity, line.price, line.amount)
            yield "invoice_line", (made.id, n, *what)


def _cover(draft: Draft) -> Iterator[NamedRow]:
    for entry in draft.cover_entries:
        if entry.decision is None:
            what = (entry.pot.value, entry.currency, entry.amount, entry.value_date, entry.reference)
            yield "cover_entry", (entry.id, entry.credential, entry.institution, *what)
        else:
            decided = (entry.decision, entry.id, entry.status.value, entry.decided_by, entry.movement)
            yield "cover_decision", decided


def _defaults(draft: Draft) -> Iterator[NamedRow]:
    for default in draft.defaults:
        if default.status is DefaultStatus.PROPOSED:
            whose = (default.id, default.credential, default.window, default.institution)
            yield "settlement_default", (*whose, default.currency, default.amount)
    for step in draft.default_steps:
        done = (step.amount, step.value_date, step.reference, step.movement)
        yield "default_step", (step.id, step.of, step.kind.value, step.credential, *done)


def _settlement(draft: Draft) -> Iterator[NamedRow]:
    for net in draft.nets:
        yield "window_net", (net.window, net.institution, net.currency, net.debits, net.credits, net.net)
    for one in draft.net_exchanges:
        exchanged = (one.currency, one.net, one.rate, one.into, one.value)
        yield "net_exchange", (one.movement, one.window, one.institution, *exchanged)
    for owed in draft.obligations:
        yield "obligation", (owed.id, owed.window, owed.debtor, owed.creditor, owed.currency, owed.amount)
    for made in draft.internals.values():
        yield "internal_account", (made.id, made.parent, made.institution)
    for paid in draft.confirmations:
        who = (paid.movement, paid.window, paid.institution, paid.currency)
        yield "confirmation", (*who, paid.amount, paid.value_date, paid.reference)
    for moved in draft.obligation_payments:
        yield "obligation_payment", (moved.movement, moved.obligation, moved.value_date, moved.reference)
    for file in draft.confirmation_files:
        yield "confirmation_file", (file.id, file.credential, file.digest, file.payments, file.last)


def _prepaid(draft: Draft) -> Iterator[NamedRow]:
    for step in draft.block_steps:
        yield "prepaid_step", (step.id, step.of, step.kind.value, step.credential, step.units, step.movement)
    for drawn in draft.draws:
        yield "prepaid_draw", (drawn.movement, drawn.place, drawn.block, drawn.units)
    for told in draft.prepaid_notices:
        whose = (told.id, told.credential, told.holder, told.currency)
        yield "prepaid_notice", (*whose, told.threshold, told.low, told.left, told.movement)


def _bank_statements(draft: Draft) -> Iterator[NamedRow]:
    for file in draft.bank_files:
        yield "bank_file", (file.id, file.credential, file.digest, file.balances)
    for balance in draft.bank_balances:
        what = (balance.number, balance.currency, balance.day.isoformat(), balance.amount, balance.statement)
        yield "bank_balance", (balance.id, balance.file, *what)


_ROWS: Final[tuple[Callable[[Draft], Iterator[NamedRow]], ...]] = (
    _bindings,
    _links,
    _profiles,
    _pools,
    _restrictions,
    _orders,
    _relocations,
    _breaks,
    _labels,
    _fee_shares,
    _disputes,
    _baskets,
    _invoices,
    _cover,
    _defaults,
    _settlement,
    _prepaid,
    _bank_statements,
)
