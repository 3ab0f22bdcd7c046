"""A partner's accountant and the operator's treasury: compare, dispute, accept, pay; over HTTP and the command line."""

import csv
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from settlement.signing import SigningKey
from tests.hub.programs import Served
from tests.journeys.client import Client, key
from tests.journeys.network import Network
from tests.settlement.test_camt import entry, message, transaction
from tests.settlement.workbooks import workbook

REPORT = """query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) {
  jws digest linesUrl acceptance { standing acceptance { kid digest person } } } }"""
DUE = """query($s: WindowStatus!) { settlementWindows(first: 200, status: $s) { edges { node { id number
  nets { institution { code } currency net confirmed paymentReference } } } } }"""


def send(client: Client, path: str, content: bytes, **headers: str) -> httpx2.Response:
    """A file, sent as it is."""
    bearer = {"authorization": f"Bearer {client.secret}"} if client.secret else {}
    return httpx2.post(client.url + path, content=content, headers=bearer | headers, timeout=60)


def fetch(client: Client, path: str) -> bytes:
    found = httpx2.get(client.url + path, headers={"authorization": f"Bearer {client.secret}"})
    assert found.status_code == 200, found.text
    return found.content


def unsettled(network: Network) -> list[dict[str, Any]]:
    """The closed windows that are not settled, in order, with their nets."""
    found = [network.operator.ask(DUE, s=status)["settlementWindows"]["edges"] for status in ("SETTLING", "CLOSED")]
    return sorted((edge["node"] for edges in found for edge in edges), key=lambda one: int(one["number"]))


@pytest.fixture
def book(network: Network) -> dict[str, Any]:
    """A closed window in which BANK owes SHOP 5.00 and 2.00."""
    bank, shop = network.institution("BANK"), network.institution("SHOP")
    points = network.currency("P", bank)
    network.issue(points, bank, "c", "1000")
    for amount in ("100", "40"):
        redeemed = network.operator.do(
            "redeemPoints", idempotencyKey=key(), currency=points, amount=amount, merchant=shop,
            customer={"institution": bank, "reference": "c"},
        )  # fmt: skip
        assert redeemed["__typename"] == "Redemption"
    return {"bank": bank, "shop": shop, "window": network.close_window()["id"]}


def test_a_partner_compares_disputes_and_accepts_and_the_bank_s_file_settles(
    running: Served, network: Network, book: dict[str, Any], tmp_path: Path
) -> None:
    bank, shop, window = book["bank"], book["shop"], book["window"]
    admin, other = network.person(bank, "INSTITUTION_ADMIN"), network.person(shop, "INSTITUTION_ADMIN")

    # The institution's own key, made and used where it is.
    private, report, signed = tmp_path / "key.pem", tmp_path / "report.jws", tmp_path / "acceptance.jws"
    private.write_bytes(SigningKey.generate().private_pem())
    private.chmod(0o600)
    name = admin.ask("{ hub { name } }")["hub"]["name"]
    proved = running.run("acceptance", "prove", str(private), "--hub", name, "--institution", bank)
    assert proved.returncode == 0, proved.stderr
    registered = admin.do("registerAcceptanceKey", json.loads(proved.stdout))
    assert registered["__typename"] == "AcceptanceKey", registered
    stolen = other.do("registerAcceptanceKey", json.loads(proved.stdout) | {"institution": shop})
    assert stolen["reason"] == "INVALID_INPUT"

    # Its own list of the window, as CSV and as a workbook.
    found = admin.ask(REPORT, w=window, v=bank)["settlementReport"]
    report.write_text(found["jws"])
    lines = [json.loads(line) for line in fetch(admin, found["linesUrl"]).splitlines()]
    assert [line["amount"] for line in lines] == ["5.00", "2.00"]  # 100 and 40 × 0.05
    rows = [["movement", "leg", "currency", "amount"]]
    rows += [
        [line["movement"], str(line["leg"]), "CNY", amount] for line, amount in zip(lines, ("5", "1.5"), strict=True)
    ]
    listed = "\n".join(",".join(row) for row in rows).encode()
    path = f"/settlement/{window}/{bank}/comparison.json"
    compared = send(admin, path, listed)
    assert compared.status_code == 200, compared.text
    told = compared.json()
    assert (told["report"], told["counts"]) == (found["digest"], {"DIFFERS": 1, "MATCHED": 1})
    assert send(admin, path, workbook(rows)).json()["rows"] == told["rows"]
    sheet = list(csv.DictReader(send(admin, path.replace(".json", ".csv"), listed).text.splitlines()))
    assert [row["outcome"] for row in sheet] == ["MATCHED", "DIFFERS"]
    for content, headers, status, code in (
        (b"", {}, 400, "NO_FILE"),
        (b"x" * ((16 << 20) + 1), {}, 413, "TOO_LARGE"),
        (listed, {"content-encoding": "gzip"}, 415, "UNSUPPORTED_ENCODING"),
        (workbook([*rows, [b"1+1"]]), {}, 422, "FILE_FORMULA"),
        (listed.decode().encode("utf-16"), {}, 422, "FILE_ENCODING"),
    ):
        refused = send(admin, path, content, **headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert send(other, path, listed).status_code == 404
    assert send(Client(admin.url, None), path, listed).status_code == 401
    assert send(admin, path.replace("json", "xml"), listed).status_code == 404

    # What disagrees is disputed in the words of the comparison, answered, and decided by two persons.
    opening = {"windowId": window, "institution": bank, "lines": told["disputable"]}
    opened = admin.do("openDisputes", opening)
    assert opened["__typename"] == "OpenedDisputes", opened
    [dispute] = opened["disputes"]
    assert dispute["line"] == {"movement": lines[1]["movement"], "leg": lines[1]["leg"], "amount": "2.00"}
    accepting = {"windowId": window, "institution": bank}
    signing = running.run("acceptance", "sign", str(report), str(private))
    assert signing.returncode == 0, signing.stderr
    signed.write_text(signing.stdout)
    accepting["jws"] = signing.stdout.strip()
    assert admin.do("acceptReport", accepting)["reason"] == "INVALID_INPUT"  # a dispute goes on
    answer = 'mutation($id: ID!) { answerDispute(id: $id, evidence: {text: "t"}) { __typename } }'
    assert other.ask(answer, id=dispute["id"])["answerDispute"]["__typename"] == "Dispute"
    ending = {"id": dispute["id"], "outcome": "UPHELD", "amount": "0.5", "evidence": {"text": "so it is"}}
    proposal = network.operator.do("proposeDisputeEnd", ending)["history"][-1]["id"]
    approve = """mutation($id: ID!, $p: ID!) { approveDisputeEnd(id: $id, proposalId: $p) { __typename
      ... on Dispute { status outcome corrected history { kind } } } }"""
    ended = network.second.ask(approve, id=dispute["id"], p=proposal)["approveDisputeEnd"]
    assert (ended["status"], ended["outcome"], ended["corrected"]) == ("RESOLVED", "UPHELD", "0.50")
    assert [step["kind"] for step in ended["history"]] == ["OPENED", "ANSWERED", "PROPOSED", "APPROVED"]

    # The report is what it was; its institution accepts it, and anybody can verify that.
    assert admin.ask(REPORT, w=window, v=bank)["settlementReport"]["acceptance"]["standing"] == "AWAITED"
    assert admin.do("acceptReport", accepting | {"jws": found["jws"]})["reason"] == "INVALID_INPUT"
    assert admin.do("acceptReport", accepting)["__typename"] == "ReportAcceptance"
    after = admin.ask(REPORT, w=window, v=bank)["settlementReport"]
    assert (after["jws"], after["acceptance"]["standing"]) == (found["jws"], "ACCEPTED")
    assert after["acceptance"]["acceptance"]["kid"] == registered["kid"]
    files = {
        "--lines": fetch(admin, found["linesUrl"]),
        "--jwks": fetch(admin, "/.well-known/jwks.json"),
        "--acceptance": signed.read_bytes(),
        "--acceptance-jwks": fetch(admin, f"/settlement/{bank}/jwks.json"),
    }
    words = [str(report)]
    for option, content in files.items():
        (tmp_path / option).write_bytes(content)
        words += [option, str(tmp_path / option)]
    verified = running.run("verify", *words)
    assert verified.returncode == 0, verified.stdout
    assert f"its institution has accepted it with {registered['kid']}." in verified.stdout

    # The correction is a line of the next report, and names the disputed one.
    following = network.close_window()["id"]
    url = admin.ask(REPORT, w=following, v=bank)["settlementReport"]["linesUrl"]
    [back] = [json.loads(line) for line in fetch(admin, url).splitlines()]
    assert (back["from"], back["to"], back["amount"], back["kind"]) == (shop, bank, "0.50", "correct")
    named = {"dispute": dispute["id"], "leg": lines[1]["leg"], "movement": lines[1]["movement"]}
    assert back["corrects"] == named

    # The bank's file settles all windows, or none.
    before = unsettled(network)
    nets = [net for one in before for net in one["nets"]]
    paid = [net for net in nets if net["paymentReference"] is not None and not net["confirmed"]]
    moved = [
        entry("DBIT" if not net["net"].startswith("-") else "CRDT",
              transaction(net["paymentReference"], net["net"].lstrip("-"), net["currency"]))
        for net in paid
    ]  # fmt: skip
    whole = message(*moved)
    there = "/settlement/confirmations.json"
    assert send(admin, there, whole).status_code == 403
    looked = send(network.operator, there, whole)
    assert (looked.status_code, looked.json()["applied"], looked.json()["counts"]) == (
        200,
        False,
        {"MATCHED": len(paid)},
    )
    wrong = send(network.operator, f"{there}?apply=true", message(*moved, entry("CRDT", transaction("X", "1.00"))))
    assert (wrong.status_code, wrong.json()["counts"]) == (422, {"MATCHED": len(paid), "UNKNOWN": 1})
    assert unsettled(network) == before
    taken = send(network.operator, f"{there}?apply=true", whole)
    assert (taken.status_code, taken.json()["applied"]) == (200, True), taken.text
    assert unsettled(network) == []
    again = send(network.operator, f"{there}?apply=true", whole).json()
    assert (again["applied"], again["replayed"]) == (True, True)
    (tmp_path / "bank.xml").write_bytes(whole)
    told_again = running.run("window", "confirm", str(tmp_path / "bank.xml"), "--apply")
    assert (told_again.returncode, told_again.stdout) == (0, "The file was taken before; nothing is changed.\n")
    # So are its statements of segregated accounts, of which this hub has none.
    told = b"account,currency,day,amount\n0001,CNY,2026-01-31,5.00\n"
    books = "/books/bank-statements.json"
    assert send(admin, books, told).status_code == 403
    looked = send(network.operator, f"{books}?apply=true", told)
    assert (looked.status_code, looked.json()["applied"]) == (422, False)
    assert [row["outcome"] for row in looked.json()["rows"]] == ["UNKNOWN"]
    as_sheet = send(network.operator, books.replace("json", "csv"), told)
    assert (as_sheet.status_code, as_sheet.text.splitlines()[0]) == (
        200,
        "row,outcome,account,currency,day,amount,told",
    )
    assert send(network.operator, books, b"<Document/>").json()["error"]["code"] == "FILE_NOT_A_TABLE"
    assert send(network.operator, f"{books}?apply=maybe", told).status_code == 400
    standing = "query($w: ID!) { settlementWindow(id: $w) { status } }"
    for one in (window, following):
        assert network.operator.ask(standing, w=one)["settlementWindow"]["status"] == "SETTLED"
    assert running.run("audit").returncode == 0
