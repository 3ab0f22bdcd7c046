"""The application as it is met: two real workers behind one port, the embedded PostgreSQL below, real signals."""

import asyncio
import csv
import io
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from hub import postgres
from settlement.renderings.formats import FILES, render
from settlement.signing import SigningKey
from tests.conftest import driver_url
from tests.hub.programs import SOON_S_MAX, Pattern, Served, children, is_gone, run, served, until

ISSUE = """
mutation($input: [IssuePointsInput!]!) {
  issuePointsBatch(input: $input) { __typename ... on Issue { id replayed } ... on Refused { reason } }
}
"""
REPORT = """
query($window: ID!) { settlementReport(windowId: $window, institution: "BANK") { jws payload linesUrl lineUrl(number: 1)
    renderings { name mediaType url } bilateral: renderings(counterparty: "SHOP") { name url } } }
"""
INTERIM = """
query($window: ID!) { interimStatement(windowId: $window, institution: "BANK") { jws payload linesUrl
    renderings { name url } } }
"""
CRASHES = {"internal_error", "Exception in ASGI application\n"}


@pytest.fixture(scope="module")
def server(pattern: Pattern, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A hub with a bank, a shop, and the bank's points."""
    folder = pattern.copy(tmp_path_factory.mktemp("app") / "hub")
    with served(folder, pattern.secret, HUB_LOG_LEVEL="DEBUG") as running:
        furnish(running)
        yield running


def furnish(server: Served) -> None:
    for code, kind in (("BANK", "BANK"), ("SHOP", "MERCHANT")):
        server.ask(
            "mutation($input: CreateInstitutionInput!) { createInstitution(input: $input) { __typename } }",
            input={"code": code, "name": code, "kind": kind},
        )
    made = server.ask(
        "mutation($input: RegisterPointCurrencyInput!) { registerPointCurrency(input: $input) { __typename } }",
        input={
            "code": "PTS", "name": "Points", "issuer": "BANK", "unitValue": {"amount": "0.01", "currency": "CNY"},
            "rateConsent": "OPERATOR",
        },
    )  # fmt: skip
    assert made["__typename"] == "PointCurrency"


def issues(name: str, count: int) -> list[dict[str, Any]]:
    """One point each for ``count`` customers."""
    return [
        {
            "idempotencyKey": f"{name}-{number}",
            "currency": "PTS",
            "to": {"institution": "BANK", "reference": f"{name}-{number}"},
            "amount": "1",
        }
        for number in range(count)
    ]


def sample(page: bytes, name: str) -> float:
    """One value of the metrics' page; 0 where it is not there yet."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", page.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_it_lives_and_is_ready(server: Served) -> None:
    assert server.get("/health/live") == (200, b'{"live":true}')
    assert server.get("/health/ready") == (200, b'{"ready":true,"reasons":[]}')


def test_it_is_not_ready_without_a_safe_key(server: Served) -> None:
    key = server.folder / "signing" / "current.pem"
    key.chmod(0o644)
    try:
        status, body = server.get("/health/ready")
    finally:
        key.chmod(0o600)
    assert status == 503
    assert json.loads(body)["reasons"] == [
        "The signing key's file can be reached by others than its owner, this process's user."
    ]
    assert server.is_ready()


def test_metrics_are_summed_over_the_workers(server: Served) -> None:
    kept = [server.connect() for _ in range(2)]  # one at each worker
    names = {
        'points_hub_http_requests_total{kind="query",status="200"}': 6,  # 3 at each
        'points_hub_http_requests_total{kind="mutation",status="200"}': 2,  # 1 at each
        'points_hub_refusals_total{reason="UNKNOWN_CURRENCY"}': 4,  # 2 rows at each
        "points_hub_batch_commands_count": 2,
        "points_hub_batch_commands_sum": 4,
        "points_hub_commit_seconds_count": 2,
    }
    before = server.get("/metrics")[1]
    for place, connection in enumerate(kept):
        for _ in range(3):
            server.ask("{ hub { name } }", connection)
        rows = [row | {"currency": "NONE"} for row in issues(f"metrics-{place}", 2)]
        assert [row["reason"] for row in server.ask(ISSUE, connection, input=rows)] == ["UNKNOWN_CURRENCY"] * 2
    for connection in kept:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read()
        assert {name: sample(page, name) - sample(before, name) for name in names} == names
        assert sample(page, "points_hub_queue_commands") == 0
        connection.close()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, "NOT_FOUND"),
        ("/settlement/sw_1/BANK/lines.ndjson", 401, "UNAUTHENTICATED"),
        ("/statements/cu_1/PTS.csv", 401, "UNAUTHENTICATED"),
    ],
)
def test_errors_have_a_code_and_a_sentence(server: Served, path: str, status: int, code: str) -> None:
    found, body = server.get(path)
    assert found == status
    assert json.loads(body)["error"]["code"] == code
    assert json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/settlement/sw_1/BANK/lines.ndjson",
        "/settlement/x/BANK/lines.ndjson",
        "/settlement/sw_1/BANK/lines/1.json",
        "/settlement/x/BANK/lines/1.json",
        "/settlement/sw_1/BANK/report.pdf",
        "/settlement/sw_1/BANK/report.docx",
    ],
)
def test_lines_that_are_not_there_do_not_exist(server: Served, path: str) -> None:
    status, body = server.get(path, server.secret)
    assert (status, json.loads(body)["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("authorization", ["Bearer phk_wrong", "Basic abc", "Bearer"])
def test_a_key_that_opens_nothing_is_refused_everywhere(server: Served, authorization: str) -> None:
    connection = server.connect()
    for method, path in (("POST", "/graphql"), ("GET", "/settlement/sw_1/BANK/lines.ndjson")):
        headers = {"authorization": authorization, "content-type": "application/json"}
        connection.request(method, path, '{"query": "{ hub { name } }"}', headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    connection.close()


def test_a_request_is_found_in_the_log_by_its_answers_id(server: Served) -> None:
    for path, status in (("/graphql?query={hub{name}}", 200), ("/nothing", 404)):
        connection = server.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        [told] = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
        assert (told["event"], told["status"], answer.status) == ("request", status, status)


def test_a_taken_port_is_said_in_a_sentence(server: Served, tmp_path: Path) -> None:
    done = run(tmp_path / "other", "serve", "--port", str(server.port))
    assert done.returncode == 3
    assert re.fullmatch(rf"points-hub: [^\n]* port {server.port}: another program uses it[^\n]*\n", done.stderr)
    assert not (tmp_path / "other").exists()


def test_commands_run_beside_the_server(server: Served) -> None:
    done = run(server.folder, "audit")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing is wrong" in done.stdout
    assert server.is_ready()


STATEMENT = """
query($from: DateTime!, $until: DateTime!) {
  statement(customer: {institution: "BANK", reference: "csv-0"}, currency: "PTS", from: $from, until: $until) {
    opening closing csvUrl } }
"""


def test_a_statement_is_served_as_csv(server: Served) -> None:
    """701 points, one by one, of which the first page of 500 is not all."""
    rows = [row | {"to": {"institution": "BANK", "reference": "csv-0"}} for row in issues("csv", 701)]
    server.ask(ISSUE, input=rows)
    until = server.ask("{ hub { time } }")["time"]
    told = server.ask(STATEMENT, **{"from": "2026-01-01T00:00:00+08:00", "until": until})
    assert (told["opening"], told["closing"]) == ("0", "701")
    assert server.get(told["csvUrl"])[0] == 401
    status, content = server.get(told["csvUrl"], server.secret)
    assert status == 200
    sheet = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [row["kind"] for row in sheet] == ["OPENING", *["ISSUE"] * 701, "CLOSING"]
    assert [row["balance_after"] for row in sheet] == [*map(str, range(702)), "701"]
    assert (sheet[0]["posted_at"], sheet[-1]["posted_at"]) == ("2025-12-31T16:00:00Z", until)
    assert len({row["id"] for row in sheet[1:-1]}) == 701

    for_people = server.get(f"{told['csvUrl']}&labels=zh", server.secret)[1].decode("utf-8-sig")
    assert for_people.splitlines()[0] == "入账时间,明细编号,类型,方向,积分数,余额,备注,序号"
    assert for_people.count("发放") == 701
    connection = server.connect()
    connection.request("GET", told["csvUrl"], headers=server.headers)
    answer = connection.getresponse()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert re.fullmatch(r'attachment; filename="cu_[0-9a-f]+-PTS\.csv"', answer.headers["content-disposition"])
    assert answer.headers["cache-control"] == "private, no-store"
    assert len(answer.read()) == len(content)
    connection.close()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "BAD_INPUT"),
        ("from=2026-01-01T00:00:00Z", 400, "BAD_INPUT"),
        ("from=2026-01-01&until=2026-02-01", 400, "BAD_INPUT"),
        ("from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 400, "BAD_INPUT"),
        ("from=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z&labels=fr", 400, "BAD_INPUT"),
        ("from=2026-01-01T00:00:00Z&until=2999-01-01T00:00:00Z", 400, "NOT_PAST"),
        ("from=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", 404, "NOT_FOUND"),
    ],
)
def test_a_statement_that_cannot_be_is_refused_with_a_code(server: Served, query: str, status: int, code: str) -> None:
    for customer in ("cu_1", "alice"):
        found, body = server.get(f"/statements/{customer}/PTS.csv?{query}", server.secret)
        assert (found, json.loads(body)["error"]["code"]) == (status, code)


def test_a_window_closed_on_the_host_is_reported_served_and_verifiable(server: Served, tmp_path: Path) -> None:
    server.ask(ISSUE, input=[issues("window", 1)[0] | {"amount": "500"}])
    redeemed = server.ask(
        "mutation($input: RedeemPointsInput!) { redeemPoints(input: $input) { __typename } }",
        input={
            "idempotencyKey": "redeem", "currency": "PTS", "customer": {"institution": "BANK", "reference": "window-0"},
            "merchant": "SHOP", "amount": "500",
        },
    )  # fmt: skip
    assert redeemed == {"__typename": "Redemption"}
    interim_statement_is_served(server, tmp_path)
    unknown = run(server.folder, "window", "close", "CARD")
    assert (unknown.returncode, "model=CARD" in unknown.stderr) == (3, True)
    closed = run(server.folder, "window", "close", "--json", "--lines", str(tmp_path / "all.ndjson"))
    assert closed.returncode == 0, closed.stderr
    told = json.loads(closed.stdout)
    assert told["nets"] == [  # 500 points at 0.01 CNY
        {"institution": "BANK", "currency": "CNY", "debit": "5.00", "credit": "0.00", "net": "-5.00"},
        {"institution": "SHOP", "currency": "CNY", "debit": "0.00", "credit": "5.00", "net": "5.00"},
    ]
    assert (told["model"], told["number"], told["status"]) == ("default", 1, "CLOSED")
    report = server.ask(REPORT, window=told["window"])
    status, lines = server.get(report["linesUrl"], server.secret)
    assert (status, lines.count(b"\n")) == (200, 1)
    assert (tmp_path / "all.ndjson").read_bytes() == lines  # the window's one line is also the bank's
    assert server.get(report["linesUrl"])[0] == 401
    files = {"report": report["jws"].encode(), "lines": lines, "jwks": server.get("/.well-known/jwks.json")[1]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = {name: str(tmp_path / name) for name in files}
    done = run(tmp_path / "none", "verify", paths["report"], "--lines", paths["lines"], "--jwks", paths["jwks"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "BANK's report of window 1, 1 line," in done.stdout
    # What anybody would make of it.
    assert [one["name"] for one in report["renderings"]] == list(FILES)
    for one in report["renderings"]:
        file = FILES[one["name"]]
        status, made = server.get(one["url"].replace("language=en", "language=zh"), server.secret)
        given = tmp_path / "lines" if file.has_lines(1) else None
        render(report["payload"].encode(), given, file.format, "zh", tmp_path / "made")
        assert (status, made) == (200, (tmp_path / "made").read_bytes()), one
        assert server.get(one["url"])[0] == 401
        assert server.get(one["url"].replace("language=en", "language=fr"), server.secret)[0] == 400
    for one in report["bilateral"]:
        status, made = server.get(one["url"], server.secret)
        render(
            report["payload"].encode(), tmp_path / "lines", FILES[one["name"]].format, "en", tmp_path / "made", "SHOP"
        )
        assert (status, made) == (200, (tmp_path / "made").read_bytes()), one
    assert server.get(report["renderings"][3]["url"] + "&with=SHOP", server.secret)[0] == 422  # camt.053 is none
    # One line with its proof, and nothing where there is no line.
    status, proof = server.get(report["lineUrl"], server.secret)
    assert status == 200
    (tmp_path / "proof").write_bytes(proof)
    words = ["--line", str(tmp_path / "proof"), "--jwks", paths["jwks"]]
    done = run(tmp_path / "none", "verify", paths["report"], *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("; line 1 is one of its 1 line.\n")
    assert server.get(report["lineUrl"])[0] == 401
    for number in ("0", "2", "x"):
        assert server.get(report["lineUrl"].replace("1.json", f"{number}.json"), server.secret)[0] == 404


def interim_statement_is_served(server: Served, folder: Path) -> None:
    """What the window comes to while it is open, in files that anybody makes and verifies, and takes for no report."""
    window = server.ask("{ hub { window { id } } }")["window"]["id"]
    found = server.ask(INTERIM, window=window)
    (folder / "interim").write_text(found["jws"])
    for name, url in (("own", found["linesUrl"]), ("keys", "/.well-known/jwks.json")):
        (folder / name).write_bytes(server.get(url, server.secret)[1])
    words = [str(folder / "interim"), "--lines", str(folder / "own"), "--jwks", str(folder / "keys")]
    done = run(folder / "none", "verify", "--interim", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "BANK's interim statement of window 1, 1 line," in done.stdout
    assert "\nINTERIM: up to batch " in done.stdout
    assert run(folder / "none", "verify", *words).returncode == 1
    for one in found["renderings"]:
        status, made = server.get(one["url"], server.secret)
        file = FILES[one["name"]]
        given = folder / "own" if file.has_lines(1) else None
        render(found["payload"].encode(), given, file.format, "en", folder / "made")
        assert (status, made) == (200, (folder / "made").read_bytes()), one
    place = found["linesUrl"].removesuffix("lines.ndjson")
    assert server.get(f"{place}statement.jws", server.secret)[1].decode() == found["jws"] + "\n"
    status, refused = server.get(f"{place}report.xml", server.secret)
    assert (status, json.loads(refused)["error"]["code"]) == (422, "UNRENDERABLE")
    assert server.get(f"{place}report.pdf")[0] == 401
    for absent in (f"{place}report.docx", place.replace("/interim/", "/interim/9") + "report.pdf"):
        assert server.get(absent, server.secret)[0] == 404


def test_a_key_is_revoked_on_the_host_after_it_was_rotated(server: Served) -> None:
    [first, *_] = json.loads(server.get("/.well-known/jwks.json")[1])["keys"]
    words = ["--reason", "compromised", "--from", "2026-01-01T00:00+08:00"]
    refused = run(server.folder, "keys", "revoke", first["kid"], *words)
    assert refused.returncode == 3
    assert "rotate it before it is revoked" in refused.stderr
    assert "There is no signing key" in run(server.folder, "keys", "revoke", "nobodys", *words).stderr
    assert run(server.folder, "keys", "rotate").returncode == 0
    done = run(server.folder, "keys", "revoke", first["kid"], *words)
    assert (done.returncode, done.stderr) == (0, "")
    listed = {key["kid"]: key.get("revoked") for key in json.loads(server.get("/.well-known/jwks.json")[1])["keys"]}
    since = 1_767_196_800  # 2025-12-31T16:00:00Z
    assert listed.pop(first["kid"]) == {"revoked_at": since, "reason": "compromised"}
    assert list(listed.values()) == [None]
    assert run(server.folder, "keys", "revoke", first["kid"], *words[:2], "--from", "2999-01-01").returncode == 3


# --- how it begins and ends; each with a hub of its own ---------------------------------------------------------------


def test_asked_to_end_it_answers_what_was_asked_and_all_of_it_is_there(pattern: Pattern, tmp_path: Path) -> None:
    folder, rows = pattern.copy(tmp_path / "hub"), issues("end", 3_000)
    answers: list[list[dict[str, Any]]] = []
    with served(folder, pattern.secret) as running:
        furnish(running)
        workers, database = running.workers, database_of(folder)
        asking = Thread(target=lambda: answers.append(running.ask(ISSUE, input=rows)))
        asking.start()
        assert until(lambda: requests_begun(running) > 0, SOON_S_MAX)
        running.process.terminate()
        assert running.process.wait(40) == 0
        asking.join()
        assert all(map(is_gone, workers))
        assert is_gone(database)
    with served(folder, pattern.secret) as again:
        replayed = again.ask(ISSUE, input=rows)
    assert [row["id"] for row in answers[0]] == [row["id"] for row in replayed]
    assert all(row["replayed"] for row in replayed)


def requests_begun(running: Served) -> float:
    """Commands that wait or were committed: the batch has arrived."""
    page = running.get("/metrics")[1]
    return sample(page, "points_hub_queue_commands") + max(sample(page, "points_hub_batch_commands_sum") - 3, 0)


def database_of(folder: Path) -> int:
    """The embedded server's first process."""
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


@pytest.mark.long
def test_killed_it_can_be_started_again_at_once_every_time(pattern: Pattern, tmp_path: Path) -> None:
    folder = pattern.copy(tmp_path / "hub")
    port: int | None = None
    databases = set()
    for kill in (os.killpg, os.kill, os.killpg):  # the whole group, its parent alone, and again
        with served(folder, pattern.secret, port) as running:
            port, workers = running.port, running.workers
            assert running.ask("{ viewer { roles } }") == {"roles": ["OPERATOR_ADMIN"]}
            databases.add(database_of(folder))
            kill(running.process.pid, signal.SIGKILL)
            assert until(lambda: all(map(is_gone, workers)), SOON_S_MAX)  # noqa: B023 - asked at once
    with served(folder, pattern.secret, port) as running:
        databases.add(database_of(folder))
    [database] = databases  # it lived through all of it, and whoever left last has stopped it
    assert is_gone(database)


def test_a_killed_worker_is_replaced_and_the_counts_go_on(pattern: Pattern, tmp_path: Path) -> None:
    name = 'points_hub_http_requests_total{kind="query",status="200"}'
    with served(pattern.copy(tmp_path / "hub"), pattern.secret) as running:
        for _ in range(4):
            running.ask("{ hub { name } }")
        victim = min(running.workers)
        os.kill(victim, signal.SIGKILL)
        assert until(lambda: victim not in running.workers and len(running.workers) == 2, SOON_S_MAX)
        for _ in range(4):
            running.ask("{ hub { name } }")
        assert sample(running.get("/metrics")[1], name) == 8  # 4 before and 4 after


def test_while_the_database_is_gone_reads_are_unavailable_and_no_crash(pattern: Pattern, tmp_path: Path) -> None:
    document = "{ viewer { institution { code } } }"
    with served(pattern.copy(tmp_path / "hub"), pattern.secret, workers=1) as running:
        assert running.ask(document) == {"institution": {"code": "HUB"}}
        database = database_of(running.folder)
        serving = children(database)
        os.kill(database, signal.SIGKILL)
        assert until(lambda: all(map(is_gone, serving)), SOON_S_MAX)
        for media in ("application/json", "application/graphql-response+json"):
            connection = running.connect()
            headers = running.headers | {"accept": media}
            connection.request("POST", "/graphql", json.dumps({"query": document}), headers)
            answer = connection.getresponse()
            [error] = json.loads(answer.read())["errors"]
            connection.close()
            assert (answer.status, error["extensions"]) == (503, {"code": "UNAVAILABLE"})
        assert running.get("/.well-known/jwks.json")[0] == 503
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    assert [line["level"] for line in lines if line["event"] == "database out of reach"] == ["warning"] * 3
    assert CRASHES.isdisjoint(line["event"] for line in lines)


@pytest.mark.long
async def test_asked_to_end_it_answers_in_json_what_it_cannot_wait_for(pattern: Pattern, tmp_path: Path) -> None:
    """The journal is locked for longer than a server that ends waits for its requests: one acts, one looks."""
    folder, [row] = pattern.copy(tmp_path / "hub"), issues("late", 1)
    with postgres.lease(folder) as database:
        with served(folder, pattern.secret, workers=1) as running:
            await asyncio.to_thread(furnish, running)
            now = (await asyncio.to_thread(running.ask, "{ hub { time } }"))["time"]
            eyes = await asyncpg.connect(driver_url(database.url(postgres.SERVER)))
            async with eyes.transaction():
                await eyes.execute("SELECT 1 FROM journal_head FOR UPDATE")
                query = urlencode({"until": now})
                asked = [
                    asyncio.create_task(asyncio.to_thread(answered, running, "POST", "/graphql", ISSUE, [row])),
                    asyncio.create_task(asyncio.to_thread(answered, running, "GET", f"/analysis.parquet?{query}")),
                ]
                await asyncio.sleep(1)
                running.process.terminate()
                act, look = await asyncio.gather(*asked)
            await eyes.close()
            assert await asyncio.to_thread(running.process.wait, 40) == 0
        with served(folder, pattern.secret, workers=1) as again:
            [made] = await asyncio.to_thread(again.ask, ISSUE, input=[row])
    assert (act[0], act[1], act[2]["errors"][0]["extensions"]["code"]) == (504, "application/json", "DEADLINE_EXCEEDED")
    assert (look[0], look[1], look[2]["error"]["code"]) == (503, "application/json", "UNAVAILABLE")
    assert (made["__typename"], made["replayed"]) == ("Issue", True)  # it was done, as it may be; and once
    assert "Traceback" not in running.log.read_text()


def answered(
    running: Served, method: str, path: str, document: str = "", rows: list[dict[str, Any]] | None = None
) -> tuple[int, str, Any]:
    """Status, media type and content of an answer in JSON."""
    connection = running.connect()
    body = json.dumps({"query": document, "variables": {"input": rows}}) if document else None
    connection.request(method, path, body, running.headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    media = str(answer.headers["content-type"]).partition(";")[0]
    return answer.status, media, json.loads(content) if media == "application/json" else content


def test_asked_to_end_it_writes_nothing_but_json(pattern: Pattern, tmp_path: Path) -> None:
    with served(pattern.copy(tmp_path / "hub"), pattern.secret, workers=1) as server:
        pass
    lines = server.log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("{")] == []
    assert {"serving", "stopping"} <= {json.loads(line)["event"] for line in lines}


def test_public_keys_of_other_hosts_are_served_as_they_are_told(pattern: Pattern, tmp_path: Path) -> None:
    other = SigningKey.generate().public_jwk()
    told = json.dumps({"keys": [other]})
    with served(pattern.copy(tmp_path / "hub"), pattern.secret, workers=1, HUB_SIGNING_JWKS=told) as server:
        keys = json.loads(server.get("/.well-known/jwks.json")[1])["keys"]
    assert len(keys) == 2  # its own beside it
    assert other in keys
