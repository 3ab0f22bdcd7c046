"""Configuring fee schedules: the operator proposes, the institution accepts, another person of the operator approves.

Pure. The operator does not accept for an institution, because it is the operator that charges.
"""

from hub.access import Credential, Right
from hub.bills import FeeSchedule, Step
from hub.errors import Forbidden, InvalidAmount, InvalidInput, NotFound
from hub.institutions import Institution, is_below
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.commands import MoneyText
from hub.ledger.draft import Draft
from hub.points import MONEY_SCALE, PERCENT_SCALE, PRICE_SCALE, parse
from hub.registry import approvals

PRICE_MAX = 10**15  # millionths


def propose(book: Book, command: commands.ProposeFeeSchedule) -> Draft:
    """A new version of what an institution pays, by the operator.

    Raises:
        InvalidInput: there is no price, or the prices are in several monies; it is the operator itself; or the dates do
            not fit together.
        InvalidAmount: a price or the VAT is malformed, negative or too large.
        NotFound: there is no such institution.
    """
    resolve.operating(book, command.actor)
    node = resolve.institution(book, command.institution)
    prices = (command.membership, command.per_movement, command.per_point)
    monies = {price.currency for price in prices if price is not None}
    if len(monies) != 1 or node.parent is None:
        raise InvalidInput(currencies=",".join(sorted(monies)), institution=node.code)
    approvals.check_dates(command.starts, command.ends, book.at)
    draft = Draft(book)
    schedule = FeeSchedule(
        id=draft.new_id(),
        starts=command.starts,
        ends=command.ends,
        institution=node.id,
        money=resolve.money(monies.pop()),
        membership=_price(command.membership, MONEY_SCALE),
        per_movement=_price(command.per_movement, PRICE_SCALE),
        per_point=_price(command.per_point, PRICE_SCALE),
        vat=_between(command.vat_percent, PERCENT_SCALE, 100 * 10**PERCENT_SCALE),
        gross=command.gross,
    )
    versions = [one for one in book.configuration.fee_schedules.values() if one.institution == node.id]
    asking = resolve.credential(book, command.actor)
    return _take(draft, approvals.propose(schedule, asking, (Step.INSTITUTION, Step.OPERATOR), versions))


def _price(price: MoneyText | None, scale: int) -> int:
    return 0 if price is None else _between(price.amount, scale, PRICE_MAX * 10 ** (scale - MONEY_SCALE))


def _between(text: str, scale: int, most: int) -> int:
    value = parse(text, scale)
    if not 0 <= value <= most:
        raise InvalidAmount(amount=text)
    return value


def accept(book: Book, command: commands.AcceptFeeSchedule) -> Draft:
    """The institution's word, by its own administrator or one of an institution above it, but not by the operator.

    Raises:
        NotFound: there is no such schedule for the caller.
        InvalidInput: it is not proposed any more, or accepted already.
    """
    schedule, asking, node = _visible(book, command.actor, command.id)
    if not approvals.speaks_for(book, asking, node.id):
        raise Forbidden(right=Right.CONFIGURE.value)
    resolve.allow(book, command.actor, Right.CONFIGURE, node.id)
    return _take(Draft(book), approvals.accept(schedule, asking, (Step.INSTITUTION,)))


def approve(book: Book, command: commands.ApproveFeeSchedule) -> Draft:
    """Let a version take effect, by another of the operator's persons than who proposed it.

    Raises:
        NotFound: there is no such schedule.
        NotAccepted, SameApprover, InvalidInput, RateOverlap: see ``approvals.approve``.
    """
    resolve.operating(book, command.actor)
    schedule, asking, node = _visible(book, command.actor, command.id)
    others = book.configuration.charging.get(node.id, ())
    return _take(Draft(book), approvals.approve(schedule, asking, book.at, others, operator=Step.OPERATOR))


def reject(book: Book, command: commands.RejectFeeSchedule) -> Draft:
    """End a proposal: by the operator, or by an administrator of the institution.

    Raises:
        NotFound, InvalidInput: see ``accept``; or no reason is given.
    """
    schedule, asking, node = _visible(book, command.actor, command.id)
    resolve.allow(book, command.actor, Right.CONFIGURE, node.id)
    return _take(Draft(book), approvals.reject(schedule, asking, command.reason))


def withdraw(book: Book, command: commands.WithdrawFeeSchedule) -> Draft:
    """End an approved version: months that are not billed yet are billed without it. By the operator.

    Raises:
        NotFound: there is no such schedule.
        InvalidInput: it is not approved, or no reason is given.
    """
    resolve.operating(book, command.actor)
    schedule, asking, _ = _visible(book, command.actor, command.id)
    return _take(Draft(book), approvals.withdraw(schedule, asking, command.reason))


def _visible(book: Book, actor: int, id: int | None) -> tuple[FeeSchedule, Credential, Institution]:
    """A schedule that exists for the caller: its institution's, those above it, and the operator's."""
    asking, nodes = resolve.credential(book, actor), book.configuration.institutions
    schedule = book.configuration.fee_schedules.get(id or 0)
    if schedule is None or not (asking.sees_all or is_below(nodes, schedule.institution, asking.institution)):
        raise NotFound
    return schedule, asking, nodes[schedule.institution]


def _take(draft: Draft, schedule: FeeSchedule) -> Draft:
    draft.nouns.append(schedule)
    draft.result = schedule
    return draft
