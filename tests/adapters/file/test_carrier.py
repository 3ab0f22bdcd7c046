"""Files go to a partner's server and come from there, whole and once, wherever the line breaks."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.conformance.proxy import Breach, Fault, Proxy
from adapters.file import durable
from adapters.file.partner import FilePartner
from hub.partners import Order, PartnerUnavailable, Status
from tests.adapters.file.conftest import Exchanged
from tests.adapters.file.server import HOST, Server, private, public, serving


async def sent(exchanged: Exchanged, partner: FilePartner, count: int = 1) -> tuple[list[Order], str]:
    """Orders that went out, and their batch."""
    orders = [exchanged.order() for _ in range(count)]
    for order in orders:
        assert (await partner.perform(order)).status is Status.PENDING
    name = await partner.compose()
    assert name is not None
    return orders, name


async def test_orders_go_there_and_results_come_back(exchanged: Exchanged, server: Server) -> None:
    partner = exchanged.connect()
    orders, name = await sent(exchanged, partner, 2)
    assert exchanged.files() == [f"orders-{name}.csv"]
    assert [row[0] for row in exchanged.rows(f"orders-{name}.csv")][1:3] == ["PH-1", "PH-2"]
    assert [(await partner.status(order)).status for order in orders] == [Status.PENDING] * 2
    await exchanged.night()
    assert [(await partner.status(order)).status for order in orders] == [Status.SUCCEEDED] * 2
    assert exchanged.available() == "980.00"  # 1000.00 - 2 x 10.00
    entries = [entry async for entry in partner.journal(exchanged.now().date())]
    assert [entry.reference for entry in entries] == ["PH-1", "PH-2"]


async def test_a_file_has_its_name_only_when_it_is_whole(exchanged: Exchanged, server: Server) -> None:
    _, name = await sent(exchanged, exchanged.connect())
    written = [one for one in server.opened if one.endswith(".part")]
    assert len(written) == 1
    assert written[0].startswith(f".orders-{name}.csv.")
    assert exchanged.files() == [f"orders-{name}.csv"]


async def test_what_was_carried_is_not_carried_again(exchanged: Exchanged, server: Server) -> None:
    orders, name = await sent(exchanged, exchanged.connect())
    before = (server.root / "outgoing" / f"orders-{name}.csv").stat()
    again = exchanged.connect()
    assert await again.compose() is None
    assert (await again.status(orders[0])).status is Status.PENDING
    assert (server.root / "outgoing" / f"orders-{name}.csv").stat() == before
    (server.root / "outgoing" / f"orders-{name}.csv").unlink()  # the partner takes it away
    assert (await exchanged.connect().status(orders[0])).status is Status.PENDING
    assert exchanged.files() == []
    assert [path.name for path in (exchanged.folder / "hub" / "sent").iterdir()] == [f"orders-{name}.csv"]


async def test_a_file_that_is_there_already_stays_if_it_is_ours_and_if_it_is_not(
    exchanged: Exchanged, server: Server
) -> None:
    orders, name = await sent(exchanged, exchanged.connect())
    there, ours = server.root / "outgoing" / f"orders-{name}.csv", exchanged.folder / "outgoing" / f"orders-{name}.csv"
    os.utime(there, (1, 1))
    # As if nobody had told us that it was there.
    durable.move(exchanged.folder / "hub" / "sent" / ours.name, ours)
    assert (await exchanged.connect().status(orders[0])).message is None
    assert (there.stat().st_mtime, ours.exists()) == (1, False)
    durable.move(exchanged.folder / "hub" / "sent" / ours.name, ours)
    there.write_text("another")
    told = await exchanged.connect().status(orders[0])
    assert (told.status, told.message) == (
        Status.PENDING, f"Another file has the name orders-{name}.csv on the partner's server."
    )  # fmt: skip
    assert (there.read_text(), ours.exists()) == ("another", True)


async def test_orders_whose_results_have_come_are_not_sent_again(exchanged: Exchanged, server: Server) -> None:
    orders, name = await sent(exchanged, exchanged.connect())
    await exchanged.night()
    ours = exchanged.folder / "outgoing" / f"orders-{name}.csv"
    durable.move(exchanged.folder / "hub" / "sent" / ours.name, ours)
    (server.root / "outgoing" / ours.name).unlink()
    partner = exchanged.connect()
    assert (await partner.status(orders[0])).status is Status.SUCCEEDED
    assert (exchanged.files(), ours.exists()) == ([], False)


async def test_a_wrong_file_of_results_is_fetched_again_when_it_has_changed(
    exchanged: Exchanged, server: Server
) -> None:
    partner = exchanged.connect()
    [order], name = await sent(exchanged, partner)
    await exchanged.night()
    place = server.root / "incoming" / f"results-{name}.csv"
    right = place.read_bytes()
    place.write_bytes(right[:-9])
    assert (await partner.status(order)).status is Status.PENDING  # it may still be arriving
    place.write_bytes(right.replace(b"MILES", b"METRE"))
    told = await partner.status(order)
    assert (told.status, "digest" in (told.message or "")) == (Status.UNKNOWN, True)
    place.write_bytes(right)
    assert (await partner.status(order)).status is Status.SUCCEEDED


async def test_a_file_that_has_not_changed_is_left_there(
    exchanged: Exchanged, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.file.carrier._SETTLED_S", -1)
    partner = exchanged.connect()
    [order], name = await sent(exchanged, partner)
    file = f"results-{name}.csv"
    (server.root / "incoming" / file).write_text("half a f")
    for _ in range(3):
        assert (await partner.status(order)).status is Status.PENDING
    assert server.opened.count(file) == 1


async def test_no_visit_is_made_where_nothing_is_to_be_carried_or_one_was_just_made(
    exchanged: Exchanged, server: Server
) -> None:
    partner = exchanged.connect(sftp=server.told(lookEveryS=3600))
    order = exchanged.order()
    await partner.perform(order)
    assert (await partner.status(order)).status is Status.PENDING
    assert server.logins == []
    await partner.compose()
    assert server.logins == ["password"]
    await exchanged.night()
    assert (await partner.status(order)).status is Status.PENDING
    assert server.logins == ["password"]
    assert (await exchanged.connect().status(order)).status is Status.SUCCEEDED


async def test_a_key_is_enough_to_be_admitted(exchanged: Exchanged, server: Server) -> None:
    partner = exchanged.connect(sftp=server.told(password=None, key=private("hub")))
    orders, _ = await sent(exchanged, partner)
    await exchanged.night()
    assert (await partner.status(orders[0])).status is Status.SUCCEEDED
    assert set(server.logins) == {"key"}


async def test_a_server_of_another_host_key_is_told_no_password_and_given_no_file(
    exchanged: Exchanged, server: Server
) -> None:
    partner = exchanged.connect(sftp=server.told(hostKeys=[public("another")]))
    order = exchanged.order()
    await partner.perform(order)
    wanted = f"{HOST} shows another host key than the configuration names."
    with pytest.raises(PartnerUnavailable, match=wanted):
        await partner.compose()
    told = await partner.status(order)
    assert (told.status, told.message) == (Status.PENDING, wanted)
    assert (server.logins, server.opened, exchanged.files()) == ([], [], [])
    # It goes out once the configuration is right, with the new key beside the old one while it changes.
    right = exchanged.connect(sftp=server.told(hostKeys=[public("another"), public("host")]))
    assert (await right.status(order)).message is None
    assert len(exchanged.files()) == 1


async def test_a_server_with_several_host_keys_shows_the_one_that_is_known(exchanged: Exchanged) -> None:
    async with serving(exchanged.root / "partner", "elliptic", "host") as server:
        exchanged.theirs, exchanged.more["sftp"] = server.root, server.told()
        await sent(exchanged, exchanged.connect())
        assert len(exchanged.files()) == 1


@pytest.mark.parametrize(
    "wrong", [{"password": "guessed"}, {"password": None, "key": private("another")}], ids=["a password", "a key"]
)
async def test_whoever_is_not_admitted_is_told_so(exchanged: Exchanged, server: Server, wrong: dict[str, str]) -> None:
    partner = exchanged.connect(sftp=server.told(**wrong))
    await partner.perform(exchanged.order())
    with pytest.raises(PartnerUnavailable, match="does not admit hub with the password or key"):
        await partner.compose()
    assert server.opened == []


async def test_what_the_server_refuses_is_told_and_done_when_it_lets_us(exchanged: Exchanged, server: Server) -> None:
    partner = exchanged.connect()
    orders, _ = await sent(exchanged, partner)
    await exchanged.night()
    server.refuses = {".part"}
    more = exchanged.order()
    await partner.perform(more)
    with pytest.raises(PartnerUnavailable, match=r"says of orders-.*\.csv: Quota exceeded, or so"):
        await partner.compose()
    assert (await partner.status(orders[0])).status is Status.SUCCEEDED  # the other file comes all the same
    server.refuses = set()
    assert (await partner.status(more)).message is None
    assert len(exchanged.files()) == 2


async def test_a_missing_folder_is_told(exchanged: Exchanged, server: Server) -> None:
    partner = exchanged.connect(sftp=server.told(outgoing="nowhere"))
    await partner.perform(exchanged.order())
    with pytest.raises(PartnerUnavailable, match=r"says of orders-.*\.csv: No such file"):
        await partner.compose()


async def test_a_server_that_is_gone_is_told_and_the_orders_go_out_when_it_is_back(exchanged: Exchanged) -> None:
    async with serving(exchanged.root / "partner") as server:
        gone = server.told()
    exchanged.theirs, exchanged.more["sftp"] = server.root, gone
    partner = exchanged.connect()
    order = exchanged.order()
    await partner.perform(order)
    with pytest.raises(PartnerUnavailable, match="cannot be reached, or the line broke"):
        await partner.compose()
    assert (await partner.status(order)).status is Status.PENDING
    async with serving(server.root) as back:
        assert (await exchanged.connect(sftp=back.told()).status(order)).message is None
        assert len(exchanged.files()) == 1


async def test_results_that_are_too_large_are_not_fetched(
    exchanged: Exchanged, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.file.sftp.FILE_BYTES_MAX", 1_000)
    partner = exchanged.connect()
    [order], name = await sent(exchanged, partner)
    (server.root / "incoming" / f"results-{name}.csv").write_bytes(bytes(1_001))
    assert "is no file of at most" in ((await partner.status(order)).message or "")
    assert list((exchanged.folder / "incoming").iterdir()) == []


async def test_another_process_that_carries_is_left_to_it(exchanged: Exchanged, server: Server) -> None:
    partner = exchanged.connect()
    order = exchanged.order()
    await partner.perform(order)
    (exchanged.folder / "hub" / "carrying").touch()
    with durable.locked(exchanged.folder / "hub" / "carrying", 0):
        await partner.compose()
        assert server.logins == []
    assert (await partner.status(order)).status is Status.PENDING
    assert len(exchanged.files()) == 1


# --- a line that breaks ---------------------------------------------------------------------------------------------

CUTS = (Breach.DROP_BEFORE, Breach.DROP_AFTER, Breach.RESET, Breach.CUT_SHORT)
STEP = 450  # octets


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(HOST, server.port) as made:
        yield made


def whole(folder: Path) -> bool:
    """Whether every file that has a name of its own has arrived to its end."""
    return all(b"#end" in path.read_bytes() for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("breach", CUTS)
async def test_wherever_the_line_breaks_on_the_way_there_a_file_is_whole_or_not_there_and_arrives_in_the_end(
    exchanged: Exchanged, server: Server, proxy: Proxy, breach: Breach
) -> None:
    partner = exchanged.connect(sftp=server.told(port=proxy.port))
    for number in itertools.count():
        order = exchanged.order()
        await partner.perform(order)
        proxy.arm(Fault(breach=breach, after=number * STEP))
        with contextlib.suppress(PartnerUnavailable):
            await partner.compose()
        if proxy.struck == number:  # it was over before
            break
        assert whole(server.root / "outgoing")
        assert (await partner.status(order)).message is None  # over a new line
        [name] = exchanged.files()
        assert [row[0] for row in exchanged.rows(name)][1:2] == [order.reference]
        (server.root / "outgoing" / name).unlink()
    assert number > 5, "all of a visit"


@pytest.mark.parametrize("breach", CUTS)
async def test_wherever_the_line_breaks_on_the_way_back_results_are_whole_or_not_there_and_arrive_in_the_end(
    exchanged: Exchanged, server: Server, proxy: Proxy, breach: Breach
) -> None:
    partner = exchanged.connect(sftp=server.told(port=proxy.port))
    for number in itertools.count():
        [order], name = await sent(exchanged, partner)
        await exchanged.night()
        proxy.arm(Fault(breach=breach, after=number * 2 * STEP))
        await partner.status(order)
        assert whole(exchanged.folder / "incoming")
        if proxy.struck == number:
            break
        assert (await partner.status(order)).status is Status.SUCCEEDED  # over a new line
        (server.root / "outgoing" / f"orders-{name}.csv").unlink()
    assert number > 3, "all of a visit"
    # 1000.00 - 10.00 for each, the last one too
    assert exchanged.available() == f"{1000 - 10 * (number + 1)}.00"


@pytest.mark.parametrize("breach", [Breach.SILENT_BEFORE, Breach.SILENT_AFTER])
async def test_a_line_that_falls_silent_is_given_up(
    exchanged: Exchanged, server: Server, proxy: Proxy, breach: Breach
) -> None:
    partner = exchanged.connect(sftp=server.told(port=proxy.port, transferS=1))
    order = exchanged.order()
    await partner.perform(order)
    proxy.arm(Fault(breach=breach, after=4_000))
    with pytest.raises(PartnerUnavailable, match="took longer than 1 seconds"):
        await partner.compose()
    assert (await partner.status(order)).message is None
    assert len(exchanged.files()) == 1


async def test_whoever_asks_is_not_kept_by_a_long_visit(
    exchanged: Exchanged, server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.file.carrier.WAIT_S", 0.05)
    partner = exchanged.connect(sftp=server.told(port=proxy.port, transferS=3600))
    order = exchanged.order()
    await partner.perform(order)
    proxy.arm(Fault(breach=Breach.SILENT_BEFORE, after=4_000))
    await partner.compose()
    assert (await asyncio.wait_for(partner.status(order), 2)).status is Status.PENDING
    await asyncio.wait_for(partner.close(), 2)
