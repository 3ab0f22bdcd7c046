"""Defaults: declaring a net unpaid, bearing the loss, and what the debtor pays later. Pure.

A net that is declared unpaid becomes a receivable, so that its window can be settled; in exposures it counts as before.
Each source that bears a part of the loss gives it up for a claim on the debtor, so the receivable is the sum of the
claims (and of what the operator bears in place of those who had been paid out before). What the debtor pays ends
claims, and gives back what they were given for; who was cut has it paid out.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

import msgspec

from hub.access import Right
from hub.confirmations import free
from hub.cover import NO_TERMS
from hub.defaults import Borne, Default, DefaultStatus, DefaultStep, DefaultStepKind, ordered
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound, PayOutWaits, WindowOrder
from hub.ledger import commands, payments, resolve, unpaid
from hub.ledger.book import Book, live_windows
from hub.ledger.covered import held
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Leg, Movement, MovementKind, Net, Purpose, Window, WindowStatus
from hub.money import format_millionths, minor_unit_millionths
from hub.points import MONEY_SCALE, parse
from hub.registry import checks
from hub.waterfall import Source, bear, make_good
from hub.windows import adjust, parent_of, settle_what_is_paid

# Out of which account a source gives, by which act, and into which it is given back.
ACCOUNTS = {
    Source.COLLATERAL: AccountKind.COLLATERAL,
    Source.OWN_FUND: AccountKind.FUND,
    Source.FUND: AccountKind.FUND,
    Source.CUT: AccountKind.SETTLEMENT,
}
ACTS = {
    DefaultStepKind.COLLATERAL: (MovementKind.DRAW_COLLATERAL, (Source.COLLATERAL,)),
    DefaultStepKind.FUND: (MovementKind.DRAW_FUND, (Source.OWN_FUND, Source.FUND)),
    DefaultStepKind.CUT: (MovementKind.CUT, (Source.CUT,)),
}


def propose(book: Book, command: commands.ProposeDefault) -> Draft:
    """Propose that a net was not paid. By the operator.

    Raises:
        NotFound: there is no such window, or the institution has no net in it.
        WindowOrder: an earlier window of the model is not settled.
        InvalidInput: the window is open, the net goes to a parent, is none that is paid in, is the operator's own, or
            is not due yet; each two participants net by themselves, so that nobody but the creditor bears what is not
            paid; or the reason is blank.
        Duplicate: it is confirmed, or declared or proposed already.
    """
    operator = book.configuration.operator
    resolve.allow(book, command.actor, Right.OPERATE, operator.id)
    window = _settling(book, command.window)
    if book.in_pairs(window):
        raise InvalidInput(model=window.model, kind=book.kind(window).value)
    node = resolve.institution(book, command.institution)
    net = next(
        (n for n in book.nets.get(window.id, ()) if (n.institution, n.currency) == (node.id, command.currency)), None
    )
    if net is None:
        raise NotFound(institution=node.code, currency=command.currency)
    through = parent_of(book.configuration, window, node.id)
    if through is not None:
        raise InvalidInput(institution=node.code, paysThrough=book.configuration.institutions[through].code)
    if net.payable >= 0 or node.id == operator.id:
        raise InvalidInput(institution=node.code, net=format_millionths(net.payable, net.currency))
    cover = book.configuration.covers.get((node.id, net.currency))
    days = (NO_TERMS if cover is None else cover.terms).due_days
    due_at = (window.closed_at or book.at) + timedelta(days=days)
    if window.closed_at is None or book.at < due_at:
        raise InvalidInput(dueDays=days, dueAt=due_at.isoformat())
    checks.name("reason", command.reason)
    _check_unpaid(book, net)
    if any(
        one.status is DefaultStatus.PROPOSED
        and (one.window, one.institution, one.currency) == (window.id, node.id, net.currency)
        for one in book.defaults.values()
    ):
        raise Duplicate(institution=node.code, currency=net.currency)
    draft = Draft(book)
    made = Default(
        id=draft.new_id(),
        at=book.at,
        credential=command.actor,
        window=window.id,
        institution=node.id,
        currency=net.currency,
        amount=-net.payable,
    )
    draft.memos.append((made.id, command.reason))
    return _take(draft, made)


def approve(book: Book, command: commands.ApproveDefault) -> Draft:
    """Declare a net unpaid, by another person than who proposed it: it becomes a receivable, and pay-outs of its
    currency in its window wait.

    Raises:
        NotFound: there is no such proposal.
        SameApprover: the caller made it.
        WindowOrder: an earlier window of the model is not settled.
        Duplicate: the net was confirmed since.
    """
    found = _proposed(book, command.actor, command.id)
    resolve.second_person(book, command.actor, found.credential)
    window = _settling(book, found.window)
    whose = (found.institution, found.currency)
    net = next(net for net in book.nets[window.id] if (net.institution, net.currency) == whose)
    _check_unpaid(book, net)
    draft = Draft(book)
    step, movement = draft.new_id(), draft.new_id()
    receivable = draft.account(AccountKind.RECEIVABLE, found.institution, found.currency)
    settlement = draft.account(AccountKind.SETTLEMENT, found.institution, found.currency)
    draft.legs.append((movement, Leg(receivable, settlement, found.amount, Purpose.DEFAULT, window.id)))
    draft.movements.append(_movement(book, movement, MovementKind.UNPAID, command.actor, found, found.amount))
    adjust(draft, window, found.institution, found.currency, found.amount)
    draft.count_unposted(found.institution, found.currency, -found.amount, window.id)
    declared = msgspec.structs.replace(found, status=DefaultStatus.DECLARED)
    free(draft, window, net, _with(book, [declared]))
    _step(draft, step, found, DefaultStepKind.DECLARED, command.actor, found.amount, movement)
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))
    return _take(draft, declared)


def reject(book: Book, command: commands.RejectDefault) -> Draft:
    """End a proposal, also one's own.

    Raises:
        NotFound: there is no such proposal.
    """
    found = _proposed(book, command.actor, command.id)
    checks.name("reason", command.reason)
    draft = Draft(book)
    step = draft.new_id()
    _step(draft, step, found, DefaultStepKind.REJECTED, command.actor, found.amount)
    draft.memos.append((step, command.reason))
    return _take(draft, msgspec.structs.replace(found, status=DefaultStatus.REJECTED))


def cover(book: Book, command: commands.CoverDefaults) -> Draft:
    """Let the defaults of a window and currency be borne, in the order in which they were proposed; then its pay-outs
    go on, as far as they are not cut. By one person of the operator's: two have declared each, and the rest is
    arithmetic.

    What is in the fund from others whose defaults are not repaid stays for these. A cut of somebody whom the bank has
    paid already is the operator's, so that it does not fall on those who waited.

    Raises:
        NotFound: there is no such window, or nothing to be borne in it.
        PayOutWaits: a pay-in has neither come nor been declared unpaid.
    """
    resolve.operating(book, command.actor)
    window = _settling(book, command.window)
    declared = [
        one
        for one in sorted(book.defaults.values(), key=lambda one: one.id)
        if (one.window, one.currency, one.status) == (window.id, command.currency, DefaultStatus.DECLARED)
    ]
    if not declared:
        raise NotFound
    nets = [net for net in book.nets[window.id] if net.currency == command.currency]
    with_hub = [net for net in nets if parent_of(book.configuration, window, net.institution) is None]
    for net in with_hub:
        if net.payable < 0 and not _is_paid(book, net) and unpaid.still_due(book.defaults.values(), net):
            raise PayOutWaits(
                institution=book.configuration.institutions[net.institution].code, currency=command.currency
            )
    draft = Draft(book)
    able = _Able(book, command.currency, {net.institution: net.payable for net in with_hub if net.payable > 0})
    cut: dict[int, int] = {}
    for default in declared:
        borne = _bear(draft, default, able, command.actor, {net.institution for net in with_hub if _is_paid(book, net)})
        for one in borne:
            if one.source is Source.CUT and not one.advanced:
                cut[one.institution] = cut.get(one.institution, 0) + one.amount
        status = DefaultStatus.COVERED if default.outstanding else DefaultStatus.REPAID
        draft.defaults.append(msgspec.structs.replace(default, status=status, borne=borne))
    for node, amount in sorted(cut.items()):
        adjust(draft, window, node, command.currency, -amount)
    for net in with_hub:
        if net.payable > 0 and cut.get(net.institution) == net.payable:
            free(draft, window, net, _with(book, draft.defaults))
    draft.windows.append(msgspec.structs.replace(window, status=WindowStatus.SETTLING))
    settle_what_is_paid(draft)
    draft.result = [one.id for one in draft.defaults]
    return draft


class _Able:
    """Who can still bear something, by codes; what one default takes, the next does not find."""

    def __init__(self, book: Book, currency: str, payouts: Mapping[int, int]) -> None:
        nodes = book.configuration.institutions
        self.codes = book.configuration.institution_codes
        self.minor = minor_unit_millionths(currency)
        self.collateral: dict[str, int] = {}
        self.fund: dict[str, int] = {}
        for kind, owner, of in book.accounts:
            if of == currency and kind in (AccountKind.COLLATERAL, AccountKind.FUND):
                pot = self.fund if kind == AccountKind.FUND else self.collateral
                pot[nodes[owner].code] = held(book, AccountKind(kind), owner, currency)
        self.payouts = {nodes[node].code: amount for node, amount in payouts.items()}
        self.failing = {
            nodes[one.institution].code
            for one in book.defaults.values()
            if one.is_standing and one.currency == currency and one.outstanding
        }

    def bear(self, loss: int, debtor: str) -> list[tuple[Source, str, int]]:
        """Who bears a loss, which is then gone."""
        fund = {code: one for code, one in self.fund.items() if code == debtor or code not in self.failing}
        shares = bear(loss, debtor, self.collateral.get(debtor, 0), fund, self.payouts, self.minor)
        for share in shares:
            pot = {Source.COLLATERAL: self.collateral, Source.CUT: self.payouts}.get(share.source, self.fund)
            pot[share.of] -= share.amount
        return [(share.source, share.of, share.amount) for share in shares]


def _bear(draft: Draft, default: Default, able: _Able, actor: int, paid: set[int]) -> tuple[Borne, ...]:
    """Post who bears what is not paid of one default, a movement for each kind of source."""
    book, currency = draft.book, default.currency
    operator = book.configuration.operator.id
    shares = able.bear(default.outstanding, book.configuration.institutions[default.institution].code)
    borne: list[Borne] = []
    for kind, (act, sources) in ACTS.items():
        mine = [(source, able.codes[code], amount) for source, code, amount in shares if source in sources]
        if not mine:
            continue
        step, movement = draft.new_id(), draft.new_id()
        for source, node, amount in mine:
            if source is Source.CUT and node in paid:
                borne.append(Borne(source, operator, amount, advanced=True))
                continue
            giving = draft.account(ACCOUNTS[source], node, currency)
            claim = draft.account(AccountKind.CLAIM, node, currency)
            draft.legs.append((movement, Leg(giving, claim, amount, Purpose.DEFAULT, default.window)))
            borne.append(Borne(source, node, amount))
        total = sum(amount for _, _, amount in mine)
        draft.movements.append(_movement(book, movement, act, actor, default, total))
        _step(draft, step, default, kind, actor, total, movement)
    _step(draft, draft.new_id(), default, DefaultStepKind.COVERED, actor, default.outstanding)
    return _merged(borne)


def repay(book: Book, command: commands.RepayDefault) -> Draft:
    """Record that a debtor has paid something of what it was declared not to have: who was cut gets it first, then the
    others' contributions to the fund are filled up, then its own, then its collateral. By the operator.

    Raises:
        NotFound: there is no such default, or it was never declared.
        InvalidAmount: it is not above zero and in whole minor units, or more than is owed.
        InvalidInput: the reference is empty, or the value date is none.
        Duplicate: the bank's reference is recorded for it already.
    """
    resolve.operating(book, command.actor)
    found = book.defaults.get(command.id or 0)
    if found is None or not found.is_standing:
        raise NotFound
    minor = minor_unit_millionths(found.currency)
    amount = parse(command.amount, MONEY_SCALE)
    if amount <= 0 or amount % minor or amount > found.outstanding:
        raise InvalidAmount(
            amount=command.amount,
            currency=found.currency,
            expected=f"at most {format_millionths(found.outstanding, found.currency)}",
        )
    payments.check(command.reference, command.value_date)
    if command.reference in found.references:
        raise Duplicate(reference=command.reference)
    draft = Draft(book)
    step, movement = draft.new_id(), draft.new_id()
    receivable = draft.account(AccountKind.RECEIVABLE, found.institution, found.currency)
    bank = draft.account(AccountKind.BANK, book.configuration.operator.id, found.currency)
    draft.legs.append((movement, Leg(bank, receivable, amount, Purpose.DEFAULT, found.window)))
    borne = _give_back(draft, movement, found, amount, minor)
    draft.movements.append(_movement(book, movement, MovementKind.REPAY, command.actor, found, amount))
    draft.count_unposted(found.institution, found.currency, amount, found.window)
    draft.default_steps.append(
        DefaultStep(
            id=step,
            of=found.id,
            kind=DefaultStepKind.REPAID,
            credential=command.actor,
            amount=amount,
            value_date=command.value_date,
            reference=command.reference,
            movement=movement,
        )
    )
    whole = amount == found.outstanding and found.status is DefaultStatus.COVERED
    changed = msgspec.structs.replace(
        found,
        status=DefaultStatus.REPAID if whole else found.status,
        repaid=found.repaid + amount,
        borne=borne,
        references=(*found.references, command.reference),
    )
    return _take(draft, changed)


def _give_back(draft: Draft, movement: int, found: Default, amount: int, minor: int) -> tuple[Borne, ...]:
    """Post who is made good; answers what everybody has borne afterwards."""
    nodes, codes = draft.book.configuration.institutions, draft.book.configuration.institution_codes
    left: dict[Source, dict[str, int]] = {}
    for one in found.borne:
        left.setdefault(one.source, {})[_tag(nodes[one.institution].code, advanced=one.advanced)] = one.left
    shares, _ = make_good(amount, left, minor)
    given = {(share.source, share.of): share.amount for share in shares}
    for share in shares:
        if share.of.endswith(_ADVANCED):
            continue  # it stays at the bank, from where it was paid
        node = codes[share.of]
        claim = draft.account(AccountKind.CLAIM, node, found.currency)
        kind = AccountKind.RECOVERED if share.source is Source.CUT else ACCOUNTS[share.source]
        back = draft.account(kind, node, found.currency)
        draft.legs.append((movement, Leg(claim, back, share.amount, Purpose.DEFAULT, found.window)))
    return tuple(
        msgspec.structs.replace(
            one,
            repaid=one.repaid + given.get((one.source, _tag(nodes[one.institution].code, advanced=one.advanced)), 0),
        )
        for one in found.borne
    )


_ADVANCED = "*"  # no code has it: the operator's part in place of others, beside a cut of its own


def _tag(code: str, *, advanced: bool) -> str:
    return f"{code}{_ADVANCED}" if advanced else code


def _merged(borne: Iterable[Borne]) -> tuple[Borne, ...]:
    """One for each source and institution: the operator stands in for several."""
    found: dict[tuple[Source, int, bool], int] = {}
    for one in borne:
        key = (one.source, one.institution, one.advanced)
        found[key] = found.get(key, 0) + one.amount
    return ordered(Borne(source, node, amount, advanced=advanced) for (source, node, advanced), amount in found.items())


def _settling(book: Book, id: int | None) -> Window:
    """The closed window that is to be settled next of its model.

    Raises:
        NotFound, WindowOrder, InvalidInput: see ``propose``.
    """
    window = book.windows.get(id or 0)
    if window is None:
        raise NotFound
    of_model = [other for other in live_windows(book.windows.values()) if other.model == window.model]
    earlier = [other.number for other in of_model if other.number < window.number]
    if earlier:
        raise WindowOrder(next=earlier[0], number=window.number)
    if window.status is WindowStatus.OPEN:
        raise InvalidInput(window="still open")
    return window


def _with(book: Book, changed: Iterable[Default]) -> Collection[Default]:
    """All defaults of a book, some of them as they are to be."""
    return (book.defaults | {one.id: one for one in changed}).values()


def _is_paid(book: Book, net: Net) -> bool:
    return (net.window, net.institution, net.currency) in book.confirmed


def _check_unpaid(book: Book, net: Net) -> None:
    if _is_paid(book, net) or not unpaid.still_due(book.defaults.values(), net):
        raise Duplicate(
            institution=book.configuration.institutions[net.institution].code,
            currency=net.currency,
        )


def _proposed(book: Book, actor: int, id: int | None) -> Default:
    resolve.operating(book, actor)
    found = book.defaults.get(id or 0)
    if found is None or found.status is not DefaultStatus.PROPOSED:
        raise NotFound
    return found


def _movement(book: Book, id: int, kind: MovementKind, actor: int, of: Default, amount: int) -> Movement:
    return Movement(
        id=id,
        kind=kind,
        at=book.at,
        credential=actor,
        for_institution=of.institution,
        currency=of.currency,
        amount=amount,
        money=of.currency,
        value=amount,
        subject=of.id,
    )


def _step(
    draft: Draft,
    id: int,
    of: Default,
    kind: DefaultStepKind,
    actor: int,
    amount: int,
    movement: int | None = None,
) -> None:
    draft.default_steps.append(
        DefaultStep(id=id, of=of.id, kind=kind, credential=actor, amount=amount, movement=movement)
    )


def _take(draft: Draft, default: Default) -> Draft:
    draft.defaults.append(default)
    draft.result = default
    return draft
