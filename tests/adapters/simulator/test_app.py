"""The simulator over HTTP: the wire, every misbehaviour, and what it says of requests that it does not understand."""

import asyncio
from datetime import datetime
from pathlib import Path

import httpx2
import pytest

from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.rules import Programme
from adapters.simulator.script import MAGIC, Behaviour
from hub.partners import Reason
from tests.adapters.conftest import Playing, playing

ORDER_FIELDS = [
    *("reference", "partnerReference", "operation", "member", "amount", "unit", "status", "code", "message", "at")
]  # fmt: skip


async def test_an_order_is_done_and_told_by_its_reference(simulator: Playing) -> None:
    answer = await simulator.order("DEBIT", "123.45")
    told = answer.json()
    assert answer.status_code == 200
    assert list(told) == ORDER_FIELDS
    assert (told["amount"], told["unit"], told["status"], told["code"]) == ("123.45", "MILES", "SUCCEEDED", "00")
    assert datetime.fromisoformat(told["at"]).utcoffset() is not None
    assert (await simulator.http.get(f"/v1/orders/{told['reference']}")).json() == told
    assert await simulator.available() == "876.55"  # 1000 - 123.45


async def test_a_refusal_is_an_order_too(simulator: Playing) -> None:
    answer = await simulator.order("DEBIT", "1000.01")
    assert answer.status_code == 422
    assert answer.json()["status"] == "REFUSED"
    assert answer.json()["code"] == "INSUFFICIENT_POINTS"
    assert (await simulator.http.get(f"/v1/orders/{answer.json()['reference']}")).json() == answer.json()


async def test_an_amount_that_is_none_is_refused_for_good(simulator: Playing) -> None:
    body = simulator.body("DEBIT", "1.234")
    answers = [await simulator.http.post("/v1/orders", json=body) for _ in range(2)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "INVALID_AMOUNT")] * 2
    assert answers[0].json()["amount"] == "1.234"


async def test_another_order_under_a_reference_is_a_conflict(simulator: Playing) -> None:
    body = simulator.body()
    await simulator.http.post("/v1/orders", json=body)
    conflict = await simulator.http.post("/v1/orders", json={**body, "amount": "11"})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "CONFLICT")


async def test_an_unknown_reference_is_not_found(simulator: Playing) -> None:
    answer = await simulator.http.get("/v1/orders/PH-NONE")
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_REFERENCE")


async def test_a_member_is_found_by_number_and_name(simulator: Playing) -> None:
    await simulator.enroll("M-2", "7", familyName="欧阳", maySpend=False)
    asked = {"membershipNumber": "M-2", "familyName": " 欧阳"}
    found = await simulator.http.get("/v1/members", params=asked)
    assert found.json() == {
        "member": "M-2",
        "familyName": "欧阳",
        "available": "7.00",
        "held": "0.00",
        "maySpend": False,
        "mayEarn": True,
    }
    for other in ({**asked, "familyName": "Li"}, {**asked, "membershipNumber": "M-3"}):
        nobody = await simulator.http.get("/v1/members", params=other)
        assert (nobody.status_code, nobody.json()["code"]) == (404, "NO_SUCH_MEMBER")
    incomplete = await simulator.http.get("/v1/members", params={"membershipNumber": "M-2"})
    assert (incomplete.status_code, incomplete.json()["field"]) == (400, "familyName")


async def test_the_journal_has_the_orders_of_a_day(simulator: Playing) -> None:
    told = (await simulator.order("CREDIT", "5")).json()
    day = told["at"][:10]
    assert (await simulator.http.get(f"/v1/journal/{day}")).json() == {"entries": [told], "next": None}
    assert (await simulator.http.get("/v1/journal/2020-01-01")).json() == {"entries": [], "next": None}
    for wrong in ("yesterday", "20260101", f"{day}?after=x"):
        assert (await simulator.http.get(f"/v1/journal/{wrong}")).json()["code"] == "WRONG_VALUE"


# --- misbehaving ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(Reason))
async def test_it_refuses_for_each_reason(simulator: Playing, reason: Reason) -> None:
    await simulator.script("REFUSED", reason=reason)
    answer = await simulator.order()
    assert (answer.status_code, answer.json()["code"]) == (422, reason)
    assert await simulator.available() == "1000.00"


@pytest.mark.parametrize(
    ("behaviour", "done"), [("ERROR_DONE", True), ("ERROR_NOT_DONE", False)], ids=lambda value: str(value)
)
async def test_it_breaks_before_or_after_doing_it(simulator: Playing, behaviour: str, done: bool) -> None:
    await simulator.script(behaviour)
    body = simulator.body()
    answer = await simulator.http.post("/v1/orders", json=body)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    status = await simulator.http.get(f"/v1/orders/{body['reference']}")
    assert status.status_code == (200 if done else 404)
    assert await simulator.available() == ("990.00" if done else "1000.00")
    assert (await simulator.http.post("/v1/orders", json=body)).json()["status"] == "SUCCEEDED"
    assert await simulator.available() == "990.00"


async def test_it_answers_nothing_although_it_did_it(simulator: Playing) -> None:
    await simulator.script("TIMEOUT_DONE")
    body = simulator.body()
    with pytest.raises(httpx2.ReadTimeout):
        await simulator.http.post("/v1/orders", json=body, timeout=0.3)
    assert (await simulator.http.get(f"/v1/orders/{body['reference']}")).json()["status"] == "SUCCEEDED"


async def test_it_cuts_the_connection_before_doing_anything(simulator: Playing) -> None:
    await simulator.script("DOWN")
    body = simulator.body()
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)):
        await simulator.http.post("/v1/orders", json=body)
    assert (await simulator.http.get(f"/v1/orders/{body['reference']}")).status_code == 404


async def test_it_is_busy_and_does_nothing(simulator: Playing) -> None:
    await simulator.script("BUSY", next=2)
    body = simulator.body()
    answers = [await simulator.http.post("/v1/orders", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["code"] == "BUSY"


@pytest.mark.parametrize(
    ("behaviour", "field", "wrong"),
    [("WRONG_AMOUNT", "amount", "10.01"), ("WRONG_UNIT", "unit", "NOT-MILES"), ("WRONG_REFERENCE", "reference", "-X")],
)
async def test_it_lies_in_its_answer_and_not_in_the_status(
    simulator: Playing, behaviour: str, field: str, wrong: str
) -> None:
    await simulator.script(behaviour)
    body = simulator.body()
    told = (await simulator.http.post("/v1/orders", json=body)).json()
    assert told[field] == (body["reference"] + wrong if field == "reference" else wrong)
    truth = (await simulator.http.get(f"/v1/orders/{body['reference']}")).json()
    assert (truth["reference"], truth["amount"], truth["unit"]) == (body["reference"], "10.00", "MILES")


async def test_it_is_slow(simulator: Playing) -> None:
    await simulator.script("SLOW", ms=300)
    started = asyncio.get_running_loop().time()
    assert (await simulator.order()).json()["status"] == "SUCCEEDED"
    assert asyncio.get_running_loop().time() - started >= 0.3


@pytest.mark.parametrize("question", ["/v1/orders/PH-1", "/v1/members?membershipNumber=M-1&familyName=Li"])
async def test_questions_are_scripted_by_their_names(simulator: Playing, question: str) -> None:
    operation = "STATUS" if "orders" in question else "LOOKUP"
    await simulator.script("BUSY", operation=operation)
    assert (await simulator.order()).status_code == 200
    assert (await simulator.http.get(question)).status_code == 503
    assert (await simulator.http.get(question)).status_code == 200


async def test_it_behaves_again_when_told(simulator: Playing) -> None:
    await simulator.script("BUSY", next=100)
    assert (await simulator.order()).status_code == 503
    assert (await simulator.http.delete("/sandbox/script")).status_code == 204
    assert (await simulator.order()).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"behaviour": "EXPLODE"}, "WRONG_VALUE", "behaviour"),
        ({}, "MISSING_FIELD", "behaviour"),
        ({"behaviour": "REFUSED"}, "MISSING_FIELD", "reason"),
        ({"behaviour": "SLOW"}, "MISSING_FIELD", "ms"),
        ({"behaviour": "SLOW", "ms": 1.5}, "WRONG_TYPE", "ms"),
        ({"behaviour": "BUSY", "next": 0}, "WRONG_VALUE", "next"),
        ({"behaviour": "BUSY", "operation": "debit"}, "WRONG_VALUE", "operation"),
        ({"behaviour": "WRONG_UNIT", "operation": "STATUS"}, "WRONG_VALUE", "operation"),
        ({"behaviour": "BUSY", "when": "now"}, "UNKNOWN_FIELD", "when"),
    ],
)
async def test_a_script_that_is_none_is_explained(
    simulator: Playing, body: dict[str, object], code: str, field: str
) -> None:
    answer = await simulator.http.post("/sandbox/script", json=body)
    told = answer.json()
    assert (answer.status_code, told["code"], told["field"]) == (400, code, field)
    assert len(told["message"]) > 20


async def test_a_body_says_that_it_is_json_and_is_not_endless(simulator: Playing) -> None:
    form = await simulator.http.post("/sandbox/script", content=b"behaviour=BUSY")
    assert (form.status_code, form.json()["code"]) == (400, "WRONG_TYPE")
    endless = await simulator.http.post("/v1/orders", content=b" " * 70_000)
    assert (endless.status_code, endless.json()["code"]) == (400, "WRONG_VALUE")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v2/orders", "NOT_FOUND"),
        ("GET", "/none.js", "NOT_FOUND"),
        ("GET", "/..%2fapp.py", "NOT_FOUND"),
        ("PUT", "/v1/orders", "METHOD_NOT_ALLOWED"),
    ],
)
async def test_a_place_that_there_is_not_is_explained(simulator: Playing, method: str, path: str, code: str) -> None:
    assert (await simulator.http.request(method, path)).json()["code"] == code


async def test_members_are_enrolled_with_an_amount_that_there_is(simulator: Playing) -> None:
    for available in ("-1", "1.001", "ten"):
        answer = await simulator.http.post("/sandbox/members", json={"member": "M-9", "available": available})
        assert (answer.status_code, answer.json()["field"]) == (400, "available")
    assert (await simulator.http.get("/sandbox/members/M-9")).status_code == 404


def test_every_behaviour_and_reason_can_be_asked_for_by_an_amount() -> None:
    assert {play.behaviour for play in MAGIC.values()} == set(Behaviour)
    assert {play.reason for play in MAGIC.values() if play.behaviour is Behaviour.REFUSED} == set(Reason)


# --- authentication and restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/v1/orders/PH-1", "/v1/members?membershipNumber=M-1&familyName=Li", "/v1/journal/2026-01-01"]
)
async def test_all_that_a_partner_is_asked_is_authenticated(path: str) -> None:
    async with playing(authentication=Authentication(Scheme.BEARER, "right")) as simulator:
        await simulator.enroll()
        refused = await simulator.http.get(path, headers={"authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED")
        assert (await simulator.order()).status_code == 401
        assert (await simulator.http.get(path, headers={"authorization": "Bearer right"})).status_code in (200, 404)
        assert await simulator.available() == "1000.00"


async def test_a_token_is_fetched_and_used() -> None:
    async with playing(authentication=Authentication(Scheme.OAUTH2, "right", "hub")) as simulator:
        form = {"grant_type": "client_credentials"}
        assert (await simulator.http.post("/oauth/token", data=form, auth=("hub", "wrong"))).status_code == 401
        token = (await simulator.http.post("/oauth/token", data=form, auth=("hub", "right"))).json()["access_token"]
        found = await simulator.http.get("/v1/orders/PH-1", headers={"authorization": f"Bearer {token}"})
        assert found.status_code == 404


async def test_a_signed_request_with_a_query_is_accepted() -> None:
    authentication = Authentication(Scheme.HMAC, "key")
    async with playing(authentication=authentication) as simulator:
        await simulator.enroll("M-2", familyName="欧阳")
        request = simulator.http.build_request("GET", "/v1/members?membershipNumber=M-2&familyName=欧阳")
        request.headers.update(authentication.sign("GET", request.url.raw_path.decode(), b""))
        assert (await simulator.http.send(request)).json()["available"] == "1000.00"


async def test_a_simulator_goes_on_where_it_was(tmp_path: Path) -> None:
    async with playing(data=tmp_path / "books.db") as simulator:
        await simulator.enroll()
        told = (await simulator.order()).json()
    async with playing(data=tmp_path / "books.db") as simulator:
        assert (await simulator.http.get(f"/v1/orders/{told['reference']}")).json() == told
        assert await simulator.available() == "990.00"


async def test_a_nightly_partner_does_orders_when_the_night_is_asked_for() -> None:
    async with playing(Programme(nightly="asked")) as simulator:
        await simulator.enroll()
        told = (await simulator.order()).json()
        assert told["status"] == "PENDING"
        assert (await simulator.http.post("/sandbox/night")).json() == {"done": 1}
        assert (await simulator.http.get(f"/v1/orders/{told['reference']}")).json()["status"] == "SUCCEEDED"


async def test_what_the_page_shows_is_json_of_everything(simulator: Playing) -> None:
    await simulator.script("BUSY")
    state = (await simulator.http.get("/sandbox/state")).json()
    assert state["programme"]["unit"] == "MILES"
    assert [member["member"] for member in state["members"]] == ["M-1"]
    assert state["scripts"][0]["behaviour"] == "BUSY"
    assert len(state["behaviours"]) == len(Behaviour)
