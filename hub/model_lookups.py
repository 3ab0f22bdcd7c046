"""What of the settlement models their members may look at: the models, their windows, and what closing would give."""

from sqlalchemy import ColumnElement, literal, or_, select

from hub import tables
from hub.configuration import Configuration
from hub.institutions import ancestry, member_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import Net, NetView, Window
from hub.models import DEFAULT_MODEL, SettlementModel
from hub.reading import Reader
from hub.windows import levels_of, parent_of

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
    (``hub.windows.close`` makes them of the same positions by the same function)."""
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
    views = []
    for currency, sides in sorted(by_currency.items()):
        levels = levels_of(configuration, window, currency, sides)
        for node, of in sorted((codes[code], of) for code, of in levels.items()):
            net = Net(window.id, node, currency, *sides.get(node, (0, 0)), of.net)
            parent = parent_of(configuration, window, node)
            views.append(NetView(net, parent, of.below_debit, of.below_credit, confirmed=False, paid=False, due=0))
    return views
