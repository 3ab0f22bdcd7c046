"""What tests share: one real PostgreSQL for each worker, a fresh database for each test that asks, a hub set up in it.

Tests may run at the same time in several workers (``make test``), in any order, on a machine that has other work: each
stands alone. The network is off. Warnings are errors, see pyproject.toml.
"""

import asyncio
import gc
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeAlias

import asyncpg
import hypothesis
import pytest
from sqlalchemy import make_url

from hub import postgres
from hub.access import Role, hash_secret, new_secret
from hub.currencies import HOSTED, ExpiryKind, RateConsent
from hub.db import Addresses, Database
from hub.errors import Fault
from hub.institutions import OPERATOR_CODE, Kind
from hub.ledger import commands, journal
from hub.ledger.decide import Outcome
from hub.ledger.engine import Engine
from hub.ledger.journal import Clock, as_told
from hub.ledger.waiting import Answer
from hub.limits import Act, Measure, Mode, Period, Subject
from hub.migrate import migrate
from hub.models import ModelKind
from hub.postgres import cluster
from hub.reading import Reading
from hub.setup import set_up
from tests import scratch
from tests.hub.programs import Pattern, run
from tests.offline import go_offline

TEMPLATE = "points_hub_template"
NewDatabase: TypeAlias = Callable[..., AbstractAsyncContextManager[Addresses]]
Pass: TypeAlias = Callable[[timedelta], None]

_ANY_SPEED: Any = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("local", **_ANY_SPEED)
hypothesis.settings.register_profile("ci", **_ANY_SPEED, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

go_offline()
scratch.choose()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin what takes long first, and in all workers, so that none is at it alone when the others are done: each is
    given its share of the list at the start, one after the other, and takes from others only at its end."""
    first = [item for item in items if item.get_closest_marker("long")]
    then = iter([item for item in items if not item.get_closest_marker("long")])
    workers, ordered = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), list[pytest.Item]()
    for place in range(workers):
        share = (len(items) - len(ordered)) // (workers - place)
        mine = first[place::workers]
        ordered += [*mine, *itertools.islice(then, max(0, share - len(mine)))]
    items[:] = [*ordered, *then]


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, seldom, and never again among all that was loaded for them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def pytest_unconfigure() -> None:
    """Let the interpreter collect all at its end, or libraries complain on stderr of what is left."""
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have to tell (``record_property("told", ...)``), whichever worker ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(value))


def counted(patch: pytest.MonkeyPatch, of: Any, name: str) -> Callable[[], int]:
    """Answers how often a coroutine function has been called from now on."""
    calls, function = list[None](), getattr(of, name)

    async def counting(*arguments: Any) -> Any:
        calls.append(None)
        return await function(*arguments)

    patch.setattr(of, name, counting)
    return lambda: len(calls)


def driver_url(url: str) -> str:
    """asyncpg's own form of an SQLAlchemy URL."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """The PostgreSQL of one worker of the test run. Where root may not have a namespace of its own, it runs as nobody.

    It need not outlive the machine: it leaves its files to the kernel, which keeps them through every kill of a
    process. Tests that start the hub itself have servers of their own, set up as for everybody.
    """
    folder = scratch.open_to_all()
    try:
        with ExitStack() as stack:
            with pytest.MonkeyPatch.context() as patch:  # for the start alone
                for name in ("fsync", "full_page_writes"):
                    patch.setitem(cluster.SETTINGS, name, "off")
                server = stack.enter_context(postgres.lease(folder / "data"))
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def superuser(postgres_server: postgres.Server) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection that may do everything, to a database that no test uses."""
    connection = await asyncpg.connect(driver_url(postgres_server.url(postgres.SUPERUSER, "postgres")))
    assert await connection.fetchval("SHOW fsync") == "off"
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def template(postgres_server: postgres.Server, superuser: "asyncpg.Connection[Any]") -> str:
    """The name of a migrated, empty database, of which each test's is a copy."""
    await superuser.execute(f"CREATE DATABASE {TEMPLATE} OWNER {postgres.OWNER}")
    await migrate(_addresses(postgres_server, TEMPLATE))
    return TEMPLATE


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def databases(postgres_server: postgres.Server, superuser: "asyncpg.Connection[Any]", template: str) -> NewDatabase:
    """Makes fresh, migrated databases, each of which is gone after its block; or copies of another template."""

    @asynccontextmanager
    async def fresh(like: str = template) -> AsyncIterator[Addresses]:
        name = f"points_hub_test_{next(_numbers)}"
        # As files, which takes half as long as row by row through the log.
        await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {like} STRATEGY FILE_COPY OWNER {postgres.OWNER}")
        try:
            yield _addresses(postgres_server, name)
        finally:
            await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")

    return fresh


@pytest.fixture
async def addresses(databases: NewDatabase) -> AsyncIterator[Addresses]:
    """A fresh, migrated database, which is gone after the test."""
    async with databases() as made:
        yield made


def _addresses(server: postgres.Server, database: str) -> Addresses:
    return Addresses(server.url(postgres.SERVER, database), server.url(postgres.OWNER, database))


@cache
def noon() -> str:
    """A time zone in which it was about noon when the tests began, so that no day ends while one runs."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # the sign is the opposite of what it says


@dataclass
class Hub:
    """One process's view of a hub that is set up: ``admin`` and ``second`` are keys of two persons of the operator's,
    ``secret`` is the first one's."""

    addresses: Addresses
    database: Database
    engine: Engine
    reading: Reading
    admin: int
    secret: str
    second: int = 0
    _eyes: "asyncpg.Connection[Any] | None" = field(default=None, init=False)  # kept, as connecting takes longer
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def try_(self, command: commands.Command) -> Outcome:
        """The outcome of a command, refused or not; a fault is raised."""
        [answer] = await self.engine.submit([command])
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def do(self, command: commands.Command) -> Any:
        """The result of a command; a refusal or fault is raised."""
        outcome = await self.try_(command)
        if outcome.refusal is not None:
            raise outcome.refusal
        return outcome.result

    async def batch(self, batch: Sequence[commands.Command]) -> list[Answer]:
        """The answers to commands that are asked at once."""
        return await self.engine.submit(batch)

    def beside(self, *, queue_max: int = 20_000, batch_max: int = 1_000, clock: Clock = as_told) -> "Hub":
        """Another process's view of the same hub, as far as one process can play two: own connections, own engine.
        The caller closes it."""
        database = Database(self.addresses.server)
        door = Engine(database, queue_max=queue_max, batch_max=batch_max, clock=clock)
        reading = Reading(database, door)
        return Hub(self.addresses, database, door, reading, self.admin, self.secret, self.second)

    async def close(self) -> None:
        """Answer what is queued, and let the connections go."""
        await self.engine.close()
        await self.database.close()
        async with self._looking:
            if self._eyes is not None:
                await self._eyes.close()

    async def sql(self, statement: str, *arguments: object) -> list[Any]:
        """Rows, as the role that owns the database sees them, one statement at a time."""
        async with self._looking:
            if self._eyes is None:
                self._eyes = await asyncpg.connect(driver_url(self.addresses.owner))
            return list(await self._eyes.fetch(statement, *arguments))

    async def institution(
        self, code: str, kind: Kind = Kind.OTHER, parent: str | None = None, *, auto_enroll: bool = True
    ) -> Any:
        """A new institution, by default below the operator."""
        return await self.do(
            commands.CreateInstitution(
                actor=self.admin, code=code, name=code, kind=kind, parent=parent, zones=(), auto_enroll=auto_enroll
            )
        )

    async def currency(
        self,
        code: str,
        issuer: str,
        *,
        scale: int = 0,
        unit_value: str = "0.05",
        money: str = "CNY",
        transferable: bool = True,
        rate_consent: RateConsent = RateConsent.OPERATOR,
        expiry: ExpiryKind = ExpiryKind.NEVER,
        months: int | None = None,
        **terms: Any,
    ) -> Any:
        """A new currency, hosted unless ``terms`` name an adapter; by default 0.05 CNY a point, whose rates the
        operator alone approves."""
        return await self.do(
            commands.RegisterPointCurrency(
                actor=self.admin,
                code=code,
                name=code,
                issuer=issuer,
                scale=scale,
                unit_value=commands.MoneyText(unit_value, money),
                expiry=expiry,
                expiry_months=months,
                transferable=transferable,
                rate_consent=rate_consent,
                **{"cashable": False, "adapter": HOSTED, **terms},
            )
        )

    async def key(self, institution: str, *roles: Role, person: str = "someone") -> tuple[int, str]:
        """A new credential's identifier and secret."""
        secret = new_secret()
        made = await self.do(
            commands.CreateCredential(
                actor=self.admin,
                institution=institution,
                person=person,
                label="test",
                roles=roles,
                expires_at=None,
                secret_hash=hash_secret(secret),
            )
        )
        return made.id, secret

    def proposal(self, source: str, target: str, ratio: str = "1:1", **terms: Any) -> commands.ProposeRate:
        """A proposal of ``ratio`` (target points per source points, as numerator:denominator), by the operator."""
        numerator, _, denominator = ratio.partition(":")
        nothing = dict.fromkeys(
            (
                "minimum",
                "maximum",
                "step",
                "fee_fixed",
                "fee_per_point",
                "fee_percent",
                "fee_cap",
                "settlement_price",
                "starts",
                "ends",
            )
        )
        return commands.ProposeRate(
            **{
                "actor": self.admin,
                "source": source,
                "target": target,
                "numerator": numerator,
                "denominator": denominator,
                "bonuses": (),
                **nothing,
                **terms,
            }
        )

    async def rate(self, source: str, target: str, ratio: str = "1:1", **terms: Any) -> Any:
        """A rate that is approved."""
        proposed = await self.do(self.proposal(source, target, ratio, **terms))
        return await self.do(commands.ApproveRate(actor=self.second, id=proposed.id))

    async def cap(self, institution: str, amount: str | None, currency: str = "CNY") -> None:
        """The most that an institution's subtree may owe; approved, if that needs a second person."""
        await self.do(commands.SetDebitCap(actor=self.admin, institution=institution, currency=currency, amount=amount))
        configuration = self.engine.configuration
        cap = configuration.caps[configuration.institution_codes[institution], currency]
        if cap.proposal is not None:
            await self.do(commands.ApproveDebitCap(actor=self.second, id=cap.proposal.id))

    async def limit(self, code: str, amount: str, currency: str = "BP", **terms: Any) -> Any:
        """A new limit, by default on the points that each customer is issued in a day, refused."""
        usual: dict[str, Any] = {
            "name": code,
            "act": Act.ISSUE,
            "target": None,
            "institution": None,
            "subject": Subject.CUSTOMER,
            "period": Period.DAY,
            "measure": Measure.POINTS,
            "mode": Mode.REFUSE,
            "zone": noon(),
            "notice_days": 0,
        }
        asked = commands.LimitTerms(**(usual | terms))
        return await self.do(
            commands.SetLimit(actor=self.admin, currency=currency, code=code, amount=amount, starts=None, terms=asked)
        )

    async def issue(
        self, currency: str, institution: str, reference: str, amount: str, *, expires_at: datetime | None = None
    ) -> Any:
        """Points for a customer, under a key of their own."""
        return await self.do(
            commands.Issue(
                actor=self.admin,
                key=f"issue-{next(_numbers)}",
                currency=currency,
                to=commands.Party(institution, reference),
                amount=amount,
                earned_at=None,
                expires_at=expires_at,
                memo=None,
            )
        )

    async def balance(self, currency: str, institution: str, reference: str) -> int:
        """A customer's balance in smallest units; 0 without an account."""
        rows = await self.sql(
            "SELECT a.credits_posted - a.debits_posted FROM account a"
            " JOIN customer_reference r ON r.customer_id = a.owner_id AND a.kind = 1"
            " WHERE a.currency = $1 AND r.reference = $2 AND r.institution_id = $3",
            currency,
            reference,
            self.engine.configuration.institution_codes[institution],
        )
        return int(rows[0][0]) if rows else 0

    def model_proposal(
        self, code: str, members: Sequence[str] = (), currencies: Sequence[str] = ("CNY",), **terms: Any
    ) -> commands.ProposeModel:
        """A proposal of a settlement model, by the operator; without members it is the default's."""
        usual = {"name": code, "kind": ModelKind.DEFERRED_NET_MULTILATERAL, "actor": self.admin}
        named = {"members": tuple(members), "currencies": tuple(currencies) if members else ()}
        return commands.ProposeModel(**{"code": code, **usual, **named, **terms})

    async def model(self, code: str, members: Sequence[str] = (), **terms: Any) -> Any:
        """A version of a settlement model that is approved."""
        proposed = await self.do(self.model_proposal(code, members, **terms))
        return await self.do(commands.ApproveModel(actor=self.second, id=proposed.id))

    async def fx_rate(self, base: str, rate: str, quote: str = "CNY", **terms: Any) -> Any:
        """A version of an FX rate that is approved."""
        usual = {"actor": self.admin, "source": "PBOC", "quoted_on": date(2026, 1, 5)}
        asked: dict[str, Any] = {"base": base, "quote": quote, "rate": rate, **usual, **terms}
        proposed = await self.do(commands.ProposeFxRate(**asked))
        return await self.do(commands.ApproveFxRate(actor=self.second, id=proposed.id))

    async def window(self, model: str = "default") -> int:
        """The identifier of a model's open window."""
        rows = await self.sql("SELECT id FROM settlement_window WHERE status = 'OPEN' AND model = $1", model)
        return int(rows[0][0])


NewHub: TypeAlias = Callable[[], AbstractAsyncContextManager[Hub]]


@dataclass(frozen=True)
class Founded:
    """A template in which a hub is set up that has nobody in it but two persons of the operator's."""

    template: str
    admin: int
    secret: str
    second: int

    def hub(self, addresses: Addresses) -> Hub:
        """The hub in a copy. The caller closes it."""
        database = Database(addresses.server)
        engine = Engine(database)
        reading = Reading(database, engine)
        return Hub(addresses, database, engine, reading, self.admin, self.secret, self.second)


@pytest.fixture(scope="session")
async def founded(postgres_server: postgres.Server, superuser: "asyncpg.Connection[Any]", template: str) -> Founded:
    """See ``Founded``; setting up once for each worker is enough."""
    name = f"{TEMPLATE}_founded"
    await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {postgres.OWNER}")
    addresses = _addresses(postgres_server, name)
    code, admin, secret = await set_up(addresses, "Points Hub", "root")
    assert code == OPERATOR_CODE
    hub = Founded(name, admin, secret, 0).hub(addresses)
    second, _ = await hub.key(OPERATOR_CODE, Role.OPERATOR_ADMIN, person="second")
    await hub.close()
    return Founded(name, admin, secret, second)


@pytest.fixture(scope="session")
def hubs(databases: NewDatabase, founded: Founded) -> NewHub:
    """Makes hubs that are set up and have nobody in them but the operator, each in a database of its own."""

    @asynccontextmanager
    async def new() -> AsyncIterator[Hub]:
        async with databases(founded.template) as addresses:
            hub = founded.hub(addresses)
            try:
                yield hub
            finally:
                await hub.close()

    return new


@pytest.fixture
async def hub(hubs: NewHub) -> AsyncIterator[Hub]:
    """See ``hubs``."""
    async with hubs() as made:
        yield made


@contextmanager
def passing() -> Iterator[Pass]:
    """Let time pass for the journal, and so for all that is decided; the database's own clock goes on as it does."""
    real = journal._head
    passed = timedelta()

    def head(row: Any, clock: Clock) -> Any:
        found = real(row, clock)
        return None if found is None else replace(found, at=max(found.at, row["now"] + passed))

    def pass_(time: timedelta) -> None:
        nonlocal passed
        passed += time

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_head", head)
        yield pass_


@pytest.fixture
def pass_() -> Iterator[Pass]:
    """See ``passing``."""
    with passing() as pass_:
        yield pass_


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    """A hub for programs that was set up and is not running."""
    folder = tmp_path_factory.mktemp("pattern") / "hub"
    done = run(folder, "init", "--json", "--person", "first")
    assert done.returncode == 0, done.stderr
    return Pattern(folder, done.stdout)
