"""Subscriptions over WebSockets to both workers: whoever may hear, hears, whichever process acted."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.journeys.client import Client, Socket, key
from tests.journeys.network import Network

CONVERSION = "subscription($id: ID!) { conversionUpdated(id: $id) { id status target { amount } } }"
WINDOW = "subscription { windowUpdated { id number status } }"
REVOKE = "mutation($id: ID!) { revokeCredential(id: $id) { __typename } }"
LISTENERS = 6  # connections are handed to the two workers in turn


class Pair:
    """A conversion between customers of two banks, and a key that sees it at each end."""

    def __init__(self, network: Network) -> None:
        self.network, self.operator = network, network.operator
        self.one, self.two = network.institution("ONE"), network.institution("TWO")
        self.a, self.b = network.currency("A", self.one), network.currency("B", self.two)
        network.rate(self.a, self.b, 1, 2)
        network.issue(self.a, self.one, "c", "1000")
        self.ends = [network.person(code, "INSTITUTION_AUDITOR") for code in (self.one, self.two)]

    def convert(self) -> str:
        """A conversion's id: 100 points, which become 50."""
        made = self.network.convert((self.one, "c"), (self.two, "c"), (self.a, self.b), "100")
        assert made["__typename"] == "Conversion", made
        return str(made["id"])

    def reverse(self, conversion: str) -> None:
        """All of it, by HTTP."""
        made = self.operator.do("reverse", idempotencyKey=key(), id=conversion, reason="returned")
        assert made["__typename"] == "Reversal", made


@pytest.fixture(scope="module")
def pair(network: Network) -> Pair:
    return Pair(network)


def acknowledged(socket: Socket) -> Socket:
    """The socket, once its key is accepted."""
    assert socket.hear() == {"type": "connection_ack"}
    return socket


@contextmanager
def acknowledged_socket(client: Client, origin: str | None = None) -> Iterator[Socket]:
    """An accepted socket."""
    with Socket(client, origin=origin) as socket:
        yield acknowledged(socket)


def opened(stack: ExitStack, clients: list[Client]) -> list[Socket]:
    """A socket for each client."""
    return [acknowledged(stack.enter_context(Socket(client))) for client in clients]


def closing_code(socket: Socket) -> int | None:
    """The code with which the server closes the connection, whatever it says before."""
    while True:
        try:
            assert socket.hear()["type"] == "complete"
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code


def rest(socket: Socket) -> list[Any]:
    """The types of all messages that still come."""
    found = []
    while True:
        try:
            found.append(socket.hear(0.4)["type"])
        except TimeoutError:
            return found


def codes(message: dict[str, Any]) -> list[str]:
    """The codes of the errors in a message."""
    payload = message["payload"]
    errors = payload if isinstance(payload, list) else payload["errors"]
    return [error["extensions"]["code"] for error in errors]


def test_every_subscriber_on_every_worker_hears_of_a_conversion_at_both_ends(pair: Pair) -> None:
    conversion = pair.convert()
    with ExitStack() as stack:
        sockets = opened(stack, (pair.ends * LISTENERS)[:LISTENERS])
        for socket in sockets:
            socket.subscribe("c", CONVERSION, id=conversion)
        seen = {"id": conversion, "target": {"amount": "50"}}  # 100 / 2
        for status in ("COMPLETED", "REVERSED"):
            event = {"id": "c", "type": "next", "payload": {"data": {"conversionUpdated": seen | {"status": status}}}}
            assert [socket.hear() for socket in sockets] == [event] * LISTENERS
            if status == "COMPLETED":
                pair.reverse(conversion)


def test_nothing_is_heard_of_what_did_not_change(pair: Pair) -> None:
    mine, other = pair.convert(), pair.convert()
    with acknowledged_socket(pair.ends[0]) as socket:
        socket.subscribe("c", CONVERSION, id=mine)
        assert socket.hear()["payload"]["data"]["conversionUpdated"]["status"] == "COMPLETED"
        pair.reverse(other)
        with pytest.raises(TimeoutError):
            socket.hear(0.5)
        pair.reverse(mine)
        assert socket.hear()["payload"]["data"]["conversionUpdated"]["id"] == mine


def test_an_outsider_hears_nothing_of_others_conversions(pair: Pair) -> None:
    stranger = pair.network.person(pair.network.institution("STRANGER"), "INSTITUTION_TRADER", "INSTITUTION_ADMIN")
    conversion = pair.convert()
    with acknowledged_socket(stranger) as socket:
        socket.subscribe("c", CONVERSION, id=conversion)
        refused = socket.hear()
        assert (refused["id"], codes(refused)) == ("c", ["NOT_FOUND"])
        pair.reverse(conversion)
        assert set(rest(socket)) <= {"complete"}


def test_every_subscriber_on_every_worker_hears_a_window_close_and_settle(network: Network) -> None:
    network.close_window()
    network.settle()
    pair = Pair(network)
    pair.convert()
    with ExitStack() as stack:
        sockets = opened(stack, ([network.operator, *pair.ends] * 2)[:LISTENERS])
        for socket in sockets:
            socket.subscribe("w", WINDOW)
        for socket in sockets:
            socket.begun()
        closed = network.close_window()
        network.settle()
        for socket in sockets:
            heard: list[tuple[int, str]] = []
            while (closed["number"], "SETTLED") not in heard:
                event = socket.hear()["payload"]["data"]["windowUpdated"]
                heard.append((event["number"], event["status"]))
            # What changes faster than it is looked at is told as one, so CLOSED may have been passed over.
            assert set(heard) <= {(closed["number"], status) for status in ("CLOSED", "SETTLING", "SETTLED")} | {
                (closed["number"] + 1, "OPEN")
            }
            statuses = [status for number, status in heard if number == closed["number"]]
            assert statuses == sorted(statuses, key=["CLOSED", "SETTLING", "SETTLED"].index)
            assert (closed["number"] + 1, "OPEN") in heard


def test_a_connection_introduces_itself_with_its_key(pair: Pair) -> None:
    conversion = pair.convert()
    with acknowledged_socket(Client(pair.operator.url, None)) as socket:  # nobody may connect, and see nothing
        for name, query in (("c", CONVERSION), ("w", WINDOW)):
            socket.subscribe(name, query, **({"id": conversion} if name == "c" else {}))
            assert codes(socket.hear()) == ["UNAUTHENTICATED"]
            assert set(rest(socket)) <= {"complete"}
    for wrong in ("Bearer phk_wrong", "Basic x", "Bearer "):
        with Socket(pair.operator, payload={"Authorization": wrong}) as socket:
            assert closing_code(socket) == 4403


def test_a_page_of_a_foreign_origin_is_refused(pair: Pair) -> None:
    for origin in ("https://evil.example", "null", pair.operator.url + ".evil.example", "http://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused, Socket(pair.operator, origin=origin):
            pass
        assert refused.value.response.status_code == 403
    with acknowledged_socket(pair.operator, origin=pair.operator.url) as socket:
        socket.subscribe("v", "{ viewer { roles } }")
        assert socket.hear()["payload"]["data"] == {"viewer": {"roles": ["OPERATOR_ADMIN"]}}


def test_a_revoked_key_hears_nothing_more_and_subscribes_to_nothing_new(pair: Pair) -> None:
    made = [
        pair.operator.do(
            "createCredential", institution=pair.one, person="leaving", label="t", roles=["INSTITUTION_AUDITOR"]
        )
        for _ in range(4)
    ]
    conversion = pair.convert()
    with ExitStack() as stack:
        sockets = opened(stack, [Client(pair.operator.url, one["secret"]) for one in made])
        for socket in sockets:
            socket.subscribe("c", CONVERSION, id=conversion)
            assert socket.hear()["payload"]["data"]["conversionUpdated"]["status"] == "COMPLETED"
        for one in made:
            revoked = pair.operator.ask(REVOKE, id=one["credential"]["id"])["revokeCredential"]
            assert revoked == {"__typename": "Credential"}
        pair.reverse(conversion)
        for socket in sockets:
            message = socket.hear()
            assert codes(message) == ["UNAUTHENTICATED"], message
            socket.subscribe("again", "{ viewer { roles } }")
            assert closing_code(socket) == 4403
