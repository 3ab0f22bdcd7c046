"""Closings of windows: that nets are what positions give, on every level and in pairs, and pass on as they should."""

from collections.abc import Iterable
from typing import Any

from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings, code_of
from hub.audit.fx import Fx
from hub.audit.payments import Payments
from hub.audit.positions import Place, Positions, Window
from hub.calendars import next_cut_off
from hub.configuration import Configuration
from hub.ledger.records import AccountKind, Purpose, WindowStatus
from hub.levels import LevelNet, roll_up
from hub.models import DEFAULT_MODEL
from hub.money import UnknownMoney, minor_unit_millionths
from hub.netting import NotBalanced
from hub.obligations import Pair, nets_of
from hub.versions import in_force


class Closings:
    """``flat``: windows that closed before there were levels; ``singly``: those that were paid before a participant's
    payments took effect together. ``rounded``: what rounding left, by currency."""

    def __init__(
        self,
        findings: Findings,
        accounts: Accounts,
        positions: Positions,
        payments: Payments,
        flat: frozenset[int],
        singly: frozenset[int],
    ) -> None:
        self._findings = findings
        self._accounts = accounts
        self._positions = positions
        self._payments = payments
        self._flat = flat
        self._singly = singly
        self._fx = Fx(findings, accounts)
        self.rounded: dict[str, int] = {}
        self._internals: dict[tuple[int, int], int] = {}  # by parent and institution
        self._brought: dict[tuple[int, int, str], int] = {}  # by children, to who is not closed yet
        self._closing: dict[tuple[int, int, str], int] = {}

    def internal(self, rows: Iterable[Any]) -> None:
        """Take internal accounts that a batch opened."""
        for id, parent, institution in rows:
            if (parent, institution) in self._internals:
                self._findings.add("INTERNAL_ACCOUNT", f"Internal account {id:x} is there twice.")
            self._internals[parent, institution] = id

    def open(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a window that was opened; the one before it of its model closed in the same batch."""
        id, model, number, opened_at = row
        opened = (one for one in self._positions.windows.values() if one.status == WindowStatus.OPEN)
        before = next((one for one in opened if one.model == model), None)
        if number != (1 if before is None else before.number + 1):
            self._findings.add("WINDOW", f"Window {number} does not follow the one that was open.")
        if batch.at is not None and opened_at != batch.at:
            self._findings.add("WINDOW", f"Window {number} was not opened when its batch was made.")
        made = Window(id, model, number, len(self._positions.windows) + 1, WindowStatus.OPEN, opened_at, batch.number)
        made.levels, made.together = id not in self._flat, id not in self._singly
        if before is not None and before.levels and not made.levels:
            self._findings.add("WINDOW", f"Window {number} has no levels, but the one before it has.")
        if not made.together and (model != DEFAULT_MODEL or (before is not None and before.together)):
            self._findings.add("WINDOW", f"Window {number} is paid singly, but those before it are not.")
        if before is not None:
            self._close(before, batch, configuration)
        self._positions.windows[id] = made
        self._positions.live.append(made)
        self._payments.settle_what_is_paid(batch)

    def close(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take one institution's closing: its position, with what its children brought, passes on as a net, rounded."""
        window, node, currency = moved["subject_id"], moved["for_institution_id"], moved["money"]
        net = moved["value"] or 0
        brought = self._brought.pop((window, node, currency), 0)
        left, operator = self._positions.held(window, node, currency) + brought - net, operator_of(configuration)
        position = (int(AccountKind.POSITION), node, currency)
        passes: list[tuple[Key, Key, int, int]] = []
        parent = self._positions.parent(configuration, node, window)
        if parent is None:
            passes.append((position, (int(AccountKind.SETTLEMENT), node, currency), net, int(Purpose.CLOSING)))
        else:
            internal = (int(AccountKind.INTERNAL), self._internals.get((parent, node), 0), currency)
            above = (int(AccountKind.POSITION), parent, currency)
            passes.append((position, internal, net, int(Purpose.CLOSING)))
            passes.append((internal, above, net, int(Purpose.LEVEL)))
            place = (window, parent, currency)
            self._brought[place] = self._brought.get(place, 0) + net
        passes.append((position, (int(AccountKind.ROUNDING), operator, currency), left, int(Purpose.ROUNDING)))
        expected = [
            (*((debit, credit) if amount > 0 else (credit, debit)), abs(amount), purpose)
            for debit, credit, amount, purpose in passes
            if amount
        ]
        self._accounts.compare(moved, legs, expected)
        self._closing[window, node, currency] = net
        if left:
            self.rounded[currency] = self.rounded.get(currency, 0) + left
            self._positions.adjust(configuration, window, node, currency, -left)

    def exchanged(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a net that becomes one of another currency."""
        row = self._fx.check(moved, legs, batch, configuration)
        if row is not None:
            for currency, change in ((row["currency"], -row["net"]), (row["into_currency"], row["value"])):
                self._positions.adjust(configuration, row["window_id"], row["institution_id"], currency, change)

    def _close(self, window: Window, batch: Batch, configuration: Configuration) -> None:
        """Compare the nets of a window that closes with its positions and its movements."""
        window.status, window.closed_in, window.closed_at = WindowStatus.CLOSED, batch.number, batch.at
        window.changed_in = batch.number
        model = None if batch.at is None else in_force(configuration.models.get(window.model, ()), batch.at)
        if batch.at is not None and model is not None and model.calendar is not None:
            cut_off = next_cut_off(model.calendar, window.opened_at)
            window.due_at = cut_off if cut_off is not None and cut_off <= batch.at else None
        nets = {
            (row["institution_id"], row["currency"]): (row["debits"], row["credits"], row["net"])
            for row in batch.rows.get("window_net", ())
            if row["window_id"] == window.id
        }
        positions = {
            (node, currency): (debits, credits)
            for (of, node, currency), (debits, credits, *_) in self._positions.sums.items()
            if of == window.id and (debits or credits)
        }
        pairs: dict[str, dict[Pair, int]] | None = None
        if self._positions.in_pairs(configuration, window.id):
            nets_of_pairs = {
                currency: self._positions.obligations.nets(
                    configuration, window.id, currency, self._positions.obligations.kind(configuration, window.model)
                )
                for currency in sorted({currency for _, currency in positions})
            }
            pairs = {currency: found for currency, found in nets_of_pairs.items() if found is not None}
        levels = self._levels(window, positions, configuration, pairs)
        self._compare(window, nets, positions, levels, configuration)
        self._payments.nets[window.id] = {place: net for place, (_, _, net) in nets.items() if net}
        with_hub = {
            place: net
            for place, net in self._payments.nets[window.id].items()
            if pairs is None and self._positions.parent(configuration, place[0], window.id) is None
        }
        self._payments.payables[window.id] = self._fx.closed(window.id, window.model, with_hub, batch, configuration)
        self._payments.due[window.id] = dict(self._payments.payables[window.id])
        if pairs is not None:
            self._close_pairs(window, batch, configuration, pairs, levels)
            return
        for currency in {currency for _, currency in levels}:
            zero = {node for (node, of), level in levels.items() if of == currency and not level.net}
            self._payments.settle_below(configuration, window.id, zero, currency)
        to_pay = {node for node, _ in self._payments.due[window.id]}
        for node, currency in with_hub:
            if node not in to_pay:  # what was exchanged has cancelled out
                self._payments.settle_below(configuration, window.id, {node}, currency)

    def _compare(
        self,
        window: Window,
        nets: dict[Place, tuple[int, int, int]],
        positions: dict[Place, tuple[int, int]],
        levels: dict[Place, LevelNet],
        configuration: Configuration,
    ) -> None:
        """Hold stated nets and what was closed against what positions and levels give."""
        for place in sorted(nets.keys() | positions.keys() | levels.keys()):
            debits, credits = positions.get(place, (0, 0))
            of = levels.get(place)
            due = credits - debits if of is None else of.net
            if nets.get(place) != (debits, credits, due):
                self._findings.add(
                    "NET",
                    f"Window {window.number}: the net of {_place(configuration, place)} is not what its legs give.",
                )
            moved = self._closing.pop((window.id, *place), None)
            left = 0 if of is None else self._positions.held(window.id, *place) - of.own
            if moved != (due if due or left else None):
                self._findings.add(
                    "NET", f"Window {window.number}: {_place(configuration, place)} was closed with another net."
                )
        for key in [key for key in self._closing if key[0] == window.id]:
            del self._closing[key]
            self._findings.add(
                "NET", f"Window {window.number}: {_place(configuration, key[1:])} was closed, but has no net."
            )
        for key, brought in self._brought.items():
            if self._positions.held(*key) + brought:  # otherwise there was nothing left to pass on
                self._findings.add(
                    "NET", f"Window {window.number}: a parent that takes nets over was not closed after."
                )
        self._brought.clear()

    def _close_pairs(
        self,
        window: Window,
        batch: Batch,
        configuration: Configuration,
        pairs: dict[str, dict[Pair, int]],
        levels: dict[Place, LevelNet],
    ) -> None:
        """Take what each two participants owe one another; who owes nothing and is owed nothing is settled."""
        for change in self._positions.obligations.close(window.id, window.number, batch, configuration, pairs):
            if not self._positions.is_gross(configuration, window.id):
                self._positions.owed(configuration, *change)
        made = self._positions.obligations.made[window.id]
        for currency in sorted({currency for _, currency in levels}):
            owing = {node for *both, of_currency in made if of_currency == currency for node in both}
            done = {
                node
                for node, of_currency in levels
                if of_currency == currency and self._positions.parent(configuration, node, window.id) is None
            }
            self._payments.settle_below(configuration, window.id, done - owing, currency)

    def _levels(
        self,
        window: Window,
        positions: dict[Place, tuple[int, int]],
        configuration: Configuration,
        pairs: dict[str, dict[Pair, int]] | None,
    ) -> dict[Place, LevelNet]:
        """The nets as the positions and the paths give them, on every level; ``pairs``: what each two participants come
        to, by currency, if the window is netted in pairs."""
        found: dict[Place, LevelNet] = {}
        for currency in sorted({currency for _, currency in positions}):
            nodes: dict[str, int] = {}
            exact: dict[str, int] = {}
            parents: dict[str, str] = {}
            for node, of in positions:
                if of != currency:
                    continue
                debits, credits = positions[node, currency]
                exact[code_of(configuration, node)] = credits - debits
                below: int | None = node
                while below is not None:
                    nodes[code_of(configuration, below)] = below
                    above = self._positions.parent(configuration, below, window.id)
                    if above is not None:
                        parents[code_of(configuration, below)] = code_of(configuration, above)
                    below = above
            try:
                settled = None if pairs is None else nets_of(pairs.get(currency, {}))
                nets = roll_up(exact, parents, minor_unit_millionths(currency), settled)
            except (NotBalanced, UnknownMoney) as error:
                self._findings.add("NET", f"Window {window.number} in {currency}: {error}")
                continue
            found.update({(nodes[code], currency): net for code, net in nets.items()})
        return found

    def finish(self, batch: Batch, configuration: Configuration) -> None:
        """Compare the batch's rows that stand for themselves with the windows that it closed."""
        if batch.rows.get("settlement_window") or batch.rows.get("configuration_change"):
            models = {DEFAULT_MODEL, *configuration.models}
            for code in models ^ {one.model for one in self._positions.windows.values()}:
                what = "has no window" if code in models else "has windows, but is none"
                self._findings.add("WINDOW", f"The model {ascii(code)[:40]} {what} in batch {batch.number}.")
        windows = self._positions.windows
        # As one closes, its model's next is opened.
        opened = bool(batch.rows.get("settlement_window"))
        closed = {one.id for one in windows.values() if one.closed_in == batch.number} if opened else set[int]()
        self._fx.finish(batch, closed)
        self._positions.obligations.finish(batch, closed)
        for row in batch.rows.get("window_net", ()):
            if row["window_id"] not in closed:
                self._findings.add("NET", f"There is a net of a window that did not close in batch {batch.number}.")


def _place(configuration: Configuration, place: Place) -> str:
    return f"{code_of(configuration, place[0])} in {place[1]}"
