"""Nodes: finding whatever has an identifier, as far as it exists for the caller."""

from collections.abc import Awaitable, Callable
from typing import Final

import strawberry

from hub import ids, lookups
from hub.ledger.records import ACCEPTED, MovementKind
from schema.act_limits import limit_by_id
from schema.baskets import basket_by_id
from schema.bindings import binding_by_id
from schema.cancellations import cancellation_by_id
from schema.clearings import cleared_by_id, clearing_by_id
from schema.context import Context, Info
from schema.conversions import conversion_by_id
from schema.customers import to_customer
from schema.directory import to_credential, to_currency, to_institution
from schema.disputes import dispute_by_id
from schema.fee_schedules import fee_schedule_by_id
from schema.fields import field
from schema.freezes import freeze_by_id
from schema.fx import fx_rate_by_id
from schema.holds import hold_by_id
from schema.inputs import Id
from schema.invoices import invoice_by_id
from schema.links import link_by_id
from schema.models import model_by_id
from schema.movements import movement_by_id
from schema.node import Node
from schema.pools import contribution_by_id, pool_by_id
from schema.prepaid import block_by_id
from schema.proposals import is_visible
from schema.quotes import quote_by_id
from schema.rates import to_rate
from schema.reconciliations import break_by_id, reconciliation_by_id
from schema.relocations import relocation_by_id
from schema.reports import parse_report_id, report_of
from schema.restrictions import restriction_by_id
from schema.reversals import to_act
from schema.shares import share_plan_by_id
from schema.terms import terms_by_id
from schema.webhooks import delivery_by_id, webhook_by_id
from schema.windows import to_window, window_by_id


@strawberry.type
class NodeQuery:
    @field("Whatever has this identifier; null if there is no such thing for the caller.")
    async def node(self, info: Info, id: Id) -> Node | None:
        context = info.context
        if (report := parse_report_id(id)) is not None:
            return await report_of(context, *report)
        parsed = ids.parse(id)
        find = None if parsed is None else FINDERS.get(parsed[0])
        if parsed is None or find is None:
            async with context.read():
                return None
        return await find(context, parsed[1])


async def _institution(context: Context, id: int) -> Node | None:
    async with context.read() as reader:
        found = reader.configuration.institutions.get(id)
    return None if found is None else to_institution(found)


async def _currency(context: Context, id: int) -> Node | None:
    async with context.read() as reader:
        found = reader.configuration.currencies.get(id)
    return None if found is None else to_currency(found)


async def _credential(context: Context, id: int) -> Node | None:
    """A key without a secret is the host's own, and is nobody's to see."""
    async with context.read() as reader:
        found = reader.configuration.credentials.get(id)
        if found is None or not found.secret_hash or not reader.sees(found.institution):
            return None
    return to_credential(found)


async def _rate(context: Context, id: int) -> Node | None:
    async with context.read() as reader:
        found = reader.configuration.rates.get(id)
        if found is None or not is_visible(reader.configuration, reader.viewer, found):
            return None
    return to_rate(reader.configuration, found)


async def _customer(context: Context, id: int) -> Node | None:
    async with context.read() as reader:
        found = (await lookups.customers(reader, {id})).get(id)
    return None if found is None else to_customer(found)


async def _window(context: Context, id: int) -> Node | None:
    found = await window_by_id(context, id)
    return None if found is None else to_window(found)


def _act(kind: MovementKind) -> Callable[[Context, int], Awaitable[Node | None]]:
    async def find(context: Context, id: int) -> Node | None:
        movement = await context.loaders.movements.load(id)
        if movement is None or kind not in (movement.kind, ACCEPTED.get(movement.kind)):
            return None
        if movement.kind is kind and movement.subject is not None:  # is it the end of what was accepted before?
            named = await context.loaders.movements.load(movement.subject)
            if named is not None and ACCEPTED.get(named.kind) is kind:
                return None
        return to_act(context.configuration, movement)

    return find


FINDERS: Final[dict[str, Callable[[Context, int], Awaitable[Node | None]]]] = {
    ids.INSTITUTION: _institution,
    ids.CREDENTIAL: _credential,
    ids.CURRENCY: _currency,
    ids.RATE: _rate,
    **dict.fromkeys((ids.ACCEPTANCE_TERMS, ids.GRANT_TERMS, ids.UNIT_VALUE), terms_by_id),
    ids.LIMIT: limit_by_id,
    ids.CUSTOMER: _customer,
    ids.BINDING: binding_by_id,
    ids.LINK: link_by_id,
    ids.QUOTE: quote_by_id,
    ids.CONVERSION: conversion_by_id,
    ids.ISSUE: _act(MovementKind.ISSUE),
    ids.TRANSFER: _act(MovementKind.TRANSFER),
    ids.REDEMPTION: _act(MovementKind.REDEEM),
    ids.REVERSAL: _act(MovementKind.REVERSE),
    ids.HOLD: hold_by_id,
    ids.CLEARING: clearing_by_id,
    ids.RELOCATION: relocation_by_id,
    ids.TAKEN: cleared_by_id,
    ids.FREEZE: freeze_by_id,
    ids.RESTRICTION: restriction_by_id,
    ids.WRITE_OFF: _act(MovementKind.WRITE_OFF),
    ids.BASKET: basket_by_id,
    ids.CANCELLATION: cancellation_by_id,
    ids.POOL: pool_by_id,
    ids.CONTRIBUTION: contribution_by_id,
    ids.ENTRY: movement_by_id,
    ids.WINDOW: _window,
    ids.MODEL: model_by_id,
    ids.FX_RATE: fx_rate_by_id,
    ids.RECONCILIATION: reconciliation_by_id,
    ids.BREAK: break_by_id,
    ids.DISPUTE: dispute_by_id,
    ids.PREPAID_BLOCK: block_by_id,
    ids.WEBHOOK: webhook_by_id,
    ids.EVENT: delivery_by_id,
    ids.SHARE_PLAN: share_plan_by_id,
    ids.FEE_SCHEDULE: fee_schedule_by_id,
    ids.INVOICE: invoice_by_id,
}
