"""A database in memory that plays PostgreSQL for the ledger, as far as batches use it.

``hub.ledger.load`` and ``hub.ledger.rows`` run unchanged on it: selects are evaluated over rows, and the few statements
that are written as text have their double here. Rows are written as ``hub.ledger.writes`` declares it. That all of this
does what PostgreSQL does is shown by ``test_memory.py``: one history, both ways.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, Select, Table, UniqueConstraint
from sqlalchemy.sql import elements, functions, operators, selectable
from sqlalchemy.sql.visitors import iterate

from hub import tables
from hub.channels import Channel
from hub.ledger import (
    account_rows,
    journal,
    limit_rows,
    load,
    lot_rows,
    people,
    pool_rows,
    profile_rows,
    window_rows,
)
from hub.ledger.journal import JOURNAL_ID, Head
from hub.ledger.store import Batch
from hub.ledger.writes import WRITES, Write

Stored = dict[str, Any]
Env = dict[str, Any]  # a row of each table
_T = TypeVar("_T")


class UniqueViolation(Exception):
    """Two rows with one key."""


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine that never waits comes to."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


class Row(tuple[Any, ...]):
    """A row as drivers give it: by place, by name, and by attribute."""

    names: dict[str, int]

    @classmethod
    def of(cls, names: dict[str, int], values: Iterable[Any]) -> "Row":
        made = cls(values)
        made.names = names
        return made

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.names[key] if isinstance(key, str) else key)

    def __getattr__(self, name: str) -> Any:
        try:
            return tuple.__getitem__(self, self.names[name])
        except KeyError:
            raise AttributeError(name) from None


class Result(list[Row]):
    """What a select found."""

    def mappings(self) -> "Result":
        return self

    def all(self) -> "Result":
        return self


class Memory:
    """Rows by table and primary key. A stored row is never changed, so that a copy of the tables is a snapshot."""

    def __init__(self, rows: dict[str, dict[tuple[Any, ...], Stored]] | None = None) -> None:
        self.rows = rows or {table.name: {} for table in tables.metadata.tables.values()}
        self.announced: set[Channel] = set()  # with commits, and not taken yet

    def copy(self) -> "Memory":
        return Memory({name: dict(found) for name, found in self.rows.items()})

    def state(self) -> dict[str, list[Stored]]:
        """The rows of every table."""
        return {name: list(found.values()) for name, found in self.rows.items()}

    def fill(self, name: str, found: Iterable[Any]) -> None:
        """Take rows over that were read elsewhere."""
        table = tables.metadata.tables[name]
        for row in found:
            self._put(table, dict(row))

    # --- writing ---------------------------------------------------------------------------------------------------

    def head(self, clock: journal.Clock, now: datetime) -> Head:
        [row] = self.rows["journal_head"].values()
        found = journal._head({**row, "now": now}, clock)
        assert found is not None
        return found

    def begin(self, now: datetime) -> None:
        """The head of an empty journal."""
        head = {"journal_id": JOURNAL_ID, "batch": 0, "hash": journal.GENESIS, "at": now, "configuration_version": 0}
        self.rows["journal_head"][JOURNAL_ID,] = head

    def commit(self, batch: Batch, head: Head) -> None:
        """Write a batch's rows, its entry and the head, or nothing of it."""
        batch.finish()
        closing = batch.closing(head)
        if closing is None:
            return
        before = self.rows
        self.rows = {name: dict(found) for name, found in before.items()}
        try:
            for name, write in WRITES.items():
                for row in batch.rows.get(name, ()):
                    self._write(write, dict(zip(write.columns, row, strict=True)))
            number, at = batch.book.batch, batch.book.at
            entry = {"batch": number, "at": at, "hash": closing.hash}
            whole = {"previous": head.hash, "content": closing.content, "rows": closing.rows}
            self._put(tables.journal_entry, {"journal_id": JOURNAL_ID, **entry, **whole})
            self.rows["journal_head"][JOURNAL_ID,] = {
                "journal_id": JOURNAL_ID,
                **entry,
                "configuration_version": closing.configuration_version,
            }
            self.announced.update(batch.channels())
        except Exception:
            self.rows = before
            raise

    def _write(self, write: Write, values: Stored) -> None:
        row = {"journal_id": JOURNAL_ID, **values}
        stored = self.rows[write.table.name]
        primary = tuple(row.get(column.name) for column in write.table.primary_key.columns)
        if write.deletes:
            stored.pop(primary, None)
        elif write.upsert and primary in stored:
            old = stored[primary]
            stored[primary] = {
                **old,
                **{name: row[name] for name in write.updates},
                **{name: old[name] + row[name] for name in write.sums},
                **{name: min(old[name], row[name]) for name in write.least},
            }
        elif write.updates and not write.upsert:
            if primary in stored:
                stored[primary] = {**stored[primary], **{name: row[name] for name in write.updates}}
        else:
            self._put(write.table, row)

    def _put(self, table: Table, row: Stored) -> None:
        stored = self.rows[table.name]
        whole = dict.fromkeys(table.columns.keys()) | row
        primary = tuple(whole[column.name] for column in table.primary_key.columns)
        if primary in stored or any(_same(stored, names, whole) for names in _UNIQUE[table.name]):
            raise UniqueViolation(table.name, primary)
        stored[primary] = whole

    # --- reading: what SQLAlchemy is asked ----------------------------------------------------------------------------

    async def execute(self, statement: Select[Any]) -> Result:
        """A select of the kinds that the ledger writes: columns of tables that are joined by equality."""
        return PLANS.of(statement)(self)

    # --- reading: what is written as text -----------------------------------------------------------------------------

    async def fetch(self, statement: str, *parameters: Any) -> list[Row]:
        """The double of a statement of the hot path."""
        return list(_DOUBLES[statement](self, *parameters))

    def outcomes(self, homes: str, keys: str) -> Iterator[Row]:
        for home, key in zip(numbers(homes), listed(keys, str), strict=True):
            row = self.rows["outcome"].get((JOURNAL_ID, home, key))
            if row is not None:
                yield picked(row, "institution_id key request refusal details subject_id")

    def parties(self, homes: list[int], references: list[str], currencies: list[str]) -> Iterator[Row]:
        for home, reference, currency in zip(homes, references, currencies, strict=True):
            known = self.rows["customer_reference"].get((JOURNAL_ID, home, reference))
            if known is None:
                continue
            account: Stored = {}
            for row in self.rows["account"].values():
                if (row["owner_id"], row["currency"], row["kind"]) == (known["customer_id"], currency, 1):
                    account = row
            who = {"institution_id": home, "reference": reference, "customer_id": known["customer_id"]}
            columns = [account.get(name) for name in _ACCOUNT.split()]
            is_pool = None if account else (JOURNAL_ID, known["customer_id"]) in self.rows["pool"]
            marked = self.rows["customer_mark"].get((JOURNAL_ID, known["customer_id"]))
            yield Row.of({}, [*who.values(), *columns, marked and marked["marks"], is_pool])

    def accounts_of(self, owners: str) -> Iterator[Row]:
        wanted = set(numbers(owners))
        yield from (picked(row, _ACCOUNT) for row in self.rows["account"].values() if row["owner_id"] in wanted)
        for row in self.rows["customer_mark"].values():
            if row["customer_id"] in wanted:
                yield Row.of({}, [0, 0, row["customer_id"], "", 0, 0, 0, 0, 0, row["marks"]])

    def accounts_by_id(self, wanted: str) -> Iterator[Row]:
        found = (self.rows["account"].get((JOURNAL_ID, number)) for number in numbers(wanted))
        return (picked(row, _ACCOUNT) for row in found if row is not None)

    def windows(self) -> list[Row]:
        live = [row for row in self.rows["settlement_window"].values() if row["status"] != "SETTLED"]
        names = " ".join(tables.settlement_window.columns.keys())
        return [picked(row, names) for row in sorted(live, key=operator.itemgetter("number"))]

    def positions(self, windows: list[int], nodes: list[int] | None) -> Iterator[Row]:
        for row in self.rows["position"].values():
            if row["window_id"] in windows and (nodes is None or row["institution_id"] in nodes):
                yield picked(row, "window_id institution_id currency debits credits subtree apart gross")

    def lots(self, accounts: str, units: str, beyond: str, at: datetime, most: int) -> Iterator[Row]:
        for account, wanted, after in zip(numbers(accounts), numbers(units), listed(beyond, datetime), strict=True):
            mine = [row for row in self.rows["lot"].values() if row["account_id"] == account]
            yield from (picked(row, _LOT) for row in mine if row["expires_at"] <= at)
            if wanted > 0:
                later = sorted(row["expires_at"] for row in mine if row["expires_at"] > after)
                last = later[: int(most)][-1] if later else after  # with all that end with it
                yield from (picked(row, _LOT) for row in mine if after < row["expires_at"] <= last)

    def limits_used(self, limits: list[int], subjects: list[int], periods: list[str]) -> Iterator[Row]:
        for limit, subject, period in zip(limits, subjects, periods, strict=True):
            row = self.rows["limit_use"].get((JOURNAL_ID, subject, limit, period))
            if row is not None:
                yield picked(row, "limit_id subject_id period used")

    def limits_counted(self, movements: list[int]) -> Iterator[Row]:
        wanted = set(movements)
        found = [row for row in self.rows["limit_entry"].values() if row["movement_id"] in wanted]
        for row in sorted(found, key=operator.itemgetter("movement_id", "n")):
            yield picked(row, "movement_id n limit_id subject_id period amount")

    def profiles(self, customers: str) -> Iterator[Row]:
        wanted = set(numbers(customers))
        latest = {row["customer_id"]: row for row in sorted(self.rows["customer_profile"].values(), key=_BY_ID)}
        return (picked(row, "id customer_id type groups credential_id") for of, row in latest.items() if of in wanted)

    def members(self, pools: str, customers: str) -> Iterator[Row]:
        of, wanted = set(numbers(pools)), set(numbers(customers))
        rows = sorted(self.rows["pool_member"].values(), key=_BY_ID)
        latest = {(row["pool_id"], row["customer_id"]): row for row in rows}
        names = "id pool_id customer_id rights credential_id"
        return (picked(row, names) for (pool, one), row in latest.items() if pool in of and one in wanted)

    def free(self, accounts: str) -> Iterator[Row]:
        for account in numbers(accounts):
            mine = [row for row in self.rows["lot"].values() if row["account_id"] == account]
            if mine:
                free = sum(row["amount"] - row["held"] for row in mine)
                yield picked({"account_id": account, "free": free}, "account_id free")

    def people(self, wanted: str) -> Iterator[Row]:
        names = {row["customer_id"]: row["reference"] for row in self.rows["customer_reference"].values()}
        for id in numbers(wanted):
            row = self.rows["customer"].get((JOURNAL_ID, id))
            if row is not None:
                yield picked({**row, "reference": names.get(id)}, "id institution_id reference")

    def owners(self, _homes: list[int], _names: list[str], _currencies: list[str]) -> Iterator[Row]:
        return iter(())  # nothing is bound in a history

    def lots_of(self, movements: str) -> Iterator[Row]:
        wanted = set(numbers(movements))
        keys = {
            (JOURNAL_ID, entry["account_id"], entry["expires_at"], entry["origin"]): None
            for entry in self.rows["lot_entry"].values()
            if entry["movement_id"] in wanted
        }
        return (picked(self.rows["lot"][key], _LOT) for key in keys if key in self.rows["lot"])


_BY_ID = operator.itemgetter("id")
_ACCOUNT = "id kind owner_id currency debits_posted credits_posted debits_pending credits_pending aged marks"
_LOT = "account_id expires_at origin earned_at id amount held"
_UNIQUE = {
    table.name: [
        tuple(column.name for column in rule.columns)
        for rule in table.constraints
        if isinstance(rule, UniqueConstraint)
    ]
    for table in tables.metadata.tables.values()
}
_DOUBLES: dict[str, Callable[..., Iterable[Row]]] = {
    load._OUTCOMES: Memory.outcomes,
    load._PARTIES: Memory.parties,
    account_rows._BY_OWNER: Memory.accounts_of,
    account_rows._BY_ID: Memory.accounts_by_id,
    window_rows._WINDOWS: Memory.windows,
    window_rows._POSITIONS: Memory.positions,
    lot_rows._LOTS: Memory.lots,
    pool_rows._MEMBERS: Memory.members,
    profile_rows.LATEST: Memory.profiles,
    limit_rows._USES: Memory.limits_used,
    limit_rows._ENTRIES: Memory.limits_counted,
    lot_rows._LOTS_OF: Memory.lots_of,
    lot_rows._FREE: Memory.free,
    lot_rows._PEOPLE: Memory.people,
    people._OWNERS: Memory.owners,
}


def _same(stored: dict[tuple[Any, ...], Stored], names: tuple[str, ...], row: Stored) -> bool:
    wanted = [row[name] for name in names]
    return any([other[name] for name in names] == wanted for other in stored.values())


def listed(text: str, kind: type[_T]) -> list[_T]:
    """What is in an array's text, none of it null or with anything to escape."""
    return msgspec.json.decode(f"[{text[1:-1]}]", type=list[kind])  # type: ignore[valid-type]


def numbers(text: str) -> list[int]:
    """Whole numbers out of an array's text."""
    return listed(text, int)


_NAMES: dict[str, dict[str, int]] = {}


def picked(row: Stored, names: str) -> Row:
    """Some columns of a row."""
    places = _NAMES.get(names)
    if places is None:
        places = _NAMES[names] = {name: place for place, name in enumerate(names.split())}
    return Row.of(places, [row[name] for name in places])


# --- selects ----------------------------------------------------------------------------------------------------------

_COMPARISONS: dict[Any, str] = {
    operators.eq: "==",
    operators.ne: "!=",
    operators.lt: "<",
    operators.le: "<=",
    operators.gt: ">",
    operators.ge: ">=",
}
_PARAMETERS = ""  # where a row's environment has the statement's parameters
Expression = Callable[[Env], Any]


class Plan:
    """How a select is evaluated, whatever its parameters are."""

    def __init__(self, statement: Select[Any], parameters: list[Any]) -> None:
        self._places = {parameter.key: place for place, parameter in enumerate(parameters)}
        self._sets: set[int] = set()  # parameters of which only the elements count
        self._parameters = parameters
        self._named = 0  # values within expressions
        self._inner: list[Plan] = []  # selects within this one, whose first columns are parameters after its own
        [self._source] = statement.get_final_froms()
        self._joins: list[tuple[Table, bool, list[str], list[Expression]]] = []
        self._base = self._unjoined(self._source)
        where = statement.whereclause
        self._where = None if where is None else self.compiled(where)
        named = set() if where is None else {part.table for part in iterate(where) if isinstance(part, Column)}
        self._before_joins = named <= {self._base}
        self._wanted = None if where is None else self._looked_up(where)
        self._order: list[tuple[Expression, bool]] = []
        for clause in reversed(list(statement._order_by_clauses)):
            descending = isinstance(clause, elements.UnaryExpression)
            self._order.append((self.compiled(clause.element if descending else clause), descending))
        limit: Any = statement._limit_clause
        assert limit is None or limit.effective_value is None
        columns = list(statement.selected_columns)
        self._names = {column.name: place for place, column in enumerate(columns)}
        self._groups = [self.compiled(group) for group in statement._group_by_clauses]
        self._columns = [self._column(column) for column in columns]

    def run(self, rows: dict[str, dict[tuple[Any, ...], Stored]], values: list[Any]) -> Result:
        """The rows that there are now."""
        parameters: Any = [set(value) if n in self._sets else value for n, value in enumerate(values)]
        parameters += [{row[0] for row in inner.run(rows, values)} for inner in self._inner]
        name = self._base.name
        stored: Iterable[Stored] = rows[name].values()
        if self._wanted is not None:
            ids = [(JOURNAL_ID, id) for id in sorted(parameters[self._wanted])]
            stored = [rows[name][id] for id in ids if id in rows[name]]
        found: Iterable[Env] = ({_PARAMETERS: parameters, name: row} for row in stored)
        if self._where is not None and self._before_joins:
            found = filter(self._where, found)
        for join in self._joins:
            found = self._joined(found, rows, *join)
        if self._where is not None and not self._before_joins:
            found = filter(self._where, found)
        if self._order:
            found = list(found)
            for key, descending in self._order:
                found.sort(key=key, reverse=descending)
        if self._groups:
            groups: dict[Any, list[Env]] = defaultdict(list)
            for env in found:
                groups[tuple(key(env) for key in self._groups)].append(env)
            return Result(Row.of(self._names, [value(envs) for value in self._columns]) for envs in groups.values())
        return Result(Row.of(self._names, [value([env]) for value in self._columns]) for env in found)

    def _looked_up(self, where: Any) -> int | None:
        """The parameter that has the identifiers of the wanted rows, if only rows with certain ones are."""
        names = [column.name for column in self._base.primary_key.columns]
        for part in where.clauses if getattr(where, "operator", None) is operators.and_ else [where]:
            if names == ["journal_id", "id"] and part.operator is operators.in_op and part.left is self._base.c.id:
                return self._places.get(getattr(part.right, "key", None))
        return None

    def _column(self, column: Any) -> Callable[[list[Env]], Any]:
        if isinstance(column, functions.FunctionElement):
            over: Any = {"sum": sum, "max": max}[column.name]
            [inner] = column.clauses
            value = self.compiled(inner)
            return lambda envs: over(map(value, envs))
        value = self.compiled(column)
        return lambda envs: value(envs[0])

    def _unjoined(self, source: Any) -> Table:
        """The table at the left end, with all that is joined to it noted."""
        if isinstance(source, Table):
            return source
        assert isinstance(source, selectable.Join)
        assert isinstance(source.right, Table)
        base = self._unjoined(source.left)
        names, values = [], []
        on: Any = source.onclause
        for pair in on.clauses if isinstance(on, elements.BooleanClauseList) else [on]:
            sides = [pair.left, pair.right]
            [mine] = [side for side in sides if isinstance(side, Column) and side.table is source.right]
            [other] = [side for side in sides if side is not mine]
            names.append(mine.name)
            values.append(self.compiled(other))
        self._joins.append((source.right, source.isouter, names, values))
        return base

    @staticmethod
    def _joined(
        found: Iterable[Env],
        rows: dict[str, dict[tuple[Any, ...], Stored]],
        right: Table,
        outer: bool,
        names: list[str],
        values: list[Expression],
    ) -> Iterator[Env]:
        primary = [column.name for column in right.primary_key.columns]
        if sorted(primary) == sorted(names):
            order = [values[names.index(name)] for name in primary]
            stored = rows[right.name]
            for env in found:
                one = stored.get(tuple(value(env) for value in order))
                if one is not None or outer:
                    yield {**env, right.name: one or dict.fromkeys(right.columns.keys())}
            return
        index: dict[Any, list[Stored]] = defaultdict(list)
        for row in rows[right.name].values():
            index[tuple(row[name] for name in names)].append(row)
        nothing = [dict.fromkeys(right.columns.keys())] if outer else []
        for env in found:
            for row in index.get(tuple(value(env) for value in values), nothing):
                yield {**env, right.name: row}

    def compiled(self, clause: Any) -> Expression:
        """An expression as a function of the rows; NULL compares as false. It is written as Python, because functions
        of functions take several times as long."""
        found: Expression = eval(f"lambda env: {self._written(clause)}", {})
        return found

    def _written(self, clause: Any) -> str:
        match clause:
            case Column():
                return f"env[{clause.table.name!r}][{clause.name!r}]"
            case elements.BindParameter():
                return f"env[{_PARAMETERS!r}][{self._places[clause.key]}]"
            case elements.Null():
                return "None"
            case elements.True_() | elements.False_():
                return repr(isinstance(clause, elements.True_))
            case elements.Label() | elements.Grouping():
                return self._written(clause.element)
            case elements.ColumnClause() if clause.is_literal:
                return repr(int(clause.name))
            case elements.BooleanClauseList():
                assert clause.operator in (operators.and_, operators.or_)
                word = " and " if clause.operator is operators.and_ else " or "
                return f"({word.join(self._written(part) for part in clause.clauses)})"
            case elements.BinaryExpression():
                return self._binary(clause)
        raise AssertionError(f"no double for {clause!r}")

    def _binary(self, clause: "elements.BinaryExpression[Any]") -> str:
        left, kind, right = self._written(clause.left), clause.operator, clause.right
        if isinstance(right, elements.CollectionAggregate):  # = ANY (array)
            assert kind is operators.eq
            kind, right = operators.in_op, right.element
        if isinstance(right, selectable.ScalarSelect | selectable.Select):
            assert kind is operators.in_op
            place = len(self._parameters) + len(self._inner)
            select: Any = right.element if isinstance(right, selectable.ScalarSelect) else right
            self._inner.append(Plan(select, self._parameters))
            return f"({left} in env[{_PARAMETERS!r}][{place}])"
        value = self._written(right)
        if kind is operators.in_op:
            bound: Any = right.element if isinstance(right, elements.Grouping) else right
            self._sets.add(self._places[bound.key])
            return f"({left} in {value})"
        if kind is operators.is_:
            return f"({left} is {value})"
        self._named += 1
        one, other = f"a{self._named}", f"b{self._named}"
        if isinstance(kind, operators.custom_op):
            assert kind.opstring == ">>"
            return f"(None if ({one} := {left}) is None else {one} >> {value})"
        both = f"({one} := {left}) is not None and ({other} := {value}) is not None"
        return f"({both} and {one} {_COMPARISONS[kind]} {other})"


class Plans:
    """Plans by the statement's shape, as SQLAlchemy tells shapes apart for its own cache."""

    def __init__(self) -> None:
        self._made: dict[Any, Plan] = {}

    def of(self, statement: Select[Any]) -> Callable[[Memory], Result]:
        """How to answer the statement."""
        shape = statement._generate_cache_key()
        assert shape is not None
        plan = self._made.get(shape.key)
        if plan is None:
            plan = self._made[shape.key] = Plan(statement, list(shape.bindparams))
        values = [parameter.effective_value for parameter in shape.bindparams]
        return lambda memory: plan.run(memory.rows, values)


PLANS = Plans()
