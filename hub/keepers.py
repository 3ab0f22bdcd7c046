"""Keepers: what a partner says that it has of a currency's points, by its file or asked member by member.

No transaction is open while a partner is asked. What is done with what it says is decided in the batch
(``hub.ledger.relocating``).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, Final, Protocol

from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.db import Database, driver_of
from hub.errors import InvalidInput, NotFound, PartnerUnavailable
from hub.exchange import Connections
from hub.institutions import is_below
from hub.ledger.commands import EnrollCustomer, Party
from hub.ledger.engine import Engine
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.opening import Holder, OpeningLot, Relocation
from hub.ledger.records import AccountKind, Mark
from hub.ledger.relocations import connection_of
from hub.ledger.waiting import result
from hub.opening_files import Named, Told
from hub.partners import ANSWER_S_MAX, Operation, Partner
from hub.partners import PartnerUnavailable as NotReached

CHUNK: Final = 2_000  # customers in one transaction
ASKED_AT_ONCE: Final = 16  # members of a partner
NOBODY: Final = "PH-NOBODY"  # a member that no partner has

# Customers with points of a currency, after a customer.
HOLDERS = f"""
SELECT a.owner_id AS id, c.institution_id AS home, r.reference FROM account a
JOIN customer c ON c.journal_id = a.journal_id AND c.id = a.owner_id
LEFT JOIN customer_reference r ON r.journal_id = a.journal_id AND r.customer_id = a.owner_id
WHERE a.journal_id = {JOURNAL_ID} AND a.kind = {int(AccountKind.CUSTOMER)} AND a.currency = $2
  AND a.credits_posted > a.debits_posted AND a.owner_id > $1 ORDER BY a.owner_id LIMIT $3
"""

# Customers whom a partner may know, after a customer: those of the issuer and of those below it, and whoever had points
# there. Who has left has none, and a pool is nobody's member.
_MEMBERS = f"""
SELECT c.id, c.institution_id AS home, r.reference FROM customer c
JOIN customer_reference r ON r.journal_id = c.journal_id AND r.customer_id = c.id
WHERE c.journal_id = {JOURNAL_ID} AND c.id > $1 AND (
    c.institution_id = ANY($4::bigint[])
    OR c.id IN (SELECT customer_id FROM partner_order WHERE journal_id = {JOURNAL_ID} AND currency = $2)
    OR c.id IN (SELECT b.customer_id FROM opening_balance b
        JOIN relocation l ON l.journal_id = b.journal_id AND l.id = b.relocation_id
        WHERE b.journal_id = {JOURNAL_ID} AND l.currency = $2)
  )
  AND NOT EXISTS (SELECT FROM pool p WHERE p.journal_id = c.journal_id AND p.id = c.id)
  AND NOT EXISTS (SELECT FROM customer_mark m WHERE m.journal_id = c.journal_id AND m.customer_id = c.id
      AND m.marks & {int(Mark.CLOSED)} <> 0)
ORDER BY c.id LIMIT $3
"""

_NAMED = f"""
SELECT institution_id AS home, reference, customer_id AS id FROM customer_reference
WHERE journal_id = {JOURNAL_ID} AND (institution_id, reference) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
"""


class Keeper(Protocol):
    """What a partner says that it has, of customers who are asked for."""

    control: int | None
    digest: str | None

    def chunk(self, after: int, /) -> AsyncGenerator[list[Holder], None]:
        """Chunks of customers after one, in their order, each whole."""


async def probe(connections: Connections, of: PointCurrency, adapter: str, sealed: str) -> None:
    """Pass if the partner that a currency is to go to answers, and can do what a keeper of balances has to.

    Raises:
        PartnerUnavailable: it does not answer.
        InvalidInput: it cannot take points, or not give them.
    """
    if adapter == HOSTED:
        return
    try:
        partner = await connections.partner(of.code, adapter, sealed)
        if missing := {Operation.DEBIT, Operation.CREDIT} - partner.capabilities.operations:
            raise InvalidInput(adapterConfig=f"The partner cannot do {', '.join(sorted(missing))}.")
        asked = partner.capabilities.lookup
        if asked is None:
            return
        fields = dict.fromkeys(asked.get("required", ()) or list(asked.get("properties", {}))[:1], NOBODY)
        async with asyncio.timeout(min(partner.capabilities.answers_within_s, ANSWER_S_MAX)):
            await partner.lookup(fields)
    except (NotReached, TimeoutError):
        raise PartnerUnavailable(currency=of.code) from None


class ByFile:
    """What a partner has by its file. Whoever is in it and not enrolled is enrolled, where points come home."""

    def __init__(self, database: Database, configuration: Configuration, run: Relocation, said: Told) -> None:
        self._database = database
        self._configuration = configuration
        self._run = run
        self._said = said
        self._by_id: dict[int, tuple[OpeningLot, ...]] = {}
        self.control: int | None = said.total
        self.digest: str | None = said.digest

    async def prepare(self, engine: Engine) -> None:
        """Find the customers of the file.

        Raises:
            NotFound: with one whom the hub does not know.
        """
        codes = self._configuration.institution_codes
        for code, reference in self._said.customers:
            if code not in codes:
                raise NotFound(institution=code[:60], reference=reference[:60])
        await self._find()
        missing = [one for one in self._said.customers if one not in self._known]
        if missing and not self._run.comes_home:
            raise NotFound(institution=missing[0][0], reference=missing[0][1], customers=len(missing))
        for institution, reference in missing:
            if not self._configuration.institutions[codes[institution]].auto_enroll:
                raise NotFound(institution=institution, reference=reference)
        host = engine.configuration.host.id
        enrolling = [EnrollCustomer(actor=host, customer=Party(*one)) for one in missing]
        for start in range(0, len(enrolling), CHUNK):
            for answer in await engine.submit(enrolling[start : start + CHUNK]):
                result(answer)
        if missing:
            await self._find()
        for one, lots in self._said.customers.items():
            self._by_id[self._known[one]] = tuple(lot for lot in lots if lot.units)

    async def _find(self) -> None:
        self._known: dict[Named, int] = {}
        named, codes = list(self._said.customers), self._configuration.institution_codes
        for start in range(0, len(named), CHUNK):
            some = named[start : start + CHUNK]
            homes, references = [codes[code] for code, _ in some], [reference for _, reference in some]
            async with self._database.snapshot() as connection:
                for row in await driver_of(connection).fetch(_NAMED, homes, references):
                    home = self._configuration.institutions[row["home"]].code
                    self._known[home, row["reference"]] = row["id"]

    async def chunk(self, after: int) -> AsyncGenerator[list[Holder], None]:
        """See ``Keeper.chunk``: the customers of the file, and those with points in the hub who are not in it."""
        mine = set() if self._run.comes_home else {row["id"] async for row in _all_holders(self._database, self._run)}
        for some in _chunks(sorted(one for one in mine | self._by_id.keys() if one > after)):
            found = []
            for customer in some:
                lots = self._by_id.get(customer, ())
                kept = lots if self._run.comes_home else ()
                found.append(Holder(customer, sum(lot.units for lot in lots), kept))
            yield found


class ByLookup:
    """What a partner has, asked member by member; ``field`` is the one that takes the hub's reference."""

    def __init__(
        self,
        database: Database,
        configuration: Configuration,
        run: Relocation,
        partner: Partner,
        field: str,
        control: int | None,
    ) -> None:
        self._database = database
        self._configuration = configuration
        self._run = run
        self._partner = partner
        self._field = field
        self._gate = asyncio.Semaphore(ASKED_AT_ONCE)
        self.control = control
        self.digest: str | None = None

    async def chunk(self, after: int) -> AsyncGenerator[list[Holder], None]:
        """See ``Keeper.chunk``."""
        while True:
            async with self._database.snapshot() as connection:
                driver = driver_of(connection)
                if self._run.comes_home:
                    people = await driver.fetch(_MEMBERS, after, self._run.currency, CHUNK, self._homes())
                else:
                    people = await driver.fetch(HOLDERS, after, self._run.currency, CHUNK)
            if not people:
                return
            yield await self._all([(row["id"], row["reference"] or "") for row in people])
            after = people[-1]["id"]

    def _homes(self) -> list[int]:
        nodes = self._configuration.institutions
        issuer = self._of.issuer
        return [one for one in nodes if is_below(nodes, one, issuer)]

    @property
    def _of(self) -> PointCurrency:
        return self._configuration.currencies[self._configuration.currency_codes[self._run.currency]]

    async def _all(self, people: list[tuple[int, str]]) -> list[Holder]:
        """What the partner has of these; if one cannot be asked, no more are."""
        asked = [asyncio.create_task(self._ask(*one)) for one in people]
        try:
            return list(await asyncio.gather(*asked))
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _ask(self, customer: int, reference: str) -> Holder:
        capabilities, of = self._partner.capabilities, self._of
        async with self._gate:
            try:
                async with asyncio.timeout(min(capabilities.answers_within_s, ANSWER_S_MAX)):
                    found = await self._partner.lookup({self._field: reference})
            except (NotReached, TimeoutError):
                raise PartnerUnavailable(currency=of.code) from None
        if found is None:
            return Holder(customer, 0)
        if found.available is None or found.reference != reference:
            raise InvalidInput(reference=reference, lookup="The partner tells no balance of this member.")
        units, rest = divmod(found.available * 10**of.scale, 10**capabilities.scale)
        if rest:
            raise InvalidInput(reference=reference, lookup=f"The balance has more than {of.scale} decimals.")
        return Holder(customer, units)


async def by_lookup(
    database: Database,
    connections: Connections,
    configuration: Configuration,
    run: Relocation,
    field: str | None,
    control: int | None,
) -> ByLookup:
    """A partner that is asked member by member.

    Raises:
        PartnerUnavailable: it cannot be connected.
        InvalidInput: it finds nobody by one field that takes the hub's reference; then a file is needed.
    """
    of = configuration.currencies[configuration.currency_codes[run.currency]]
    told = connection_of(run)
    adapter, sealed = (of.adapter, of.connection) if told is None else (run.adapter, told.sealed)
    try:
        partner = await connections.partner(of.code, adapter, sealed)
    except NotReached:
        raise PartnerUnavailable(currency=of.code) from None
    asked: Mapping[str, Any] = partner.capabilities.lookup or {}
    required = list(asked.get("required", ()))
    named = field or (required[0] if len(required) == 1 else None)
    if named is None or named not in asked.get("properties", {}) or set(required) - {named}:
        raise InvalidInput(lookup="This partner finds nobody by one field; a file of its balances is needed.")
    return ByLookup(database, configuration, run, partner, named, control)


async def _all_holders(database: Database, run: Relocation) -> AsyncIterator[Any]:
    after = 0
    while True:
        async with database.snapshot() as connection:
            found = await driver_of(connection).fetch(HOLDERS, after, run.currency, CHUNK)
        if not found:
            return
        for row in found:
            yield row
        after = found[-1]["id"]


def _chunks(customers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(customers), CHUNK):
        yield customers[start : start + CHUNK]
