"""Configuring terms: a version is proposed, accepted by those whom it binds, approved by the operator, or ended. Pure.

Who proposes agrees; the issuer agrees, unless its currency was registered with the operator's consent, and so does the
institution that the terms are agreed with. Then a person of the operator's approves who did not propose.
"""

from hub.acceptance_terms import AcceptanceTerms
from hub.access import Credential, Right
from hub.configuration import Configuration
from hub.currencies import PointCurrency, RateConsent
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.grant_terms import GrantTerms
from hub.institutions import Institution, is_below
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.registry import approvals, prices
from hub.terms import Step, Terms
from hub.unit_values import UnitValue
from hub.versions import VersionStatus


def propose_acceptance(book: Book, command: commands.ProposeAcceptanceTerms) -> Draft:
    """A new version of the terms on which a currency is taken at a merchant, or below a node. By an administrator of
    the issuer or of the node, or by the operator.

    Raises:
        InvalidInput: more than one money; a start in the past, or an end before it.
        InvalidAmount: the price or a part of the fee is malformed, below zero or too large.
        UnknownCurrency: there is no such point currency, or no such money.
    """
    of, node = resolve.currency(book, command.currency), resolve.institution(book, command.merchant)
    asking = _proposer(book, command.actor, of, node)
    approvals.check_dates(command.starts, command.ends, book.at)
    draft, fees = Draft(book), prices.fees(command)
    terms = AcceptanceTerms(
        id=draft.new_id(),
        starts=command.starts,
        ends=command.ends,
        currency=of.id,
        node=node.id,
        money=prices.one_money((command.price, command.fee_fixed, command.fee_per_point, command.fee_cap)),
        price=prices.price(command.price.amount),
        fee_fixed=fees.fee_fixed,
        fee_per_point=fees.fee_per_point,
        fee_percent=fees.fee_percent,
        fee_cap=fees.fee_cap,
    )
    return _propose(draft, asking, terms)


def propose_grant(book: Book, command: commands.ProposeGrantTerms) -> Draft:
    """A new version of the terms on which another institution issues a currency's points. By an administrator of the
    issuer or of the grantor, or by the operator.

    Raises:
        InvalidInput: the grantor is the issuer; a start in the past, or an end before it.
        InvalidAmount: the price is malformed, below zero or too large.
        UnknownCurrency: there is no such point currency, or no such money.
    """
    of, node = resolve.currency(book, command.currency), resolve.institution(book, command.grantor)
    asking = _proposer(book, command.actor, of, node)
    approvals.check_dates(command.starts, command.ends, book.at)
    if node.id == of.issuer:
        raise InvalidInput(grantor=node.code)
    draft = Draft(book)
    terms = GrantTerms(
        id=draft.new_id(),
        starts=command.starts,
        ends=command.ends,
        currency=of.id,
        node=node.id,
        money=prices.one_money((command.price,)),
        price=prices.price(command.price.amount),
        prepaid_only=command.prepaid_only,
    )
    return _propose(draft, asking, terms)


def propose_unit_value(book: Book, command: commands.ProposeUnitValue) -> Draft:
    """A new version of what a currency's points are worth. By an administrator of the issuer, or by the operator.

    Raises:
        InvalidInput: another money than the currency's; a start in the past, or an end before it.
        InvalidAmount: the value is not positive or has more than 12 decimals.
        UnknownCurrency: there is no such point currency.
    """
    of = resolve.currency(book, command.currency)
    asking = _proposer(book, command.actor, of, book.configuration.institutions[of.issuer])
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    terms = UnitValue(
        id=draft.new_id(),
        starts=command.starts,
        ends=command.ends,
        currency=of.id,
        node=of.issuer,
        money=prices.one_money((command.value,), of.money),
        price=prices.price(command.value.amount, least=1),
    )
    return _propose(draft, asking, terms)


def _proposer(book: Book, actor: int, of: PointCurrency, node: Institution) -> Credential:
    """Who proposes, if it speaks for the issuer or for the node, or is the operator.

    Raises:
        Forbidden: it does not.
        Suspended: one of them is.
    """
    asking = resolve.credential(book, actor)
    side = node.id if approvals.speaks_for(book, asking, node.id) else of.issuer
    resolve.allow(book, actor, Right.CONFIGURE, side)
    resolve.active(book, of.issuer, node.id)
    return asking


def _propose(draft: Draft, asking: Credential, terms: Terms) -> Draft:
    book = draft.book
    needed = _parties(book.configuration, terms)
    awaiting = tuple(step for step, side in needed.items() if not approvals.consents(book, asking, side))
    others = [
        other
        for other in book.configuration.terms.values()
        if (type(other), other.currency, other.node) == (type(terms), terms.currency, terms.node)
    ]
    return _take(draft, approvals.propose(terms, asking, (*awaiting, Step.OPERATOR), others))


def _parties(configuration: Configuration, terms: Terms) -> dict[Step, int]:
    """The institutions whose consent a version needs."""
    of = configuration.currencies[terms.currency]
    found = {Step.ISSUER: of.issuer} if of.rate_consent is RateConsent.ISSUER else {}
    return found if terms.party is None else {**found, terms.party: terms.node}


def accept(book: Book, command: commands.AcceptTerms) -> Draft:
    """A party's consent, by its own administrator.

    Raises:
        NotFound: there are no such terms for the caller.
        InvalidInput: they are not proposed any more, or do not await the caller.
    """
    terms, asking = _visible(book, command.actor, command.id)
    parties = _parties(book.configuration, terms)
    sides = [step for step, side in parties.items() if approvals.consents(book, asking, side)]
    if not sides:
        raise Forbidden(right=Right.CONFIGURE.value)
    resolve.allow(book, command.actor, Right.CONFIGURE, asking.institution)
    return _take(Draft(book), approvals.accept(terms, asking, sides))


def approve(book: Book, command: commands.ApproveTerms) -> Draft:
    """The operator's word, by another person than the proposer: the version is in force from its start on.

    Raises:
        NotAccepted, SameApprover, InvalidInput, RateOverlap: see ``approvals.approve``.
    """
    resolve.operating(book, command.actor)
    terms, asking = _visible(book, command.actor, command.id)
    others = book.configuration.approved_terms(terms)
    return _take(Draft(book), approvals.approve(terms, asking, book.at, others, operator=Step.OPERATOR))


def reject(book: Book, command: commands.RejectTerms) -> Draft:
    """End a proposal: by the operator, or by an administrator of a party."""
    terms, asking = _endable(book, command.actor, command.id)
    return _take(Draft(book), approvals.reject(terms, asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawTerms) -> Draft:
    """End an approved version: by the operator, or by an administrator of a party. What was done under it stands."""
    terms, asking = _endable(book, command.actor, command.id)
    return _take(Draft(book), approvals.withdraw(terms, asking, command.reason))


def _endable(book: Book, actor: int, id: int | None) -> tuple[Terms, Credential]:
    terms, asking = _visible(book, actor, id)
    issuer = book.configuration.currencies[terms.currency].issuer
    resolve.allow(
        book, actor, Right.CONFIGURE, terms.node if approvals.speaks_for(book, asking, terms.node) else issuer
    )
    return terms, asking


def _visible(book: Book, actor: int, id: int | None) -> tuple[Terms, Credential]:
    """Terms that exist for the caller."""
    asking = resolve.credential(book, actor)
    terms = book.configuration.terms.get(id or 0)
    if terms is None or not is_visible(book.configuration, asking, terms):
        raise NotFound
    return terms, asking


def is_visible(configuration: Configuration, asking: Credential, terms: Terms) -> bool:
    """Whether terms exist for the caller: for the parties and those above them, for whoever stands below the node and
    so acts on them, and for the operator. A price between two is nobody else's business; but an approved unit value,
    which nobody has agreed to but the issuer, is open to all."""
    nodes = configuration.institutions
    issuer = configuration.currencies[terms.currency].issuer
    return (
        asking.sees_all
        or any(is_below(nodes, side, asking.institution) for side in (issuer, terms.node))
        or (terms.status is VersionStatus.APPROVED and is_below(nodes, asking.institution, terms.node))
        or (terms.status is VersionStatus.APPROVED and terms.party is None)
    )


def _take(draft: Draft, terms: Terms) -> Draft:
    draft.nouns.append(terms)
    draft.result = terms
    return draft
