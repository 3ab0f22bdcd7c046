"""Configuring caps on exposure: each is set by the level above, and what eases one needs two persons. Pure.

What tightens a cap works at once, because it must not wait for a second person; what raises or lifts one is a proposal
until another person of the level above, or of one above that, approves it. No cap is above that of a level above it,
which would be an empty promise; what all children together may owe is not bounded by their parent's cap, whose own
cap is held against every act all the same.
"""

from dataclasses import replace

from hub.access import Credential, Right
from hub.errors import InvalidAmount, LimitExceeded, NotFound
from hub.institutions import CapProposal, DebitCap, Institution, ancestry, is_below
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.money import format_millionths
from hub.points import MONEY_SCALE, parse
from hub.registry import checks

CAP_MAX = 10**18  # millionths


def set_cap(book: Book, command: commands.SetDebitCap) -> Draft:
    """The most an institution's subtree may owe in a currency; no amount: no cap. It may be below what is owed now:
    then nothing that worsens it passes. Tightened at once, and proposed otherwise; either takes the place of what was
    proposed before. By an administrator of the level above, or by the operator.

    Raises:
        LimitExceeded: it is above the cap of a level above.
        InvalidAmount: the amount is malformed, negative or too large.
        UnknownCurrency: the currency is not in ISO 4217.
    """
    node = resolve.institution(book, command.institution)
    asking = _level_above(book, command.actor, node)
    resolve.money(command.currency)
    amount = None if command.amount is None else parse(command.amount, MONEY_SCALE)
    if amount is not None and not 0 <= amount <= CAP_MAX:
        raise InvalidAmount(amount=command.amount)
    _check_above(book, node, command.currency, amount)
    draft = Draft(book)
    known = book.configuration.caps.get((node.id, command.currency))
    cap = known or DebitCap(draft.new_id(), node.id, command.currency, None)
    if eases(cap.amount, amount):
        proposal = CapProposal(draft.new_id(), amount, asking.person, asking.institution, book.at)
        return _take(draft, replace(cap, set_by=cap.set_by or asking.person, proposal=proposal, rejected=None))
    return _take(draft, replace(cap, amount=amount, set_by=asking.person, proposal=None, rejected=None))


def eases(before: int | None, after: int | None) -> bool:
    """Whether a cap allows more after a change than before it."""
    return before is not None and (after is None or after > before)


def approve(book: Book, command: commands.ApproveDebitCap) -> Draft:
    """Let a proposed cap take effect, by another person than who proposed it.

    Raises:
        NotFound: there is no such proposal.
        SameApprover: the caller proposed it, or somebody of the caller's name at another institution.
        LimitExceeded: it is above the cap that a level above has now.
    """
    cap, proposal, node = _proposed(book, command.actor, command.id)
    asking = _level_above(book, command.actor, node)
    resolve.another_person(asking, proposal.person)
    _check_above(book, node, cap.currency, proposal.amount)
    return _take(Draft(book), replace(cap, amount=proposal.amount, set_by=asking.person, proposal=None))


def reject(book: Book, command: commands.RejectDebitCap) -> Draft:
    """End a proposal, also one's own; the cap stays as it is.

    Raises:
        NotFound: there is no such proposal.
    """
    cap, _, node = _proposed(book, command.actor, command.id)
    _level_above(book, command.actor, node)
    checks.name("reason", command.reason)
    return _take(Draft(book), replace(cap, proposal=None, rejected=command.reason))


def _level_above(book: Book, actor: int, node: Institution) -> Credential:
    """Who asks, if it speaks for the level above a node; for the operator's own cap, which none is above, itself.

    Raises:
        Forbidden: it does not.
    """
    operator = book.configuration.operator.id
    if node.parent is None:
        resolve.allow(book, actor, Right.OPERATE, operator)
    else:
        resolve.allow(book, actor, Right.CONFIGURE, node.parent)
    return resolve.credential(book, actor)


def _check_above(book: Book, node: Institution, currency: str, amount: int | None) -> None:
    """Pass if no level above is capped lower. No cap of one's own is none beyond theirs, either."""
    if amount is None:
        return
    for above in ancestry(book.configuration.institutions, node.id):
        cap = None if above.id == node.id else book.configuration.caps.get((above.id, currency))
        if cap is not None and cap.amount is not None and amount > cap.amount:
            raise LimitExceeded(
                institution=above.code,
                currency=currency,
                cap=format_millionths(cap.amount, currency),
                asked=format_millionths(amount, currency),
            )


def _proposed(book: Book, actor: int, id: int | None) -> tuple[DebitCap, CapProposal, Institution]:
    """A proposal that exists for the caller, whose institution is the capped one or stands above it."""
    asking, nodes = resolve.credential(book, actor), book.configuration.institutions
    for cap in book.configuration.caps.values():
        seen = asking.sees_all or is_below(nodes, cap.institution, asking.institution)
        if cap.proposal is not None and cap.proposal.id == id and seen:
            return cap, cap.proposal, nodes[cap.institution]
    raise NotFound


def _take(draft: Draft, cap: DebitCap) -> Draft:
    draft.nouns.append(cap)
    draft.result = (cap.institution, cap.currency)
    return draft
