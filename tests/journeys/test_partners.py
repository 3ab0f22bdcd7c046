"""Partners' systems behind a served hub: simulators as programs of their own, reached by the guide's configuration, and
a hub that is killed in the middle. Nothing is lost and nothing is there twice, over all three."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.hub.cli.simulating import simulating
from tests.hub.programs import Pattern, Served, served
from tests.journeys.client import Client, Failed, key
from tests.journeys.network import Network, network_of

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "connect-a-partner.md"
SECRET = "the secret that both know"
MEMBERS = 8
START = 10_000
EXCHANGE = """query($id: ID!) { exchange(conversionId: $id) {
  state inDoubt orders { reference operation attempts status } incidents { text } evidence { id kind person }
} }"""


@dataclass
class Partner:
    """A simulator that runs as a program of its own."""

    url: str
    http: httpx2.Client

    def enroll(self, member: str, available: int) -> None:
        self.http.post(
            "/sandbox/members", json={"member": member, "familyName": "Li", "available": str(available)}
        ).raise_for_status()

    def script(self, behaviour: str, **more: Any) -> None:
        self.http.post("/sandbox/script", json={"behaviour": behaviour, **more}).raise_for_status()

    def behave(self) -> None:
        self.http.delete("/sandbox/script").raise_for_status()

    def available(self, member: str) -> float:
        return float(self.http.get(f"/sandbox/members/{member}").json()["available"])


@contextmanager
def simulator(folder: Path, name: str, callback: str) -> Iterator[Partner]:
    words = ["--data", str(folder / f"{name}.db"), "--authentication", "hmac", "--no-magic"]
    told = simulating(folder, *words, "--callback", callback, "--pending-ms", "300", SIMULATOR_SECRET=SECRET)
    with told as url, httpx2.Client(base_url=url, timeout=10) as http:
        yield Partner(url, http)


def configured(url: str) -> dict[str, Any]:
    """The guide's configuration, of a partner that is here and knows an order as soon as it has come."""
    found = re.search(r"```json\n(.*?)```", GUIDE.read_text(), re.S)
    assert found is not None
    return dict(json.loads(found[1]) | {"baseUrl": url, "absentAfterS": 0, "allowPlainHttp": True})


@dataclass
class Story:
    """A served hub with a bank, and an airline and a hotel that keep their points themselves."""

    server: Served
    network: Network
    airline: Partner
    hotel: Partner
    codes: dict[str, str]

    @property
    def operator(self) -> Client:
        return self.network.operator

    def convert(self, member: str, amount: str, name: str | None = None) -> Any:
        """2 MILE become 3 STAY, of and for the member of that name."""
        codes = self.codes
        return self.operator.do(
            "convert",
            idempotencyKey=name or key(),
            source={"institution": codes["AIR"], "reference": member},
            target={"institution": codes["HOTEL"], "reference": member},
            sourceCurrency=codes["MILE"],
            targetCurrency=codes["STAY"],
            sourceAmount=amount,
        )

    def conversion(self, id: str) -> Any:
        asked = self.operator.ask(
            "query($id: ID!) { conversion(id: $id) { status completedAt window { number } refusal { reason message"
            " details { key value } } } }",
            id=id,
        )
        return asked["conversion"]

    def until(self, id: str, *statuses: str, seconds: float = 60) -> Any:
        return wait(lambda: (found := self.conversion(id))["status"] in statuses and found, seconds)


def wait(found: Callable[[], Any], seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while True:
        if one := found():
            return one
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def directly(url: str) -> str:
    """A partner with nothing between it and the hub."""
    return url


@pytest.fixture(scope="module")
def story(pattern: Pattern, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told(pattern, tmp_path_factory.mktemp("partners")) as story:
        yield story


@contextmanager
def told(
    pattern: Pattern,
    folder: Path,
    line: Callable[[str], str] = directly,
    lease_s: int = 3,
    members: int = MEMBERS,
    **terms: Any,
) -> Iterator[Story]:
    """A story from its beginning; ``line``: where the hub reaches who is at an address; ``terms``: of the partners'
    configuration."""
    data = pattern.copy(folder / "data")
    with ExitStack() as stack:
        server = stack.enter_context(served(data, pattern.secret, HUB_PARTNER_LEASE_SECONDS=str(lease_s)))
        url, network = server.url, network_of(server)
        operator = network.operator
        codes = {code: network.institution(code, kind) for code, kind in (("AIR", "AIRLINE"), ("HOTEL", "OTHER"))}
        partners = []
        for code, home in (("MILE", "AIR"), ("STAY", "HOTEL")):
            at = stack.enter_context(simulator(folder, home, f"{url}/partners/{code}/answers"))
            fields = {"adapter": "http_json", "adapterConfig": configured(line(at.url)) | terms, "scale": 2}
            value = {"amount": "0.05", "currency": "CNY"}
            registered = operator.do(
                "registerPointCurrency", code=code, name=code, issuer=codes[home], unitValue=value,
                rateConsent="OPERATOR", **fields,
            )  # fmt: skip
            assert registered["__typename"] == "PointCurrency", registered
            codes[code] = code
            partners.append(at)
        network.rate("MILE", "STAY", 3, 2)
        for number in range(members):
            partners[0].enroll(f"M{number}", START)
            partners[1].enroll(f"M{number}", 0)
        airline, hotel = partners
        yield Story(server, network, airline, hotel, codes)


def test_a_conversion_over_two_partners_completes_and_its_money_is_in_the_open_window(story: Story) -> None:
    made = story.convert("M0", "100")
    assert made["__typename"] == "Conversion", made
    done = story.until(made["id"], "COMPLETED")
    assert done["window"] == {"number": 1}
    assert (story.airline.available("M0"), story.hotel.available("M0")) == (START - 100, 150)


def test_a_member_is_found_by_what_its_partner_asks_for(story: Story) -> None:
    asked = story.operator.ask('{ pointCurrency(code: "MILE") { memberLookup } }')["pointCurrency"]["memberLookup"]
    assert asked["required"] == ["membershipNumber"]
    assert asked["properties"]["familyName"]["x-labels"] == {"en": "Family name", "zh-CN": "姓"}
    find = """query($f: JSON!) { partnerMember(currency: "MILE", fields: $f) {
      __typename ... on PartnerMember { reference available maySpend } ... on Refused { reason details { key value } }
    } }"""
    found = {"__typename": "PartnerMember", "reference": "M7", "available": f"{START}.00", "maySpend": True}
    assert story.operator.ask(find, f={"membershipNumber": "M7", "familyName": "Li"})["partnerMember"] == found
    stranger = story.network.person(story.codes["HOTEL"], "INSTITUTION_TRADER")
    assert stranger.ask(find, f={"membershipNumber": "M7", "familyName": "Li"})["partnerMember"] == found | {
        "available": None
    }
    assert story.operator.ask(find, f={"membershipNumber": "nobody", "familyName": "Li"})["partnerMember"] is None
    for fields, name in (({}, "membershipNumber"), ({"membershipNumber": "M7", "iban": "x"}, "iban")):
        refused = story.operator.ask(find, f=fields)["partnerMember"]
        assert (refused["reason"], refused["details"]) == ("INVALID_INPUT", [{"key": "field", "value": name}])


def test_a_refusal_says_why_in_the_caller_s_language(story: Story) -> None:
    made = story.convert("M0", "999999")
    refused = story.until(made["id"], "REFUSED")["refusal"]
    assert refused["reason"] == "PARTNER_REFUSED"
    details = {one["key"]: one["value"] for one in refused["details"]}
    assert details == {"currency": "MILE", "because": "INSUFFICIENT_POINTS", "code": "INSUFFICIENT_POINTS"}


def test_a_member_s_points_are_spent_by_nobody_else_and_not_while_they_are_frozen(story: Story) -> None:
    codes, has = story.codes, story.airline.available("M4")
    bank = story.network.institution("BANK")
    thief, member = ({"institution": code, "reference": "M4"} for code in (bank, codes["AIR"]))
    taker = {"institution": codes["HOTEL"], "reference": "M4"}
    pair = {"sourceCurrency": "MILE", "targetCurrency": "STAY", "sourceAmount": "100"}
    trader = story.network.person(bank, "INSTITUTION_TRADER")
    for source in (thief, member):
        with pytest.raises(Failed) as refused:
            trader.do("convert", idempotencyKey=key(), source=source, target=taker, **pair)
        assert refused.value.codes == ["FORBIDDEN"]

    quote = story.operator.do("requestQuote", source=member, target=taker, **pair)["id"]
    story.operator.do("freezeAccount", idempotencyKey=key(), customer=member, reason="suspicion")
    frozen = story.operator.do("executeQuote", idempotencyKey=key(), quoteId=quote)
    assert (frozen["__typename"], frozen["reason"]) == ("Refused", "FROZEN")
    assert story.airline.available("M4") == has
    story.operator.do("unfreezeAccount", idempotencyKey=key(), customer=member, reason="cleared")
    done = story.operator.do("executeQuote", idempotencyKey=key(), quoteId=quote)
    story.until(done["id"], "COMPLETED")
    assert story.airline.available("M4") == has - 100


def test_a_callback_that_comes_twice_completes_a_conversion_once(story: Story) -> None:
    before = story.hotel.available("M1")
    story.hotel.script("DUPLICATE_CALLBACK", operation="CREDIT")
    made = story.convert("M1", "10")
    story.until(made["id"], "COMPLETED")
    assert story.hotel.available("M1") == before + 15


def test_what_is_proven_by_nothing_is_no_answer(story: Story) -> None:
    url = f"{story.operator.url}/partners/STAY/answers"
    told = {"reference": "PH-1-C", "status": "SUCCEEDED"}
    assert httpx2.post(url, json=told).status_code == 401
    signed = {"x-timestamp": str(int(time.time())), "x-signature": "0" * 64}
    assert httpx2.post(url, json=told, headers=signed).status_code == 401
    assert httpx2.post(f"{story.operator.url}/partners/NOPE/answers", json=told).status_code == 401
    assert httpx2.post(url, content=b"x" * 70_000).status_code == 413


@pytest.mark.parametrize("reference", ["PH-1-C", "a\0b", "x" * 1_000], ids=["ours", "NUL", "long"])
def test_an_answer_to_nothing_of_ours_is_thanked_for_like_one_that_is_late(story: Story, reference: str) -> None:
    path = "/partners/STAY/answers"
    body = json.dumps({"reference": reference, "status": "SUCCEEDED"}).encode()
    stamp = str(int(time.time()))
    told = f"{stamp}.POST.{path}.".encode() + body
    signed = {"x-timestamp": stamp, "x-signature": hmac.new(SECRET.encode(), told, hashlib.sha256).hexdigest()}
    assert httpx2.post(f"{story.operator.url}{path}", content=body, headers=signed).status_code == 204


def test_what_nobody_knows_is_decided_by_two_persons(story: Story) -> None:
    story.hotel.script("ERROR_NOT_DONE", operation="CREDIT")
    story.hotel.script("ERROR_NOT_DONE", operation="STATUS", next=10_000)
    taken = story.airline.available("M2")
    made = story.convert("M2", "10")
    story.until(made["id"], "IN_DOUBT")
    file = story.operator.ask(EXCHANGE, id=made["id"])["exchange"]
    assert (file["state"], file["inDoubt"]) == ("CREDITING", True)
    assert [one["operation"] for one in file["orders"]] == ["HOLD", "CREDIT"]
    doubtful = story.operator.ask("{ exchangesInDoubt { edges { node { conversion { id } } } } }")
    assert made["id"] in {edge["node"]["conversion"]["id"] for edge in doubtful["exchangesInDoubt"]["edges"]}

    add = (
        'mutation($id: ID!) { addExchangeEvidence(conversionId: $id, text: "Their statement has it not.",'
        " outcome: NOT_DONE) { __typename ... on Exchange { evidence { id kind } } } }"
    )
    proposed = story.operator.ask(add, id=made["id"])["addExchangeEvidence"]["evidence"][-1]
    approve = (
        "mutation($id: ID!, $e: ID!) { approveExchangeEvidence(conversionId: $id, evidenceId: $e)"
        " { __typename ... on Exchange { state } ... on Refused { reason } } }"
    )
    ids = {"id": made["id"], "e": proposed["id"]}
    alone = story.operator.ask(approve, **ids)["approveExchangeEvidence"]
    assert alone == {"__typename": "Refused", "reason": "SAME_APPROVER"}
    both = story.network.second.ask(approve, **ids)["approveExchangeEvidence"]
    assert both == {"__typename": "Exchange", "state": "RELEASING"}
    assert story.until(made["id"], "REFUSED")["refusal"]["reason"] == "PARTNER_REFUSED"
    assert story.airline.available("M2") == taken
    story.hotel.behave()


def test_a_partner_that_leaves_begins_nothing_new(story: Story) -> None:
    say = (
        'mutation($s: PartnerState!) { setPartnerState(currency: "STAY", state: $s, reason: "1 June")'
        " { __typename ... on PointCurrency { partnerState } } }"
    )
    assert story.operator.ask(say, s="LEAVING")["setPartnerState"]["partnerState"] == "LEAVING"
    refused = story.convert("M3", "10")
    assert (refused["__typename"], refused["reason"]) == ("Refused", "PARTNER_UNAVAILABLE")
    assert story.operator.ask(say, s="ACTIVE")["setPartnerState"]["partnerState"] == "ACTIVE"


def test_a_part_to_which_nothing_of_the_partner_s_falls_is_reversed_at_once(story: Story) -> None:
    """1 MILE, 100 of its smallest units, becomes 20,000 points of a bank: 15 of them are not one unit."""
    network, before = story.network, story.airline.available("M4")
    bank = network.institution("SMALL")
    points = network.currency("SMALL", bank)
    network.rate("MILE", points, 20_000, 1)
    made = story.operator.do(
        "convert",
        idempotencyKey=key(),
        source={"institution": story.codes["AIR"], "reference": "M4"},
        target={"institution": bank, "reference": "bo"},
        sourceCurrency="MILE",
        targetCurrency=points,
        sourceAmount="1",
    )
    assert story.until(made["id"], "COMPLETED")
    assert story.airline.available("M4") == before - 1

    def back(amount: str | None) -> Any:
        return story.operator.ask(
            "mutation($i: ReverseInput!) { reverse(input: $i) {"
            " __typename ... on Reversal { status } ... on Refused { reason } } }",
            i={"idempotencyKey": key(), "id": made["id"], "amount": amount, "reason": "wrong"},
        )["reverse"]

    assert back("15") == {"__typename": "Reversal", "status": "COMPLETED"}
    assert story.airline.available("M4") == before - 1
    assert back(None)["status"] == "PENDING"
    assert story.until(made["id"], "REVERSED")
    assert story.airline.available("M4") == before


def test_killed_in_the_middle_it_loses_and_doubles_nothing(story: Story) -> None:
    """kill -9 of the whole server under load, twice: after it every conversion that was answered ends, what was asked
    is there once, and airline, hotel and hub agree on every point."""
    before = sum(story.airline.available(f"M{n}") for n in range(MEMBERS))
    stays = sum(story.hotel.available(f"M{n}") for n in range(MEMBERS))
    for at in (story.airline, story.hotel):  # some of it goes wrong as well
        at.script("ERROR_DONE", operation="CAPTURE" if at is story.airline else "CREDIT", next=5)
    sent: dict[str, str | None] = {}
    for _ in range(2):
        asyncio.run(_under_load(story, sent))
    ids = {}
    for name in sent:
        again = story.convert(f"M{int(name.split('-')[1]) % MEMBERS}", "2", name)
        assert again["__typename"] == "Conversion", again
        ids[name] = again["id"]
        assert sent[name] in (None, again["id"])
    for id in ids.values():
        story.until(id, "COMPLETED", seconds=120)
    assert len(set(ids.values())) == len(sent) > 40
    assert sum(story.airline.available(f"M{n}") for n in range(MEMBERS)) == before - 2 * len(sent)
    assert sum(story.hotel.available(f"M{n}") for n in range(MEMBERS)) == stays + 3 * len(sent)
    done = story.server.run("audit")
    assert done.returncode == 0, done.stdout + done.stderr


async def _under_load(story: Story, sent: dict[str, str | None]) -> None:
    enough, goal = asyncio.Event(), len(sent) + 30
    document = """mutation($v: ConvertInput!) { convert(input: $v) {
      __typename ... on Conversion { id } ... on Refused { reason }
    } }"""

    async def lane(number: int) -> None:
        async with httpx2.AsyncClient(timeout=30) as client:
            for turn in range(1_000):
                name = f"k-{number}-{len(sent)}-{turn}"
                party = {"reference": f"M{number % MEMBERS}"}
                value = {
                    "idempotencyKey": name, "sourceAmount": "2", "sourceCurrency": "MILE", "targetCurrency": "STAY",
                    "source": {"institution": story.codes["AIR"], **party},
                    "target": {"institution": story.codes["HOTEL"], **party},
                }  # fmt: skip
                sent[name] = None
                try:
                    answer = await client.post(
                        f"{story.operator.url}/graphql",
                        json={"query": document, "variables": {"v": value}},
                        headers={"authorization": f"Bearer {story.operator.secret}"},
                    )
                    made = answer.json()["data"]["convert"]
                except (httpx2.TransportError, json.JSONDecodeError):
                    return
                if made["__typename"] == "Refused":
                    assert made["reason"] == "RETRY_LATER", made
                    return
                sent[name] = made["id"]
                if sum(id is not None for id in sent.values()) >= goal:
                    enough.set()

    lanes = [asyncio.create_task(lane(number)) for number in range(8)]
    await enough.wait()
    await asyncio.to_thread(story.server.kill)
    await asyncio.gather(*lanes)
    await asyncio.to_thread(story.server.start)
