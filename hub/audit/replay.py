"""Replay: the rows of the journal, batch by batch, in the order in which they were made.

Configuration changes, acts and windows are merged by their identifiers, so each act meets the configuration that was in
force at it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit import baskets, lives, models, versions
from hub.audit.accounts import Accounts
from hub.audit.act import Act
from hub.audit.acts import Acts
from hub.audit.banking import Banking
from hub.audit.breaks import Breaks
from hub.audit.caps import Caps
from hub.audit.closings import Closings
from hub.audit.cover import Cover
from hub.audit.debts import Debts
from hub.audit.defaults import KINDS as OF_DEFAULTS
from hub.audit.defaults import Defaults
from hub.audit.disputes import Disputes
from hub.audit.entries import Batch
from hub.audit.exchanges import Exchanges
from hub.audit.findings import Findings
from hub.audit.holds import Holds
from hub.audit.invoices import Invoices
from hub.audit.limits import Limits
from hub.audit.lots import Lots
from hub.audit.money import Money
from hub.audit.originals import Original, is_reversal, originals
from hub.audit.payments import Payments
from hub.audit.people import People
from hub.audit.positions import Positions
from hub.audit.prepaid import Prepaid
from hub.audit.quotes import Quotes
from hub.audit.relocations import Relocations
from hub.audit.restrictions import Restrictions
from hub.audit.shares import Shares
from hub.audit.terms import Terms
from hub.configuration import Change, Configuration, Noun, decode, with_changes
from hub.cover import Cover as CoverNoun
from hub.currencies import PointCurrency
from hub.institutions import DebitCap, Institution
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind, Phase, Purpose
from hub.models import SettlementModel
from hub.rates import Rate
from hub.versions import Version

_Take = Callable[[Any, list[Any], Batch], None]


class Replay:
    """What the journal's rows make of accounts, lots, holds, limits, positions, windows and bonus caps.

    ``lots_since``: the batch from which on points that end are in lots; those from before have no end. ``flat``: the
    windows that closed before there were levels; ``singly``: those that were paid before payments took effect together.
    """

    def __init__(self, findings: Findings, lots_since: int, flat: frozenset[int], singly: frozenset[int]) -> None:
        self._findings = findings
        self._lots_since = lots_since
        self.configuration = Configuration()
        self.accounts = Accounts(findings)
        self.lots = Lots(findings)
        self.holds = Holds(findings)
        self.positions = Positions(findings)
        self.money = Money(findings, self.accounts, self.positions)
        self.payments = Payments(findings, self.accounts, self.positions)
        self.closings = Closings(findings, self.accounts, self.positions, self.payments, flat, singly)
        self.shares = Shares(findings, self.positions)
        self.exchanges = Exchanges(findings, self.accounts, self.shares)
        self.relocations = Relocations(findings, self.accounts)
        self.breaks = Breaks(findings)
        self.terms = Terms(findings)
        self.disputes = Disputes(findings, self.positions)
        self.acts = Acts(
            findings, self.accounts, self.exchanges, self.relocations, self.breaks, self.shares, self.disputes
        )
        self.limits = Limits(findings, self.accounts)
        self.people = People(findings)
        self.debts = Debts(findings, self.accounts)
        self.restrictions = Restrictions(findings, self.accounts)
        self.caps = Caps(findings)
        self.invoices = Invoices(findings, self.accounts)
        self.cover = Cover(findings, self.accounts, self.positions, self.payments)
        self.defaults = Defaults(findings, self.accounts, self.positions, self.payments)
        self.prepaid = Prepaid(findings, self.accounts)
        self.banking = Banking(findings)
        self.quotes = Quotes(findings)
        self._changes: list[Noun] = []
        self._conversions: dict[int, Any] = {}
        self._originals: dict[int, Original] = {}
        self._entries: dict[int, dict[int, list[Any]]] = {}  # by movement and leg

    async def take(self, connection: AsyncConnection, batch: Batch) -> None:
        """Take the next batch."""
        rows = batch.rows
        self.accounts.open(rows.get("account", ()))
        self.closings.internal(rows.get("internal_account", ()))
        self._conversions = {row["id"]: row for row in rows.get("conversion", ())}
        self._originals = await originals(connection, batch)
        await self.limits.begin(connection, batch, self.configuration, self._originals)
        await self.terms.begin(connection, batch, self._originals)
        self.holds.begin(batch)
        self.restrictions.begin(batch)
        self.debts.begin(batch)
        self.exchanges.begin(batch)
        self.relocations.begin(batch)
        self.breaks.begin(batch)
        self.shares.begin(batch)
        await self.invoices.begin(connection, batch)
        self.disputes.begin(batch)
        self.prepaid.begin(batch)
        self.banking.begin(batch)
        self._entries = {}
        for entry in rows.get("lot_entry", ()):
            self._entries.setdefault(entry[0], {}).setdefault(entry[1], []).append(entry)
        legs = self._post(batch)
        changes, windows = rows.get("configuration_change", []), rows.get("settlement_window", [])
        events: list[tuple[int, _Take, Any]] = [(row["id"], self._act, row) for row in rows.get("movement", ())]
        restrictions, steps = rows.get("restriction", []), rows.get("exchange_step", [])
        evidence, broken = rows.get("exchange_evidence", []), rows.get("break_step", [])
        moves, opening = rows.get("relocation_step", []), rows.get("opening_balance", [])
        billed, covering = rows.get("billing", []), self._covering(rows)
        disputed, signed = rows.get("dispute_step", []), rows.get("acceptance", [])
        said = billed or disputed or signed or covering
        if said or changes or windows or restrictions or steps or evidence or moves or opening or broken:
            events += covering
            events += [(row["id"], self._disputed, row) for row in disputed]
            events += [(row["id"], self._signed, row) for row in signed]
            events += [(row["id"], self._move, row) for row in moves]
            events += [(row["id"], self._opening, row) for row in opening]
            events += [(row["id"], self._step, row) for row in steps]
            events += [(row["id"], self._evidence, row) for row in evidence]
            events += [(row["id"], self._broken, row) for row in broken]
            events += [(row["id"], self._restrict, row) for row in restrictions]
            events += [(row["id"], self._billed, row) for row in billed]
            events += [(row["version"], self._change, row) for row in changes]
            events += [(row["id"], self._window, row) for row in windows]
            events.sort(key=lambda event: event[0])
        for id, take, row in events:
            take(row, legs.pop(id, []), batch)
        for movement in legs:
            self._findings.add(
                "LEG_MOVEMENT", f"There are legs of {ids.text(ids.ENTRY, movement)}, which there is not."
            )
        self._configure()
        self.people.take(batch)
        self.acts.finish(batch, self.positions.windows, self.people.subjects, self.configuration)
        self.holds.finish()
        self.debts.finish(batch)
        self.exchanges.finish()
        self.breaks.finish()
        self.shares.finish()
        self.invoices.finish()
        self.cover.finish()
        self.prepaid.finish()
        self.defaults.finish()
        self.payments.finish(batch)
        self.closings.finish(batch, self.configuration)
        self.money.finish()
        self.disputes.finish()
        self.limits.finish()
        self.terms.finish()
        self.banking.finish()
        baskets.check(batch, self._findings)

    def _post(self, batch: Batch) -> dict[int, list[Any]]:
        """Post the batch's legs with what they change in lots; answers them by movement."""
        kinds = {row["id"]: self._use(row) for row in batch.rows.get("movement", ())}
        legs: dict[int, list[Any]] = {}
        posted = 0  # entries
        for leg in batch.rows.get("leg", ()):
            movement = leg[0]
            debit, credit = self.accounts.post(leg)
            entries = self._entries.get(movement, {}).get(leg[1], ())
            if entries or (debit is not None and debit.aged):
                self.lots.post(leg, debit, credit, entries, kinds.get(movement, 0), batch.at)
                posted += len(entries)
            of_partner = debit is not None and debit.key[0] == AccountKind.PARTNER
            if leg[2] != Phase.POSTED and (leg[3] != Purpose.POINTS or of_partner):
                self.exchanges.post(leg)
            legs.setdefault(movement, []).append(leg)
        if posted != len(batch.rows.get("lot_entry", ())):
            self._findings.add("LOT_ENTRY", f"Batch {batch.number} changes lots by legs that there are not.")
        return legs

    def _use(self, moved: Any) -> int:
        """The kind of act that a movement is for lots: what converts at the end of an exchange takes what was held."""
        kind: int = moved["kind"]
        held = kind in (MovementKind.CONVERT, MovementKind.REVERSE) and moved["subject_id"] in self.exchanges.open
        return int(MovementKind.CAPTURE) if held else kind

    def _step(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self._configure()
        self.exchanges.step(row, self.configuration)

    def _evidence(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self._configure()
        self.exchanges.evidence(row, self.configuration)

    def _move(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.relocations.step(row, batch, self.configuration)

    def _opening(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self.relocations.balance(row)

    def _broken(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self._configure()
        self.breaks.step(row, self.configuration)

    def _billed(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.invoices.billed(row, batch, self.configuration)

    def _disputed(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.disputes.step(row, self.configuration, batch)

    def _signed(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self._configure()
        self.disputes.acceptance(row, self.configuration)

    def _covering(self, rows: dict[str, list[Any]]) -> list[tuple[int, _Take, Any]]:
        """What a batch says of cover, of nets that were not paid, and of what is paid ahead; and what banks say."""
        tables: tuple[tuple[str, _Take], ...] = (
            ("cover_entry", self._cover_entry),
            ("cover_decision", self._cover_decision),
            ("settlement_default", self._default),
            ("default_step", self._default_step),
            ("prepaid_block", self._block),
            ("prepaid_step", self._block_step),
            ("prepaid_notice", self._prepaid_notice),
            ("bank_file", self._bank_file),
        )
        return [(row["id"], take, row) for table, take in tables for row in rows.get(table, ())]

    def _cover_entry(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self.cover.entry(row)

    def _cover_decision(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self._configure()
        self.cover.decision(row, self.configuration)

    def _default(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self.defaults.proposed(row)

    def _default_step(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.defaults.step(row, batch, self.configuration)

    def _block(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.prepaid.offer(row, batch, self.configuration)

    def _block_step(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.prepaid.step(row, batch, self.configuration)

    def _bank_file(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.banking.file(row, batch, self.configuration)

    def _prepaid_notice(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self.prepaid.notice(row, batch)

    def _change(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        change = Change(*row)
        try:
            noun = decode(change)
        except (msgspec.DecodeError, KeyError):
            self._findings.add(
                "CONFIGURATION", f"The configuration's change {row['version']:x} is no {ascii(row['noun'])[:40]}."
            )
            return
        if isinstance(noun, PointCurrency):
            self._configure()
            self.relocations.configured(self.configuration.currencies.get(noun.id), noun)
        if isinstance(noun, Institution):
            self._configure()
            self._check_zones(noun, batch)
        if isinstance(noun, Version):
            self._configure()
            by = self.configuration.credentials.get(change.credential)
            versions.check(self._findings, change, self.configuration.known_version(noun.id), noun, by)
        if isinstance(noun, Rate):
            self.quotes.configured(change, noun, batch)
        if isinstance(noun, DebitCap):
            self._configure()
            before = self.configuration.caps.get((noun.institution, noun.currency))
            self.caps.take(change, noun, before, self.configuration)
        if isinstance(noun, CoverNoun):
            self._configure()
            standing = self.configuration.covers.get((noun.institution, noun.currency))
            self.cover.terms(change, noun, standing, self.configuration)
        if isinstance(noun, SettlementModel):
            self._configure()
            models.check(self._findings, noun, self.configuration, batch.at)
        self._changes.append(noun)

    def _check_zones(self, after: Institution, batch: Batch) -> None:
        """Zones change from their date on, never in the past."""
        before = self.configuration.institutions.get(after.id)
        known = set() if before is None else set(before.zone_versions)
        begins = [version.starts for version in set(after.zone_versions) ^ known]
        changed = before is not None and before.zones != after.zones
        if changed or (batch.at is not None and any(starts < batch.at for starts in begins)):
            self._findings.add("ZONES", f"The zones of {after.code} were changed in the past.")

    def _configure(self) -> None:
        if self._changes:
            self.configuration = with_changes(self.configuration, 0, self._changes)
            if any(isinstance(noun, Institution) for noun in self._changes):
                self.positions.forget_paths()
            self._changes = []

    def _restrict(self, row: Any, _legs: list[Any], _batch: Batch) -> None:
        self.restrictions.take(row)

    def _window(self, row: Any, _legs: list[Any], batch: Batch) -> None:
        self._configure()
        self.closings.open(row, batch, self.configuration)

    def _act(self, moved: Any, legs: list[Any], batch: Batch) -> None:
        if self._changes:
            self._configure()
        match moved["kind"]:
            case MovementKind.CLOSE:
                self.closings.close(moved, legs, self.configuration)
            case MovementKind.EXCHANGE_NET:
                self.closings.exchanged(moved, legs, batch, self.configuration)
            case MovementKind.SETTLE:
                self.payments.settle(moved, legs, batch, self.configuration)
            case MovementKind.PAY:
                self.money.pay(moved, legs, self.configuration)
            case MovementKind.BILL | MovementKind.CREDIT:
                self.invoices.posted(moved, legs, self.configuration)
                self.money.act(moved, legs, self.configuration, batch.at, promised=True)
            case MovementKind.COVER:
                self.cover.check(moved, legs, self.configuration)
            case MovementKind.PREPAY | MovementKind.PREPAY_REFUND:
                self.prepaid.posted(moved, legs, batch, self.configuration)
                self.money.act(moved, legs, self.configuration, batch.at)
            case kind if kind in OF_DEFAULTS:
                self.defaults.check(moved, legs, batch, self.configuration)
            case _:
                act = self._whole(moved, legs, batch)
                if drawn := self.prepaid.drawn(moved["id"]):
                    act = replace(act, drawn=drawn)
                of_exchange = self.exchanges.is_of(moved)
                self.acts.check(act)
                if batch.number >= self._lots_since:
                    lives.check(act, self._findings)
                self.holds.check(act)
                self.limits.check(act)
                self.terms.check(act)
                self.debts.check(act)
                self.restrictions.check(act)
                self.relocations.check(act)
                self.prepaid.check(act)
                if of_exchange:
                    way, promised = self.exchanges.way(moved), moved["kind"] not in ACCEPTED
                    if way is not None and not way.window:
                        way.window = self.positions.open_window()
                    of = 0 if way is None else way.window
                    self.money.act(moved, legs, self.configuration, batch.at, of, promised=promised)
                elif self.disputes.is_of(moved):  # no cap bounds what was counted wrongly
                    self.money.act(moved, legs, self.configuration, batch.at, promised=True)
                elif len(legs) > 1:  # money comes with points
                    self.money.act(moved, legs, self.configuration, batch.at)

    def _whole(self, moved: Any, legs: list[Any], batch: Batch) -> Act:
        """A movement with all rows that belong to it."""
        subject, entries = moved["subject_id"], self._entries.get(moved["id"], {})
        over_partners = self.exchanges.is_of(moved)
        if moved["kind"] == MovementKind.ACCEPT:
            subject = moved["id"]  # it is the conversion's own
        owing = self.debts.touching(legs)
        if subject is None:
            return Act(moved, legs, entries, batch.at, self.configuration, owing=owing, over_partners=over_partners)
        way = self.exchanges.open.get(subject)
        original, before = None, 0
        if is_reversal(moved) or moved["kind"] == MovementKind.ACCEPT_REVERSE:
            original = self._originals.get(subject)
        if original is not None:
            before = original.reversed
            original.reversed += moved["amount"] if is_reversal(moved) else 0
        return Act(
            moved,
            legs,
            entries,
            batch.at,
            self.configuration,
            self._conversions.get(subject) or (None if way is None else way.row),
            original,
            before,
            self.holds.open.get(subject),
            owing,
            self.debts.missing(moved["id"]),
            over_partners,
        )
