"""What is certain of a transaction when the database, the line or the way to it fails."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapters.conformance.proxy import Breach, Fault, Proxy
from adapters.sql.partner import SqlPartner
from hub.partners import ANSWER_S_MAX, Order, PartnerUnavailable, Status
from tests.adapters.sql.conftest import Books

BACKENDS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'points-hub'"
)


async def written(books: Books, order: Order) -> bool:
    return bool(
        await books.owner.fetchval("SELECT count(*) FROM points_hub_order WHERE reference = $1", order.reference)
    )


async def until(what: Callable[[], Awaitable[object]]) -> None:
    """Ask the database until it says so."""
    async with asyncio.timeout(30):
        while not await what():
            pass


async def is_waited(books: Books) -> bool:
    """Whether somebody waits for a lock in this database."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await books.owner.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw before
    return bool(await books.owner.fetchval(waiting))


async def test_a_backend_that_is_killed_between_commit_and_answer_leaves_it_unknown(books: Books) -> None:
    member = await books.member()
    async with Proxy("127.0.0.1", books.port) as proxy:
        partner = books.connect(proxy.port, answersWithinS=ANSWER_S_MAX)
        await partner.perform(books.order(member))
        proxy.arm(Fault(breach=Breach.SILENT_AFTER), b"COMMIT")
        order = books.order(member)
        asked = asyncio.create_task(partner.perform(order))
        await until(lambda: written(books, order))  # committed, and its answer is withheld
        await books.owner.fetch(BACKENDS)
        await proxy.cut()  # the line ends with it
        answer = await asked
        assert (answer.status, proxy.struck) == (Status.UNKNOWN, 1)
        assert (await partner.status(order)).status is Status.SUCCEEDED
        assert (await partner.perform(order)).status is Status.SUCCEEDED
    assert await books.balance(member) == "80.00"  # two orders of 10


@pytest.mark.parametrize("breach", [Breach.DROP_BEFORE, Breach.SILENT_BEFORE])
async def test_a_commit_that_never_arrives_leaves_it_unknown_and_is_found_to_be_absent(
    books: Books, breach: Breach
) -> None:
    member = await books.member()
    async with Proxy("127.0.0.1", books.port) as proxy:
        partner = books.connect(proxy.port, answersWithinS=1)
        proxy.arm(Fault(breach=breach), b"COMMIT")
        order = books.order(member)
        assert (await partner.perform(order)).status is Status.UNKNOWN
        assert (await partner.status(order)).status is Status.ABSENT
        assert (await partner.perform(order)).status is Status.SUCCEEDED
    assert await books.balance(member) == "90.00"


async def test_a_backend_that_is_killed_before_commit_did_nothing(books: Books) -> None:
    member = await books.member()
    partner = books.connect(answersWithinS=ANSWER_S_MAX)
    order = books.order(member)
    async with books.owner.transaction():
        await books.owner.execute("SELECT 1 FROM member WHERE number = $1 FOR UPDATE", member)
        asked = asyncio.create_task(partner.perform(order))
        await until(lambda: is_waited(books))
        await books.owner.fetch(BACKENDS)
        assert (await asked).status is Status.UNKNOWN
    assert (await partner.status(order)).status is Status.ABSENT
    assert await books.balance(member) == "100.00"


async def test_a_lock_that_is_held_too_long_leaves_it_unknown(books: Books) -> None:
    member = await books.member()
    partner = books.connect(answersWithinS=1)
    order = books.order(member)
    async with books.owner.transaction():
        await books.owner.execute("SELECT 1 FROM member WHERE number = $1 FOR UPDATE", member)
        answer = await partner.perform(order)
        assert (answer.status, answer.halts) == (Status.UNKNOWN, False)
    assert (await partner.perform(order)).status is Status.SUCCEEDED
    assert await books.balance(member) == "90.00"


async def test_a_serialization_failure_was_rolled_back(books: Books) -> None:
    member = await books.member()
    await books.owner.execute(f"ALTER DATABASE {books.database} SET default_transaction_isolation TO 'repeatable read'")
    partner = books.connect(answersWithinS=ANSWER_S_MAX)
    order = books.order(member)
    async with books.owner.transaction():
        await books.owner.execute("UPDATE member SET balance = 95 WHERE number = $1", member)
        asked = asyncio.create_task(partner.perform(order))
        await until(lambda: is_waited(books))
    answer = await asked
    assert (answer.status, answer.code, answer.halts) == (Status.ABSENT, "40001", False)
    assert not await written(books, order)
    assert (await partner.perform(order)).status is Status.SUCCEEDED
    assert await books.balance(member) == "85.00"


async def test_an_error_at_commit_that_undoes_is_absent_and_any_other_unknown(books: Books) -> None:
    member = await books.member()
    partner = books.connect()
    await books.owner.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'late' USING ERRCODE = CASE new.amount WHEN 1 THEN '40001' WHEN 2 THEN '40003' END; END $$;"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON points_hub_order DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION late()"
    )
    assert (await partner.perform(books.order(member, 1))).status is Status.ABSENT
    assert (await partner.perform(books.order(member, 2))).status is Status.UNKNOWN
    assert await books.balance(member) == "100.00"


async def refuses(partner: SqlPartner, order: Order) -> None:
    """The order is absent, and people have to look."""
    answer = await partner.perform(order)
    assert (answer.status, answer.halts) == (Status.ABSENT, True)


async def test_what_is_set_up_wrongly_stops_the_partner(books: Books) -> None:
    member = await books.member()
    partner = books.connect()
    await books.owner.execute("ALTER TABLE points_hub_order RENAME TO elsewhere")
    await refuses(partner, books.order(member))
    await books.owner.execute("ALTER TABLE elsewhere RENAME TO points_hub_order; REVOKE ALL ON member FROM PUBLIC")
    await books.owner.execute("ALTER TABLE points_hub_order ADD tenant text NOT NULL CHECK (tenant = 'x')")
    await refuses(partner, books.order(member))
    await books.owner.execute("ALTER TABLE points_hub_order DROP tenant")
    books.url = books.url.replace("a-password", "another")
    await refuses(books.connect(), books.order(member))
    assert await books.balance(member) == "100.00"


async def test_where_nobody_is_nothing_was_done_and_nothing_can_be_asked(books: Books) -> None:
    async with Proxy("127.0.0.1", books.port) as proxy:
        port = proxy.port
    partner = books.connect(port)
    order = books.order("M-1")
    answer = await partner.perform(order)
    assert (answer.status, answer.halts) == (Status.ABSENT, False)
    assert (await partner.status(order)).status is Status.UNKNOWN
    with pytest.raises(PartnerUnavailable):
        await partner.lookup({"membershipNumber": "M-1", "familyName": "Li"})
    with pytest.raises(PartnerUnavailable):
        _ = [entry async for entry in partner.journal(order.asked_at.date())]


async def test_no_answer_repeats_the_address_or_its_password(books: Books) -> None:
    books.url = books.url.replace("a-password", "hidden-word")
    answer = await books.connect().perform(books.order("M-1"))
    assert "hidden-word" not in repr(answer)
    assert "127.0.0.1" not in repr(answer)


async def test_without_leave_the_line_is_never_plain(books: Books) -> None:
    member = await books.member()
    made = books.connect()
    secret = made._configuration.url
    partner = SqlPartner(made._configuration.model_copy(update={"allow_plain": False, "url": secret}))
    books.partners.append(partner)
    assert (await partner.perform(books.order(member))).status is Status.ABSENT  # the tests' server has no TLS
    assert await books.balance(member) == "100.00"


async def test_connections_that_died_while_idle_cost_no_order(books: Books) -> None:
    member = await books.member()
    partner = books.connect()
    assert (await partner.perform(books.order(member))).status is Status.SUCCEEDED
    await books.owner.fetch(BACKENDS)
    assert (await partner.perform(books.order(member))).status is Status.SUCCEEDED
    assert await books.balance(member) == "80.00"
