"""Settlement windows over the wire: closed under load, reported, verified, confirmed in order, never changed again.

Windows are the whole server's, so a test settles whatever others have left before it counts on an order.
"""

import asyncio
import json
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2

from hub.clock import now
from tests.hub.programs import Served
from tests.journeys.client import Client, key
from tests.journeys.network import Network
from tests.journeys.test_concurrency import crowd

NETS = "nets { institution { code } currency debit credit net confirmed }"
WINDOW = f"query($w: ID!) {{ settlementWindow(id: $w) {{ id number status closedAt settledAt {NETS} }} }}"
REPORT = (
    "query($w: ID!, $i: String!) { settlementReport(windowId: $w, institution: $i)"
    f" {{ id payload jws digest previousDigest linesUrl window {{ status }} {NETS} }} }}"
)
POSITIONS = "query($c: String!) { institution(code: $c) { positions { currency own } } }"


class Trade:
    """Two institutions whose customers convert into each other's points, at prices in a money."""

    def __init__(self, network: Network, money: str = "CNY", value: str = "0.05") -> None:
        self.network, self.money = network, money
        self.bank, self.air = network.institution("BANK"), network.institution("AIR", "AIRLINE")
        unit = {"amount": value, "currency": money}
        self.a = network.currency("A", self.bank, unitValue=unit)
        self.b = network.currency("B", self.air, unitValue=unit)
        network.rate(self.a, self.b, 1, 1)
        network.rate(self.b, self.a, 1, 1)
        network.issue(self.a, self.bank, "c", "100000")
        network.issue(self.b, self.air, "c", "100000")

    def value(self, amount: str, *, back: bool = False) -> dict[str, Any]:
        """A conversion from the bank's points, or back."""
        ends = ({"institution": self.bank, "reference": "c"}, {"institution": self.air, "reference": "c"})
        pair = (self.a, self.b)
        (source, target), (given, taken) = (ends[::-1], pair[::-1]) if back else (ends, pair)
        return {
            "idempotencyKey": key(),
            "source": source,
            "target": target,
            "sourceCurrency": given,
            "targetCurrency": taken,
            "sourceAmount": amount,
        }

    def convert(self, amount: str, *, back: bool = False) -> Any:
        """What came of it."""
        made = self.network.operator.do("convert", self.value(amount, back=back))
        assert made["__typename"] == "Conversion", made
        return made

    def nets(self, window: Any) -> dict[str, str]:
        """Their two nets in a window, by code."""
        mine = (self.bank, self.air)
        return {row["institution"]["code"]: row["net"] for row in window["nets"] if row["institution"]["code"] in mine}


def own(network: Network, institution: str) -> list[dict[str, str]]:
    """An institution's own positions in the open window."""
    found: list[dict[str, str]] = network.operator.ask(POSITIONS, c=institution)["institution"]["positions"]
    return found


def window_of(network: Network, id: str) -> Any:
    """A window as it is."""
    return network.operator.ask(WINDOW, w=id)["settlementWindow"]


def reason(answer: Any) -> str:
    """The reason of a refusal."""
    assert answer["__typename"] == "Refused", answer
    return str(answer["reason"])


async def test_a_window_closed_under_load_sums_to_zero_and_loses_no_act(network: Network) -> None:
    """Each act stands in exactly one window: what the bank owes in each is the sum of its conversions there."""
    trades = [Trade(network), Trade(network, "JPY", "0.7")]
    made: list[tuple[Trade, Any]] = []
    closed: list[Any] = []

    async def load(lane: int) -> None:
        """Conversions one after the other, until some have come after the last closing."""
        trade, after = trades[lane % 2], 0
        while after < 4:
            answer = await many.do(lane, "convert", trade.value(str(7 + lane + after)))
            assert answer["__typename"] == "Conversion", answer
            made.append((trade, answer))
            after += len(closed) == 3

    async with crowd(network.operator) as many:
        lanes = [asyncio.create_task(load(lane)) for lane in range(6)]
        for _ in range(3):
            await asyncio.sleep(0.2)
            value = {"idempotencyKey": key(), "windowId": await asyncio.to_thread(network.open_window)}
            closed.append(await many.do(7, "closeSettlementWindow", value))
        await asyncio.gather(*lanes)
    last = network.close_window()
    in_window = "query($id: ID!) { conversion(id: $id) { window { id } } }"
    owed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for trade, answer in made:
        window = network.operator.ask(in_window, id=answer["id"])["conversion"]["window"]["id"]
        owed[window, trade.bank] += Decimal(answer["settlement"]["amount"])
    assert len({window for window, _ in owed}) == 4  # before, between and after the closings
    for window in [*closed, last]:
        assert window["status"] in ("CLOSED", "SETTLING")
        sums: dict[str, Decimal] = defaultdict(Decimal)
        exact: dict[str, Decimal] = defaultdict(Decimal)
        for row in window["nets"]:
            sums[row["currency"]] += Decimal(row["net"])
            exact[row["currency"]] += Decimal(row["credit"]) - Decimal(row["debit"])
        assert set(sums.values()) == set(exact.values()) == {Decimal(0)}
        debits = {row["institution"]["code"]: Decimal(row["debit"]) for row in window["nets"]}
        for trade in trades:
            assert debits[trade.bank] == owed[window["id"], trade.bank] > 0


async def test_of_many_who_close_a_window_at_once_one_does(network: Network) -> None:
    window = network.open_window()
    async with crowd(network.operator) as many:
        values = [{"idempotencyKey": key(), "windowId": window} for _ in range(6)]
        answers = await many.at_once("closeSettlementWindow", values)
    assert sorted(answer["__typename"] for answer in answers) == ["Refused"] * 5 + ["SettlementWindow"]
    assert {reason(answer) for answer in answers if answer["__typename"] == "Refused"} == {"WINDOW_CLOSED"}
    winner = next(at for at, answer in enumerate(answers) if answer["__typename"] == "SettlementWindow")
    again = network.operator.do("closeSettlementWindow", values[winner])
    assert (again["__typename"], again["id"]) == ("SettlementWindow", window)
    number = answers[winner]["number"]
    refused = next(answer for answer in answers if answer["__typename"] == "Refused")
    assert refused["message"] == f"The settlement window {number} is not open for this."


def test_the_reports_are_there_when_a_closing_answers(network: Network) -> None:
    trade = Trade(network)
    trade.convert("100")
    closed = network.close_window()
    viewers = {
        trade.bank: network.person(trade.bank, "INSTITUTION_AUDITOR"),
        trade.air: network.person(trade.air, "INSTITUTION_AUDITOR"),
        "HUB": network.operator,
    }
    for code, viewer in viewers.items():
        first, second = (viewer.ask(REPORT, w=closed["id"], i=code)["settlementReport"] for _ in range(2))
        assert first == second  # of either worker, the stored bytes
        payload = json.loads(first["payload"])
        assert {row["institution"]["code"] for row in first["nets"]} >= {code} - {"HUB"}
        assert payload["window"]["number"] == str(closed["number"])
    nets = viewers[trade.bank].ask(REPORT, w=closed["id"], i=trade.bank)["settlementReport"]["nets"]
    assert [(row["debit"], row["credit"], row["net"]) for row in nets] == [("5.00", "0.00", "-5.00")]  # 100 × 0.05
    assert viewers[trade.bank].ask(REPORT, w=network.open_window(), i=trade.bank) == {"settlementReport": None}


def test_windows_are_settled_in_order_and_to_the_cent(network: Network) -> None:
    network.settle()
    operator, trade = network.operator, Trade(network)
    trade.convert("100")
    first = network.close_window()
    trade.convert("300", back=True)
    second = network.close_window()
    assert trade.nets(first) == {trade.bank: "-5.00", trade.air: "5.00"}  # 100 × 0.05
    assert trade.nets(second) == {trade.bank: "15.00", trade.air: "-15.00"}  # 300 × 0.05, the other way
    rows = {row["institution"]["code"]: row for row in first["nets"]}
    later = next(row for row in second["nets"] if row["institution"]["code"] == trade.bank)

    early = network.confirm(second["id"], later)
    assert reason(early) == "WINDOW_ORDER"
    assert early["message"] == f"Settlement window {first['number']} has to be settled first."
    nonsense = network.confirm(second["id"], later, amount="1.00", institution="nobody", currency="none")
    assert reason(nonsense) == "WINDOW_ORDER"  # the order is tested before all else
    for wrong in ("5.00", "-5.01", "-4.99", "-5.000001", "0"):
        assert reason(network.confirm(first["id"], rows[trade.bank], amount=wrong)) == "INVALID_AMOUNT", wrong
    assert reason(network.confirm(first["id"], rows[trade.bank], reference=" ")) == "INVALID_INPUT"
    for date in ("31.01.2026", "20260131", "2026-W05-6", "2026-02-30", ""):
        assert reason(network.confirm(first["id"], rows[trade.bank], valueDate=date)) == "INVALID_INPUT", date
    assert reason(network.confirm(first["id"], rows[trade.bank], currency="EUR")) == "NOT_FOUND"
    assert window_of(network, first["id"])["status"] == "CLOSED"

    payment = {"amount": "-5", "idempotencyKey": key(), "valueDate": "2026-01-31"}  # -5 is -5.00
    assert network.confirm(first["id"], rows[trade.bank], **payment)["status"] == "SETTLING"
    assert reason(network.confirm(first["id"], rows[trade.bank])) == "DUPLICATE"
    assert reason(network.confirm(second["id"], later)) == "WINDOW_ORDER"
    network.settle()
    for id in (first["id"], second["id"]):
        window = window_of(network, id)
        assert window["status"] == "SETTLED"
        assert window["settledAt"] is not None
        assert {row["confirmed"] for row in window["nets"]} == {True}
    replayed = network.confirm(first["id"], rows[trade.bank], **payment)
    assert replayed["status"] == "SETTLED"  # the same answer under its key, the status as it is now
    assert operator.ask(POSITIONS, c=trade.bank)["institution"]["positions"] == [{"currency": "CNY", "own": "0.00"}]


def test_a_zero_net_confirms_itself_and_a_window_of_nothing_else_is_settled_when_it_closes(network: Network) -> None:
    network.close_window()  # what other tests have left in the open window
    network.settle()
    trade = Trade(network)
    trade.convert("100")
    trade.convert("100", back=True)
    closed = network.close_window()
    mine = {row["institution"]["code"]: row for row in closed["nets"]}
    assert set(mine) == {trade.bank, trade.air}
    for row in mine.values():
        assert (row["debit"], row["credit"], row["net"], row["confirmed"]) == ("5.00", "5.00", "0.00", True)
    assert closed["status"] == "SETTLED"
    assert reason(network.confirm(closed["id"], mine[trade.bank])) == "DUPLICATE"


def test_exposure_is_freed_by_a_confirmed_payment_alone(network: Network) -> None:
    network.settle()
    trade = Trade(network)
    network.operator.do("setDebitCap", institution=trade.bank, currency="CNY", amount="8")
    trade.convert("100")  # owes 5.00
    closed = network.close_window()
    query = "query($c: String!) { institution(code: $c) { positions { own exposure available } } }"

    def position() -> Any:
        return network.operator.ask(query, c=trade.bank)["institution"]["positions"]

    assert position() == [{"own": "0.00", "exposure": "5.00", "available": "3.00"}]
    assert reason(network.operator.do("convert", trade.value("61"))) == "LIMIT_EXCEEDED"  # 5.00 + 3.05 > 8.00
    trade.convert("60")  # 5.00 + 3.00 = 8.00
    assert position() == [{"own": "-3.00", "exposure": "8.00", "available": "0.00"}]
    row = next(row for row in closed["nets"] if row["institution"]["code"] == trade.bank)
    assert network.confirm(closed["id"], row)["__typename"] == "SettlementWindow"
    assert position() == [{"own": "-3.00", "exposure": "3.00", "available": "5.00"}]


def test_a_position_stays_in_the_list_at_zero_when_all_is_settled(network: Network) -> None:
    trade = Trade(network)
    trade.convert("100")
    network.close_window()
    network.settle()
    query = "query($c: String!) { institution(code: $c) { positions { currency own subtree exposure } } }"
    zero = {"currency": "CNY", "own": "0.00", "subtree": "0.00", "exposure": "0.00"}
    for code in (trade.bank, trade.air):
        assert network.operator.ask(query, c=code)["institution"]["positions"] == [zero]


def test_a_late_reversal_falls_into_the_open_window_and_the_closed_one_stays(network: Network) -> None:
    trade = Trade(network)
    made = trade.convert("100")
    closed = network.close_window()
    before = window_of(network, closed["id"])
    report = network.operator.ask(REPORT, w=closed["id"], i=trade.bank)
    back = {"idempotencyKey": key(), "id": made["id"], "reason": "returned"}
    assert network.operator.do("reverse", back)["points"]["amount"] == "100"
    assert own(network, trade.bank) == [{"currency": "CNY", "own": "5.00"}]  # 100 × 0.05, given back
    assert own(network, trade.air) == [{"currency": "CNY", "own": "-5.00"}]
    assert window_of(network, closed["id"]) == before
    assert network.operator.ask(REPORT, w=closed["id"], i=trade.bank) == report
    following = network.close_window()
    assert trade.nets(following) == {trade.bank: "5.00", trade.air: "-5.00"}
    nets = window_of(network, closed["id"])["nets"]
    assert trade.nets({"nets": nets}) == {trade.bank: "-5.00", trade.air: "5.00"}


def test_a_window_in_which_a_captured_hold_was_reversed_is_reported_and_settled(network: Network) -> None:
    trade = Trade(network)
    customer, until = {"institution": trade.bank, "reference": "c"}, (now() + timedelta(days=1)).isoformat()
    asked = {"currency": trade.a, "customer": customer, "amount": "100", "expiresAt": until}
    held = network.operator.do("holdPoints", idempotencyKey=key(), **asked)["id"]
    network.operator.do("captureHold", idempotencyKey=key(), holdId=held, merchant=trade.air)
    network.operator.do("reverse", idempotencyKey=key(), id=held, amount="40", reason="returned")
    closed = network.close_window()
    assert trade.nets(closed) == {trade.bank: "-3.00", trade.air: "3.00"}  # 60 × 0.05
    for code in (trade.bank, trade.air, "HUB"):
        assert network.operator.ask(REPORT, w=closed["id"], i=code)["settlementReport"]["jws"]
    network.settle()
    assert window_of(network, closed["id"])["status"] == "SETTLED"


def download(client: Client, folder: Path, window: str, institution: str) -> tuple[Path, Path, Path]:
    """A report, its lines and the public keys, as a partner would fetch them."""
    report = client.ask(REPORT, w=window, i=institution)["settlementReport"]
    headers = {"authorization": f"Bearer {client.secret}"}
    lines = httpx2.get(client.url + report["linesUrl"], headers=headers)
    keys = httpx2.get(client.url + client.ask("{ hub { jwksUrl } }")["hub"]["jwksUrl"])  # public
    assert (lines.status_code, keys.status_code) == (200, 200)
    folder.mkdir()
    paths = folder / "report.jws", folder / "lines.ndjson", folder / "jwks.json"
    for path, content in zip(paths, (report["jws"].encode(), lines.content, keys.content), strict=True):
        path.write_bytes(content)
    return paths


def test_downloaded_reports_verify_and_tampered_ones_do_not(running: Served, network: Network, tmp_path: Path) -> None:
    trade = Trade(network)
    trade.convert("100")
    first = network.close_window()
    made = trade.convert("200")
    network.operator.do("reverse", idempotencyKey=key(), id=made["id"], amount="50", reason="returned")
    second = network.close_window()
    partner = network.person(trade.bank, "INSTITUTION_AUDITOR")
    previous, _, _ = download(partner, tmp_path / "first", first["id"], trade.bank)
    report, lines, keys = download(partner, tmp_path / "second", second["id"], trade.bank)

    def verify(report: Path, lines: Path, *more: str) -> tuple[int, str]:
        done = running.run("verify", str(report), "--lines", str(lines), "--jwks", str(keys), *more)
        return done.returncode, done.stdout

    status, said = verify(report, lines, "--previous", str(previous))
    assert status == 0, said
    assert said.startswith(f"Genuine and complete: {trade.bank}'s report of window {second['number']}, 2 lines, 1 net")

    content = lines.read_bytes()
    assert len(content.splitlines()) == 2  # 10.00 owed for the conversion, 2.50 given back
    tampered = tmp_path / "tampered"
    more = content.replace(b'"10.00"', b'"10.01"')
    assert more != content
    for wrong, finding in ((more, "LINE_ROOT"), (content.splitlines(keepends=True)[0], "LINE_COUNT")):
        tampered.write_bytes(wrong)
        status, said = verify(report, tampered)
        assert status != 0
        assert finding in said
    header, _, signature = report.read_text().split(".")
    tampered.write_text(f"{header}.{previous.read_text().split('.')[1]}.{signature}")
    status, said = verify(tampered, lines)
    assert status != 0, said
    assert "SIGNATURE" in said


def test_the_books_are_in_order_after_all_that_was_tried(running: Served) -> None:
    done = running.run("audit")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("Nothing is wrong up to entry ")
