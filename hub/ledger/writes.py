"""Writes: how a batch's rows go into the tables. A table is one line here; all that a batch touched is one statement.

Rows are given as arrays and unnested, all tables in one statement of common table expressions, because a round trip
costs more than a row. The statement's text depends only on which tables and columns a batch touched, so that its plans
are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, LargeBinary, SmallInteger, Table, Text

from hub import tables
from hub.channels import Channel
from hub.ledger import journal
from hub.ledger.arrays import array, octets
from hub.ledger.journal import JOURNAL_ID, Row

_TYPES: dict[type[Any], str] = {
    BigInteger: "bigint",
    Integer: "integer",
    SmallInteger: "smallint",
    Text: "text",
    LargeBinary: "bytea",
    Boolean: "boolean",
    DateTime: "timestamptz",
}


@dataclass(frozen=True)
class Write:
    """How rows go into a table: the columns they come in, and the columns that an existing row takes over.

    No ``updates``: rows are only inserted, and a column that is null in all of them is left out. ``updates`` without
    ``upsert``: the rows exist, found by ``keys``. With ``upsert`` an existing row takes the ``updates`` over, adds
    ``sums`` to what it has, and keeps the least of ``least``. ``deletes``: the rows named by the columns go.
    """

    name: str
    table: Table
    columns: tuple[str, ...]
    updates: tuple[str, ...] = ()
    upsert: bool = False
    keys: tuple[str, ...] = ("id",)
    sums: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    deletes: bool = False

    def sql(self, columns: Iterable[str], first_parameter: int) -> str:
        """The write of these columns, whose arrays are the parameters from the first one on."""
        arrays = [f"${parameter}{self._array(column)}" for parameter, column in enumerate(columns, first_parameter)]
        listed = ", ".join(f'"{column}"' for column in columns)
        name = self.table.name
        rows = f"unnest({', '.join(arrays)}) AS u ({listed})"
        if self.deletes:
            return f"DELETE FROM {name} t USING {rows} WHERE {self._found(first_parameter)}"
        if self.updates and not self.upsert:
            changes = ", ".join(f'"{column}" = u."{column}"' for column in self.updates)
            return f"UPDATE {name} t SET {changes} FROM {rows} WHERE {self._found(first_parameter)}"
        # Array by array among what is selected, so that each row is made and inserted at once; in FROM every array's
        # elements would be stored first.
        values = ", ".join(f"unnest({one})" for one in arrays)
        insert = f"INSERT INTO {name} (journal_id, {listed}) SELECT {JOURNAL_ID}, {values}"
        if self.upsert:
            keys = [f'"{column.name}"' for column in self.table.primary_key.columns]
            changes = ", ".join(
                [f'"{column}" = excluded."{column}"' for column in self.updates]
                + [f'"{column}" = {name}."{column}" + excluded."{column}"' for column in self.sums]
                + [f'"{column}" = least({name}."{column}", excluded."{column}")' for column in self.least]
            )
            insert += f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
        return insert

    def _found(self, first_parameter: int) -> str:
        """Which rows of the table are those that are named."""
        found = f"t.journal_id = {JOURNAL_ID}" + "".join(f" AND t.{key} = u.{key}" for key in self.keys)
        if len(self.keys) == 1:
            # The rows are named twice, so that they are found by their key and only then joined. Of a longer key the
            # first column alone may name ten thousand rows, and to join them took seconds.
            found += f" AND t.{self.keys[0]} = ANY(${first_parameter}{self._array(self.keys[0])})"
        return found

    def _array(self, column: str) -> str:
        """How a parameter becomes an array of a column's values."""
        return f"::text::{_TYPES[type(self.table.c[column].type)]}[]"

    def parameters(self, rows: Sequence[Row]) -> dict[str, object]:
        """The columns of ``rows`` that are written, as the statement takes them."""
        return {
            column: as_array(values)
            for (column, as_array, is_optional), values in zip(self._arrays, zip(*rows, strict=True), strict=True)
            if not is_optional or values.count(None) < len(values)
        }

    @cached_property
    def _arrays(self) -> tuple[tuple[str, Callable[[Any], str], bool], ...]:
        """The columns, how each is written as an array, and whether it may be left out."""
        found = [(name, self.table.c[name]) for name in self.columns]
        return tuple(
            (
                name,
                octets if isinstance(column.type, LargeBinary) else array,
                bool(column.nullable and not self.updates),
            )
            for name, column in found
        )


def _inserts(hashed: journal.Hashed, *more: str) -> Write:
    return Write(hashed.table.name, hashed.table, tuple(column.name for column in hashed.columns) + more)


_COUNTERS = ("debits_posted", "credits_posted", "debits_pending", "credits_pending", "aged", "marks")
_LOT = ("account_id", "expires_at", "origin")
_PROGRESS = ("status", "reached", "accounts", "cleared", "pinned", "ageless", "ended_at")
_SUMS = ("debits", "credits", "subtree", "apart", "gross")
_TIMES = ("closed_at", "settled_at", "closed_in", "due_at")  # of a window
_STANDING = (
    *("state", "order_reference", "in_doubt", "taken", "partner_taken", "window_id", "refusal", "details"),
    "changed_in",
)
_RELOCATED = (
    *("status", "approved_by", "round", "reached", "customers", "ours", "theirs", "differing", "more", "less"),
    *("digest", "accepted_by", "accepted", "moved", "ended_at"),
)
_BREAK = ("type", "figures", "status", "owner_id", "proposal_id")
_BLOCK = ("status", "sold_id", "drawn", "refunded", "proposal_id")
_DISPUTE = ("status", "outcome", "proposal_id", "corrected")
_BY_NAME = {hashed.table.name: hashed for hashed in journal.HASHED}
WRITES: dict[str, Write] = {
    write.name: write
    for write in (
        _inserts(_BY_NAME["configuration_change"]),
        _inserts(_BY_NAME["customer"]),
        Write("customer_reference", tables.customer_reference, ("customer_id", "institution_id", "reference")),
        _inserts(_BY_NAME["customer_profile"]),
        _inserts(_BY_NAME["pool"]),
        _inserts(_BY_NAME["pool_member"]),
        _inserts(_BY_NAME["pool_use"]),
        _inserts(_BY_NAME["account"], *_COUNTERS),
        Write("account counters", tables.account, ("id", *_COUNTERS), _COUNTERS),
        _inserts(_BY_NAME["outcome"]),
        _inserts(_BY_NAME["movement"]),
        _inserts(_BY_NAME["act_terms"]),
        Write("memo", tables.memo, ("movement_id", "text")),
        _inserts(_BY_NAME["leg"]),
        _inserts(_BY_NAME["fee_share"]),
        _inserts(_BY_NAME["lot_entry"]),
        Write(
            "lot",
            tables.lot,
            (*_LOT, "earned_at", "id", "amount", "held"),
            upsert=True,
            sums=("amount", "held"),
            least=("earned_at",),
        ),
        Write(
            "lot change",
            tables.lot,
            (*_LOT, "earned_at", "amount", "held"),
            ("earned_at", "amount", "held"),
            keys=_LOT,
        ),
        Write("lot end", tables.lot, _LOT, keys=_LOT, deletes=True),
        _inserts(_BY_NAME["hold"], "status", "captured", "resolved_by"),
        Write(
            "hold end",
            tables.hold,
            ("id", "status", "captured", "resolved_by"),
            ("status", "captured", "resolved_by"),
        ),
        _inserts(_BY_NAME["clearing"], *_PROGRESS),
        Write("clearing progress", tables.clearing, ("id", *_PROGRESS), _PROGRESS),
        _inserts(_BY_NAME["missing"]),
        _inserts(_BY_NAME["restriction"]),
        Write("customer_mark", tables.customer_mark, ("customer_id", "marks"), ("marks",), upsert=True),
        Write("issue_record", tables.issue_record, ("currency", "record", "movement_id")),
        _inserts(_BY_NAME["cancellation"]),
        _inserts(_BY_NAME["basket"]),
        _inserts(_BY_NAME["quote"], "used_by", "cancelled"),
        Write("quote use", tables.quote, ("id", "used_by", "cancelled"), ("used_by", "cancelled")),
        _inserts(_BY_NAME["conversion"], "status", "changed_in", "completed_at"),
        Write(
            "conversion status",
            tables.conversion,
            ("id", "status", "changed_in", "completed_at"),
            ("status", "changed_in", "completed_at"),
        ),
        Write("exchange", tables.exchange, ("id", *_STANDING), _STANDING, upsert=True),
        _inserts(_BY_NAME["exchange_step"]),
        _inserts(_BY_NAME["partner_order"]),
        _inserts(_BY_NAME["exchange_evidence"]),
        _inserts(_BY_NAME["reconciliation"]),
        _inserts(_BY_NAME["reconciliation_break"], *_BREAK),
        Write("break standing", tables.reconciliation_break, ("id", *_BREAK), _BREAK),
        _inserts(_BY_NAME["break_step"]),
        _inserts(_BY_NAME["acceptance"]),
        _inserts(_BY_NAME["dispute"], *_DISPUTE),
        Write("dispute standing", tables.dispute, ("id", *_DISPUTE), _DISPUTE),
        _inserts(_BY_NAME["dispute_step"]),
        Write("partner_call", tables.partner_call, ("reference", "currency", "due_at", "attempts")),
        Write("partner_call end", tables.partner_call, ("reference",), keys=("reference",), deletes=True),
        _inserts(_BY_NAME["relocation"], *_RELOCATED),
        Write("relocation progress", tables.relocation, ("id", *_RELOCATED), _RELOCATED),
        _inserts(_BY_NAME["relocation_step"]),
        _inserts(_BY_NAME["opening_balance"]),
        Write("bonus_use", tables.bonus_use, ("rate_id", "bonus", "customer_id", "used"), ("used",), upsert=True),
        _inserts(_BY_NAME["limit_entry"]),
        Write("limit_use", tables.limit_use, ("limit_id", "subject_id", "period", "used"), ("used",), upsert=True),
        _inserts(_BY_NAME["clipping"]),
        _inserts(_BY_NAME["act_label"]),
        _inserts(_BY_NAME["binding"]),
        Write("identifier", tables.identifier, ("id", "institution_id", "text")),
        _inserts(_BY_NAME["customer_link"]),
        _inserts(_BY_NAME["settlement_window"], "status", "changed_in", *_TIMES, "levels", "together", "ordinal"),
        Write(
            "window status",
            tables.settlement_window,
            ("id", "status", *_TIMES, "changed_in"),
            ("status", *_TIMES, "changed_in"),
        ),
        Write(
            "position",
            tables.position,
            ("window_id", "institution_id", "currency", *_SUMS),
            _SUMS,
            upsert=True,
        ),
        Write(
            "pair_position",
            tables.pair_position,
            ("window_id", "first_id", "second_id", "currency", "debits", "credits"),
            ("debits", "credits"),
            upsert=True,
        ),
        _inserts(_BY_NAME["window_net"]),
        _inserts(_BY_NAME["net_exchange"]),
        _inserts(_BY_NAME["obligation"]),
        _inserts(_BY_NAME["obligation_payment"]),
        _inserts(_BY_NAME["internal_account"]),
        _inserts(_BY_NAME["confirmation"]),
        _inserts(_BY_NAME["billing"]),
        _inserts(_BY_NAME["invoice"]),
        _inserts(_BY_NAME["invoice_line"]),
        _inserts(_BY_NAME["confirmation_file"]),
        _inserts(_BY_NAME["cover_entry"]),
        _inserts(_BY_NAME["cover_decision"]),
        _inserts(_BY_NAME["settlement_default"]),
        _inserts(_BY_NAME["default_step"]),
        _inserts(_BY_NAME["prepaid_block"], *_BLOCK),
        Write("block standing", tables.prepaid_block, ("id", *_BLOCK), _BLOCK),
        _inserts(_BY_NAME["prepaid_step"]),
        _inserts(_BY_NAME["prepaid_draw"]),
        _inserts(_BY_NAME["prepaid_notice"]),
        _inserts(_BY_NAME["bank_file"]),
        _inserts(_BY_NAME["bank_balance"]),
    )
}


# Where a batch is announced that has rows of these writes.
ANNOUNCED: dict[Channel, frozenset[str]] = {
    Channel.CONFIGURATION: frozenset({"configuration_change"}),
    Channel.ACTS: frozenset({"conversion status", "exchange"}),
    Channel.WINDOWS: frozenset({"settlement_window", "window status"}),
    Channel.CALLS: frozenset({"partner_call", "partner_call end"}),
}


Tables = tuple[tuple[str, tuple[str, ...]], ...]  # what is written, and which of its columns


@lru_cache(maxsize=256)
def statement(written: Tables) -> str:
    """One statement that writes these tables' columns. It answers a number, because asyncpg (0.32) writes eight bytes
    beyond a row without columns when it lets go of it."""
    return f"WITH {', '.join(_parts(written, 1))} SELECT 1"


@lru_cache(maxsize=256)
def closing_statement(written: Tables) -> str:
    """The same with the entry and the head, and it wakes who listens on the channels $8."""
    entry = (
        "entry AS (INSERT INTO journal_entry (journal_id, batch, at, previous, content, hash, rows)"
        f" VALUES ({JOURNAL_ID}, $1, $2, $3, $4, $5, $6))"
    )
    head = (
        "head AS (UPDATE journal_head SET batch = $1, at = $2, hash = $5, configuration_version = $7"
        f" WHERE journal_id = {JOURNAL_ID})"
    )
    announced = "SELECT pg_notify(channel, '') FROM unnest($8::text[]) channel"
    return f"WITH {', '.join([entry, head, *_parts(written, 9)])} {announced}"


def _parts(written: Tables, parameter: int) -> list[str]:
    parts = []
    for place, (name, columns) in enumerate(written):
        parts.append(f"w{place} AS ({WRITES[name].sql(columns, parameter)})")
        parameter += len(columns)
    return parts
