"""Granting: points that another institution than their issuer gives, and pays for. Pure."""

import msgspec

from hub.access import Right
from hub.currencies import PointCurrency
from hub.errors import InvalidAmount, InvalidInput, NotAccepted
from hub.grant_terms import GrantTerms, cost
from hub.ledger import commands, prepaid, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Movement, Purpose
from hub.points import AMOUNT_MAX, render
from hub.terms import nearest


def allow(book: Book, command: commands.Issue, of: PointCurrency, code: str) -> tuple[int, GrantTerms | None]:
    """The institution that issues, if it may: the one that is named as grantor, by the terms in force. The issuer needs
    none.

    Raises:
        NotAccepted: there are no terms.
        InvalidInput: a record is named, by which issues are cancelled that cost nothing.
        Forbidden: the caller does not act for the grantor.
    """
    grantor = resolve.institution(book, code)
    acting = resolve.allow(book, command.actor, Right.TRADE, grantor.id, exact=True)
    if acting == of.issuer:
        return acting, None
    resolve.active(book, grantor.id)
    by_node = book.configuration.grants.get(of.id, {})
    terms = nearest(by_node, book.configuration.institutions, acting, book.at)
    if terms is None:
        raise NotAccepted(currency=of.code, grantor=grantor.code)
    if command.record is not None:
        raise InvalidInput(record=command.record[:60])
    return acting, terms


def priced(draft: Draft, movement: Movement, terms: GrantTerms, of: PointCurrency) -> Movement:
    """The issue with what its grantor pays: what is not drawn on prepaid blocks, which are only of points that the hub
    keeps.

    Raises:
        InsufficientPrepaid: the blocks do not reach, and the terms let nothing be granted beyond them.
        InvalidAmount: it is more money than the ledger carries.
    """
    drawn = prepaid.draw_for(draft, movement, terms, of)
    value = cost(terms, movement.amount - drawn, of.scale)
    if value > AMOUNT_MAX * 1000:
        raise InvalidAmount(amount=render(movement.amount, of.scale))
    return msgspec.structs.replace(movement, money=terms.money, value=value, fee=0, terms=terms.id)


def pay(draft: Draft, movement: Movement, of: PointCurrency) -> None:
    """The grantor's position → the issuer's.

    Raises:
        LimitExceeded: a cap is in the way.
    """
    if movement.money is not None:
        payer, value = movement.for_institution, movement.value or 0
        draft.money(movement.id, payer, of.issuer, movement.money, value, Purpose.SETTLEMENT)
        resolve.within_caps(draft, movement.credential)
