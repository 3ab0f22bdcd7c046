"""What of the settlement models their members may look at: the models, their windows, and what closing would give."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, literal, or_, select

from hub import tables
from hub.configuration import Configuration
from hub.institutions import ancestry, member_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.payables import payables
from hub.ledger.records import Net, NetExchange, NetView, ObligationView, Window
from hub.models import DEFAULT_MODEL, SettlementModel, kind_of
from hub.obligation_lookups import in_pairs, pair_balances, to_come, with_obligations
from hub.reading import Reader
from hub.windows import exchanges_of, levels_of, pair_nets, parent_of

_window, _position = tables.settlement_window, tables.position


def is_visible(reader: Reader, model: SettlementModel) -> bool:
    """Whether a version exists for the viewer: for the operator's people; approved, for whom it concerns."""
    return reader.viewer.sees_all or (model in approved(reader.configuration, model.code) and _is_of(reader, model))


def approved(configuration: Configuration, code: str) -> tuple[SettlementModel, ...]:
    """The approved versions of a model."""
    return configuration.models.get(code, ())


def _is_of(reader: Reader, model: SettlementModel) -> bool:
    path = [one.id for one in ancestry(reader.configuration.institutions, reader.viewer.institution)]
    return model.code == DEFAULT_MODEL or member_of(path) in model.members


def visible(reader: Reader) -> ColumnElement[bool]:
    """Of the windows of models besides the default those are visible to others than the operator's people of which
    their member is a member, or was, or in which money of theirs is."""
    models = reader.configuration.models
    if reader.viewer.sees_all or not models:
        return literal(True)
    mine = {code for code, versions in models.items() if any(_is_of(reader, one) for one in versions)}
    below = [one for one in reader.configuration.institutions if reader.sees(one)]
    with_money = select(_position.c.window_id).where(
        _position.c.journal_id == JOURNAL_ID, _position.c.institution_id.in_(below)
    )
    return or_(_window.c.model.in_({DEFAULT_MODEL, *mine}), _window.c.id.in_(with_money))


async def preview(reader: Reader, window: Window) -> list[NetView]:
    """The nets that an open window would be closed with at this instant, on every level; by currency and institution
    (``hub.windows.close`` makes them of the same positions by the same functions).

    Raises:
        FxRateMissing: closing it now would be refused.
    """
    configuration = reader.configuration
    codes = configuration.institution_codes
    found = await reader.connection.execute(
        select(_position.c.currency, _position.c.institution_id, _position.c.debits, _position.c.credits).where(
            _position.c.journal_id == JOURNAL_ID,
            _position.c.window_id == window.id,
            (_position.c.debits > 0) | (_position.c.credits > 0),
        )
    )
    by_currency: dict[str, dict[int, tuple[int, int]]] = {}
    for row in found:
        by_currency.setdefault(row.currency, {})[row.institution_id] = (row.debits, row.credits)
    balances = await pair_balances(reader, window) if in_pairs(configuration, window.model) else None
    nets, owed = list[Net](), list[ObligationView]()
    below: dict[tuple[int, str], tuple[int, int]] = {}
    for currency, sides in sorted(by_currency.items()):
        kind = kind_of(configuration.model_versions.values(), window.model)
        pairs = None if balances is None else pair_nets(configuration, kind, currency, balances.get(currency, {}))
        levels = levels_of(configuration, window, currency, sides, pairs)
        for node, of in sorted((codes[code], of) for code, of in levels.items()):
            nets.append(Net(window.id, node, currency, *sides.get(node, (0, 0)), of.net))
            below[node, currency] = of.below_debit, of.below_credit
        owed += [] if pairs is None else to_come(configuration, window, currency, pairs)
    into, found_at = exchanges_of(configuration, window, nets, reader.at)
    made = [
        NetExchange(
            movement=0,
            window=window.id,
            institution=codes[code],
            currency=currency,
            net=one.net,
            rate=one.rate.id,
            into=into,
            value=one.value,
        )
        for (code, currency), one in found_at.items()
    ]
    views = [
        NetView(
            net,
            parent_of(configuration, window, net.institution),
            *below.get((net.institution, net.currency), (0, 0)),
            confirmed=False,
            paid=False,
            due=0,
            exchanges=exchanges_with(net, made),
        )
        for net in payables(nets, made)
    ]
    return with_obligations(views, owed) if owed else views


def exchanges_with(net: Net, made: Sequence[NetExchange]) -> tuple[NetExchange, ...]:
    """Those of the exchanges of a window that a net went out by, or is made of."""
    return tuple(one for one in made if one.institution == net.institution and net.currency in (one.currency, one.into))
