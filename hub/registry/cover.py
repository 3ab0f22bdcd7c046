"""Configuring the terms of cover: set by the operator, and eased by two persons of its. Pure.

What asks for more cover works at once, because it must not wait for a second person; what asks for less is a proposal
until another person approves it, as with caps.
"""

from dataclasses import replace

from hub.cover import WHOLE, Cover, CoverProposal, CoverTerms, eases
from hub.errors import InvalidAmount, InvalidInput, NotFound
from hub.institutions import Institution, pays_through
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.points import MONEY_SCALE, parse
from hub.registry import checks
from hub.registry.caps import CAP_MAX

_PERCENT_SCALE = 4  # digits of a haircut: a millionth is the least
_DUE_DAYS_MAX = 60


def set_cover(book: Book, command: commands.SetCover) -> Draft:
    """The terms on which somebody who settles with the hub owes in one currency. They may ask for more than there is
    now: then nothing that worsens the exposure passes. Either takes the place of what was proposed before. By the
    operator.

    Raises:
        InvalidAmount: an amount or the haircut is malformed, negative or too large.
        InvalidInput: somebody above it settles with the hub for it; or days that are not sensible.
        UnknownCurrency: the currency is not in ISO 4217.
    """
    asking = resolve.operating(book, command.actor)
    node = settling(book, command.institution)
    resolve.money(command.currency)
    if not 0 <= command.due_days <= _DUE_DAYS_MAX:
        raise InvalidInput(dueDays=command.due_days)
    haircut = parse(command.haircut_percent, _PERCENT_SCALE)
    if not 0 <= haircut <= WHOLE:
        raise InvalidAmount(amount=command.haircut_percent)
    terms = CoverTerms(command.needed, _amount(command.line), haircut, _amount(command.fund), command.due_days)
    draft = Draft(book)
    known = book.configuration.covers.get((node.id, command.currency))
    cover = known or Cover(draft.new_id(), node.id, command.currency)
    if eases(cover.terms, terms):
        proposal = CoverProposal(draft.new_id(), terms, asking.person, asking.institution, book.at)
        return _take(draft, replace(cover, set_by=cover.set_by or asking.person, proposal=proposal, rejected=None))
    return _take(draft, replace(cover, terms=terms, set_by=asking.person, proposal=None, rejected=None))


def approve(book: Book, command: commands.ApproveCover) -> Draft:
    """Let proposed terms take effect, by another person than who proposed them.

    Raises:
        NotFound: there is no such proposal.
        SameApprover: the caller proposed it.
    """
    asking = resolve.operating(book, command.actor)
    cover, proposal = _proposed(book, command.id)
    resolve.another_person(asking, proposal.person)
    return _take(Draft(book), replace(cover, terms=proposal.terms, set_by=asking.person, proposal=None))


def reject(book: Book, command: commands.RejectCover) -> Draft:
    """End a proposal, also one's own; the terms stay as they are.

    Raises:
        NotFound: there is no such proposal.
    """
    resolve.operating(book, command.actor)
    cover, _ = _proposed(book, command.id)
    checks.name("reason", command.reason)
    return _take(Draft(book), replace(cover, proposal=None, rejected=command.reason))


def settling(book: Book, code: str) -> Institution:
    """An institution that settles with the hub by itself: what is below it is covered with it.

    Raises:
        NotFound: there is no such institution.
        InvalidInput: its nets go to somebody above it.
    """
    node, nodes = resolve.institution(book, code), book.configuration.institutions
    through = pays_through(nodes, node.id, book.open_window.ordinal)
    if through is not None:
        raise InvalidInput(institution=node.code, paysThrough=nodes[through].code)
    return node


def _amount(text: str) -> int:
    amount = parse(text, MONEY_SCALE)
    if not 0 <= amount <= CAP_MAX:
        raise InvalidAmount(amount=text)
    return amount


def _proposed(book: Book, id: int | None) -> tuple[Cover, CoverProposal]:
    for cover in book.configuration.covers.values():
        if cover.proposal is not None and cover.proposal.id == id:
            return cover, cover.proposal
    raise NotFound


def _take(draft: Draft, cover: Cover) -> Draft:
    draft.nouns.append(cover)
    draft.result = (cover.institution, cover.currency)
    return draft
