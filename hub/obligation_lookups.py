"""What is known of windows that are netted in pairs: what two participants owe one another, and what of it is paid."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import select

from hub import tables
from hub.configuration import Configuration
from hub.ledger import window_rows
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import NetView, Obligation, ObligationView, Window
from hub.models import IN_PAIRS, kind_of
from hub.obligations import Pair
from hub.reading import Reader


def in_pairs(configuration: Configuration, model: str) -> bool:
    """Whether it is counted what each two participants of a model's windows come to with one another."""
    return kind_of(configuration.model_versions.values(), model) in IN_PAIRS


async def pair_balances(reader: Reader, window: Window) -> dict[str, dict[tuple[int, int], int]]:
    """What the first of each two participants is owed by the second by the acts of a window, exactly, by currency."""
    table = tables.pair_position
    found = await reader.connection.execute(
        select(table).where(table.c.journal_id == JOURNAL_ID, table.c.window_id == window.id)
    )
    balances: dict[str, dict[tuple[int, int], int]] = {}
    for row in found:
        balances.setdefault(row.currency, {})[row.first_id, row.second_id] = row.credits - row.debits
    return balances


def to_come(
    configuration: Configuration, window: Window, currency: str, pairs: Mapping[Pair, int]
) -> Iterable[ObligationView]:
    """The obligations that an open window would be closed with, of its pairs' nets; they are nothing yet."""
    codes = configuration.institution_codes
    for (first, second), net in sorted(pairs.items()):
        if net:
            debtor, creditor = (second, first) if net > 0 else (first, second)
            owed = Obligation(0, window.id, codes[debtor], codes[creditor], currency, abs(net))
            yield ObligationView(owed, paid=False, confirmed=False)


async def obligations(reader: Reader, of: Collection[int]) -> dict[int, list[ObligationView]]:
    """The obligations of closed windows, by window; of one that is not netted in pairs there are none. One is final
    when all that the two owe one another of the window is paid."""
    found = await window_rows.obligations(reader.connection, of) if of else {}
    if not found:
        return {}
    paid = {one.obligation for one in await window_rows.obligation_payments(reader.connection, found)}
    made: dict[int, list[ObligationView]] = {}
    for id, listed in found.items():
        due = {frozenset((one.debtor, one.creditor)) for one in listed if one.id not in paid}
        made[id] = [
            ObligationView(one, paid=one.id in paid, confirmed=frozenset((one.debtor, one.creditor)) not in due)
            for one in listed
        ]
    return made


def of_pairs(views: Sequence[NetView], obligations: Sequence[ObligationView]) -> list[NetView]:
    """The nets of a window that is netted in pairs: of each participant, and of all below it, paid when all of its
    obligations of the currency are, and confirmed when all of them are; what is due is what of them is not paid."""
    parents = {view.net.institution: view.parent for view in views}
    due: dict[tuple[int, str], list[int]] = {}
    waiting = set[int]()
    for one in obligations:
        owed = one.obligation
        for node, amount in ((owed.debtor, -owed.amount), (owed.creditor, owed.amount)):
            if not one.paid:
                due.setdefault((node, owed.currency), []).append(amount)
            if not one.confirmed:
                waiting.add(node)
    made = []
    for view in views:
        top = view.net.institution
        while (above := parents.get(top)) is not None:
            top = above
        amounts = due.get((top, view.net.currency), [])
        left = sum(amounts) if top == view.net.institution else 0
        made.append(msgspec.structs.replace(view, paid=not amounts, confirmed=top not in waiting, due=left))
    return with_obligations(made, obligations)


def with_obligations(views: Sequence[NetView], obligations: Iterable[ObligationView]) -> list[NetView]:
    """The nets, each of a participant with the obligations of which it is the sum, in the order of the counterparties'
    identifiers."""
    mine: dict[tuple[int, str], list[ObligationView]] = {}
    for one in obligations:
        for node in (one.obligation.debtor, one.obligation.creditor):
            mine.setdefault((node, one.obligation.currency), []).append(one)
    for (node, _), of in mine.items():
        of.sort(key=lambda one: ({one.obligation.debtor, one.obligation.creditor} - {node}).pop())
    return [
        msgspec.structs.replace(view, obligations=tuple(mine.get((view.net.institution, view.net.currency), ())))
        for view in views
    ]
