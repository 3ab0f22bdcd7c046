"""Gross settlement: where each act is paid at once, by whom it makes owe, out of what it has put up for it. Pure.

An act's money passes between positions as any other's. In the same draft a movement of its own pays it: out of the
payer's liquidity into its position, out of the payee's position into its liquidity. So nothing is owed for a moment,
nothing is netted, and an act that cannot be paid is not done.
"""

from collections import Counter
from itertools import groupby

from hub.errors import InsufficientLiquidity
from hub.ledger.covered import held
from hub.ledger.draft import Draft
from hub.ledger.records import AccountKind, Leg, Movement, MovementKind, Purpose
from hub.money import format_millionths


def pay(draft: Draft, actor: int) -> None:
    """Pay what the draft's acts make participants owe one another, act by act.

    Raises:
        InsufficientLiquidity: somebody has not put up what it would have to pay; who is paid more than it pays needs
            nothing.
    """
    book = draft.book
    for act, payable in groupby(tuple(draft.payable), key=lambda one: one.movement):
        due = list(payable)
        movement = draft.new_id()
        for one in due:
            for node, pays in ((one.debtor, True), (one.creditor, False)):
                position = draft.account(AccountKind.POSITION, node, one.currency)
                liquidity = draft.account(AccountKind.LIQUIDITY, node, one.currency)
                debit, credit = (liquidity, position) if pays else (position, liquidity)
                draft.legs.append((movement, Leg(debit, credit, one.amount, Purpose.PAYMENT, one.window)))
        total = sum(one.amount for one in due)
        draft.movements.append(
            Movement(
                id=movement,
                kind=MovementKind.PAY,
                at=book.at,
                credential=actor,
                for_institution=due[0].debtor,
                currency=due[0].currency,
                amount=total,
                money=due[0].currency,
                value=total,
                subject=act,
            )
        )
    changes: Counter[tuple[int, str]] = Counter()
    for one in draft.payable:
        changes[one.debtor, one.currency] -= one.amount
        changes[one.creditor, one.currency] += one.amount
    for (node, currency), change in changes.items():
        there = held(book, AccountKind.LIQUIDITY, node, currency)
        if change < 0 and there + change < 0:
            raise InsufficientLiquidity(
                institution=book.configuration.institutions[node].code,
                currency=currency,
                liquidity=format_millionths(there, currency),
                needed=format_millionths(-change, currency),
            )
    draft.payable.clear()
