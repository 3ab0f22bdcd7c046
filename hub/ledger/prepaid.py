"""Prepaid blocks: offered by an issuer, taken and paid for by their holder, drawn on by grants, handed back. Pure.

A sale is a movement of money from the holder's position to the issuer's, in the window open then; so it settles, counts
under caps and has to be covered like any other debt, and the block is drawn on from that moment. Whose blocks a grant
draws on its terms say: those of the institution that the terms are agreed with. What a grant draws is nowhere else: on
no position and on no bill.
"""

from typing import Any

import msgspec

from hub import ids
from hub.access import Credential, Right
from hub.currencies import HOSTED, PointCurrency
from hub.errors import (
    Forbidden,
    InsufficientPrepaid,
    InvalidAmount,
    InvalidInput,
    NotAccepted,
    NotFound,
)
from hub.grant_terms import GrantTerms
from hub.ledger import commands, resolve
from hub.ledger.book import Book, Original
from hub.ledger.draft import Draft
from hub.ledger.records import Movement, MovementKind, Purpose
from hub.money import minor_unit_millionths
from hub.points import AMOUNT_MAX, MONEY_SCALE, parse_positive, render
from hub.prepaid import Block, BlockStatus, Draw, Notice, Step, StepKind, draw, refund, returned
from hub.terms import nearest

_MONEY_MAX = AMOUNT_MAX * 1000


def offer(book: Book, command: commands.OfferBlock) -> Draft:
    """Offer an institution a block of points for a price. By an administrator of the points' issuer.

    Raises:
        UnknownCurrency, NotFound: there is no such point currency or money, or no such institution.
        InvalidInput: the holder would be the issuer itself, or the block be over already.
        InvalidAmount: the points or the price are malformed, nothing, too much, or the price is in no whole minor
            units. NotHosted: a partner keeps the points.
    """
    of, node = resolve.currency(book, command.currency), resolve.institution(book, command.holder)
    resolve.own_word(book, command.actor, of.issuer)
    resolve.active(book, of.issuer, node.id)
    resolve.hosted(of, "PREPAID")
    if node.id == of.issuer:
        raise InvalidInput(holder=node.code)
    if command.until is not None and command.until <= book.at:
        raise InvalidInput(validUntil=command.until.isoformat())
    units, money = parse_positive(command.points, of.scale), resolve.money(command.price.currency)
    value = parse_positive(command.price.amount, MONEY_SCALE)
    if value > _MONEY_MAX or value % minor_unit_millionths(money):
        raise InvalidAmount(amount=command.price.amount, currency=money)
    draft = Draft(book)
    made = Block(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        holder=node.id,
        currency=of.code,
        units=units,
        money=money,
        value=value,
        until=command.until,
    )
    return _take(draft, made)


def accept(book: Book, command: commands.AcceptBlock) -> Draft:
    """Take a block that is offered, and pay for it. By an administrator of the institution that it is offered to.

    Raises:
        NotFound: there is no such block for the caller.
        Forbidden: the caller is somebody else.
        InvalidInput: it is not offered any more, or is over.
        NotAccepted: there are no grant terms in force that are agreed with this institution.
        NotHosted: a partner keeps the points by now.
        LimitExceeded, InsufficientLiquidity: a cap is in the way, or cover is missing.
    """
    block, of = _seen(book, command.actor, command.id)
    resolve.own_word(book, command.actor, block.holder)
    _offered(block)
    resolve.hosted(of, "PREPAID")
    resolve.active(book, of.issuer, block.holder)
    if block.until is not None and block.until <= book.at:
        raise InvalidInput(validUntil=block.until.isoformat())
    configuration = book.configuration
    terms = nearest(configuration.grants.get(of.id, {}), configuration.institutions, block.holder, book.at)
    if terms is None or terms.node != block.holder:
        raise NotAccepted(currency=of.code, grantor=configuration.institutions[block.holder].code)
    draft = Draft(book)
    step, movement = draft.new_id(), draft.new_id()
    _post(draft, movement, MovementKind.PREPAY, command.actor, block, block.units, block.value)
    _say(draft, block, StepKind.SOLD, command.actor, step, movement=movement)
    return _take(draft, msgspec.structs.replace(block, status=BlockStatus.SOLD, sold=movement), command.actor, movement)


def decline(book: Book, command: commands.DeclineBlock) -> Draft:
    """End what is only offered. By an administrator of the issuer or of the institution that it is offered to.

    Raises:
        NotFound: there is no such block for the caller.
        Forbidden: the caller is somebody else.
        InvalidInput: it is not offered any more, or no reason is given.
    """
    block, of = _seen(book, command.actor, command.id)
    _side(book, command.actor, block, of)
    _offered(block)
    resolve.reason(command.reason)
    draft = Draft(book)
    step = draft.new_id()
    _say(draft, block, StepKind.DECLINED, command.actor, step)
    draft.memos.append((step, command.reason))
    return _take(draft, msgspec.structs.replace(block, status=BlockStatus.DECLINED))


def propose_refund(book: Book, command: commands.ProposeRefund) -> Draft:
    """Propose that what is left of a block, or a part of it, is handed back for its part of the price, instead of what
    was proposed before. By an administrator of the holder or of the issuer.

    Raises:
        NotFound: there is no such block for the caller.
        Forbidden: the caller is somebody else.
        InvalidInput: it is not sold.
        InvalidAmount: the points are malformed, or none.
        InsufficientPrepaid: less is left of it.
    """
    block, of = _seen(book, command.actor, command.id)
    _side(book, command.actor, block, of)
    if block.status is not BlockStatus.SOLD:
        raise InvalidInput(status=block.status.value)
    units = None if command.points is None else parse_positive(command.points, of.scale)
    _check_left(block, of, units)
    draft = Draft(book)
    step = draft.new_id()
    _say(draft, block, StepKind.REFUND_PROPOSED, command.actor, step, units=units)
    return _take(draft, msgspec.structs.replace(block, proposal=step))


def accept_refund(book: Book, command: commands.AcceptRefund) -> Draft:
    """Hand back what was proposed: the issuer pays its part of the price, in the window open now. By an administrator
    of the other side than proposed it.

    Raises:
        NotFound: there is no such block for the caller, or this is not the proposal that stands.
        Forbidden: the caller is not of the other side.
        InsufficientPrepaid: less is left by now.
        InvalidAmount: what is left comes to nothing.
        LimitExceeded, InsufficientLiquidity: a cap is in the way of the issuer, or cover is missing.
    """
    block, of = _seen(book, command.actor, command.id)
    _side(book, command.actor, block, of)
    proposal = _proposal(book, block, command.proposal)
    proposed = book.configuration.credentials[proposal.credential].institution
    resolve.own_word(book, command.actor, of.issuer if proposed == block.holder else block.holder)
    resolve.active(book, of.issuer, block.holder, closing=True)
    units = _check_left(block, of, proposal.units)
    value = refund(block, units)
    if not value:
        raise InvalidAmount(amount=render(units, of.scale))
    draft = Draft(book)
    step, movement = draft.new_id(), draft.new_id()
    _post(draft, movement, MovementKind.PREPAY_REFUND, command.actor, block, units, value)
    _say(draft, block, StepKind.REFUNDED, command.actor, step, units=units, movement=movement)
    made = msgspec.structs.replace(block, refunded=block.refunded + units, proposal=None)
    return _take(draft, made, command.actor, movement)


def decline_refund(book: Book, command: commands.DeclineRefund) -> Draft:
    """End what was proposed about handing back, also one's own. By an administrator of the holder or of the issuer.

    Raises:
        NotFound: there is no such block for the caller, or this is not the proposal that stands.
        Forbidden: the caller is somebody else.
        InvalidInput: no reason is given.
    """
    block, of = _seen(book, command.actor, command.id)
    _side(book, command.actor, block, of)
    _proposal(book, block, command.proposal)
    resolve.reason(command.reason)
    draft = Draft(book)
    step = draft.new_id()
    _say(draft, block, StepKind.REFUND_DECLINED, command.actor, step)
    draft.memos.append((step, command.reason))
    return _take(draft, msgspec.structs.replace(block, proposal=None))


def set_notice(book: Book, command: commands.SetPrepaidNotice) -> Draft:
    """Say below how many points an institution is told that its blocks of a currency are low; if they are, it is told
    at once. By an administrator of the institution, or the operator for it.

    Raises:
        UnknownCurrency, NotFound: there is no such point currency, or no such institution.
        InvalidAmount: the points are malformed, or none.
    """
    of, node = resolve.currency(book, command.currency), resolve.institution(book, command.holder)
    resolve.allow(book, command.actor, Right.CONFIGURE, node.id)
    threshold = None if command.points is None else parse_positive(command.points, of.scale)
    draft = Draft(book)
    left = sum(one.usable(book.at) for one in _stock(draft, node.id, of.code))
    made = Notice(
        id=draft.new_id(),
        credential=command.actor,
        holder=node.id,
        currency=of.code,
        threshold=threshold,
        low=threshold is not None and left < threshold,
        left=left,
        movement=None,
    )
    draft.prepaid_notices.append(made)
    draft.result = made
    return draft


def draw_for(draft: Draft, movement: Movement, terms: GrantTerms, of: PointCurrency) -> int:
    """Draw what a grant is of out of the blocks of the institution that its terms are agreed with, as far as they
    reach; answers how much. Nothing is drawn of what a partner keeps.

    Raises:
        InsufficientPrepaid: they do not reach, and the terms let nothing be granted beyond them.
    """
    known = draft.book.blocks.values() if of.adapter == HOSTED else ()
    stock = [one for one in known if (one.holder, one.currency) == (terms.node, of.code)]
    found, missing = draw(stock, movement.amount, draft.book.at)
    if missing and terms.prepaid_only:
        left = render(movement.amount - missing, of.scale)
        raise InsufficientPrepaid(currency=of.code, left=left, requested=render(movement.amount, of.scale))
    for place, (block, units) in enumerate(found):
        draft.blocks[block.id] = msgspec.structs.replace(block, drawn=block.drawn + units)
        draft.draws.append(Draw(movement.id, place, block.id, units))
    if found:
        _tell(draft, movement.credential, terms.node, of.code, movement.id)
    return movement.amount - missing


def give_back(draft: Draft, movement: Movement, original: Original, before: int, after: int) -> None:
    """Bring what a reversal takes back of a grant to the blocks that it was drawn out of."""
    for place, (id, units) in enumerate(returned(original.draws, original.movement.amount, before, after)):
        block = draft.book.blocks[id]
        draft.blocks[id] = msgspec.structs.replace(block, drawn=block.drawn - units)
        draft.draws.append(Draw(movement.id, place, id, -units))
    for holder in {one.holder for one in draft.blocks.values()}:
        _tell(draft, movement.credential, holder, movement.currency, movement.id)


def _stock(draft: Draft, holder: int, currency: str) -> list[Block]:
    """The blocks of a holder, as the draft leaves them."""
    known = draft.book.blocks | draft.blocks
    return [one for one in known.values() if (one.holder, one.currency) == (holder, currency)]


def _tell(draft: Draft, actor: int, holder: int, currency: str, movement: int) -> None:
    """Note that a stock has come to be below its threshold, or is not any more."""
    standing = draft.book.prepaid_notices.get((holder, currency))
    if standing is None or standing.threshold is None:
        return
    left = sum(one.usable(draft.book.at) for one in _stock(draft, holder, currency))
    if (low := left < standing.threshold) is not standing.low:
        id = draft.new_id()
        draft.prepaid_notices.append(
            msgspec.structs.replace(standing, id=id, credential=actor, low=low, left=left, movement=movement)
        )


def _post(draft: Draft, id: int, kind: MovementKind, actor: int, block: Block, units: int, value: int) -> None:
    """The money of a sale, or what is paid back."""
    of = resolve.currency(draft.book, block.currency)
    payer, payee = (block.holder, of.issuer) if kind is MovementKind.PREPAY else (of.issuer, block.holder)
    draft.money(id, payer, payee, block.money, value, Purpose.SETTLEMENT)
    resolve.within_caps(draft, actor)
    draft.movements.append(
        Movement(
            id=id,
            kind=kind,
            at=draft.book.at,
            credential=actor,
            for_institution=block.holder,
            currency=block.currency,
            amount=units,
            money=block.money,
            value=value,
            subject=block.id,
        )
    )


def _seen(book: Book, actor: int, id: int | None) -> tuple[Block, PointCurrency]:
    """A block that exists for the caller: its two sides, those above them, and the operator."""
    asking, block = resolve.credential(book, actor), book.blocks.get(id or 0)
    if block is None:
        raise NotFound
    of = resolve.currency(book, block.currency)
    if not any(resolve.sees(book, asking, side) for side in (of.issuer, block.holder)):
        raise NotFound
    return block, of


def _side(book: Book, actor: int, block: Block, of: PointCurrency) -> Credential:
    """Pass if the caller is an administrator of one of a block's two sides itself."""
    asking = resolve.credential(book, actor)
    if asking.institution not in (of.issuer, block.holder):
        raise Forbidden(right=Right.CONFIGURE.value)
    return resolve.own_word(book, actor, asking.institution)


def _offered(block: Block) -> None:
    if block.status is not BlockStatus.OFFERED:
        raise InvalidInput(status=block.status.value)


def _proposal(book: Book, block: Block, id: int | None) -> Step:
    found = book.block_proposals.get(block.id)
    if found is None or found.id != id or block.proposal != id:
        raise NotFound(**({} if id is None else {"proposal": ids.text(ids.PREPAID_STEP, id)}))
    return found


def _check_left(block: Block, of: PointCurrency, units: int | None) -> int:
    """How many points are handed back; all that is left if nobody says."""
    asked = block.left if units is None else units
    if not block.left or asked > block.left:
        left, requested = render(block.left, of.scale), render(asked, of.scale)
        raise InsufficientPrepaid(currency=of.code, left=left, requested=requested)
    return asked


def _say(draft: Draft, block: Block, kind: StepKind, actor: int, id: int, **what: Any) -> None:
    draft.block_steps.append(Step(id=id, of=block.id, kind=kind, credential=actor, **what))


def _take(draft: Draft, block: Block, actor: int = 0, movement: int | None = None) -> Draft:
    draft.blocks[block.id] = block
    if movement is not None:
        _tell(draft, actor, block.holder, block.currency, movement)
    draft.result = block
    return draft
