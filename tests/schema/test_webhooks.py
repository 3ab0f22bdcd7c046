"""Webhooks in the API: the secret that is shown once, what was sent, and sending it again."""

from typing import Any

import pytest

from hub import ids
from hub.access import Role
from hub.sealing import SecretsKey
from hub.updates import Updates
from hub.webhooks.following import Follower
from tests.hub.webhooks.conftest import Counts
from tests.schema.conftest import Caller, Client

URL = "https://partner.example/hooks"
REFUSED = "... on Refused { reason message details { key value } }"
SET = f"""mutation($i: String!, $u: String!, $t: [String!]) {{
  setWebhook(input: {{institution: $i, url: $u, types: $t}}) {{ __typename {REFUSED}
    ... on NewWebhook {{ secret webhook {{ id url types status previousSecretUntil institution {{ code }} }} }} }} }}"""
ROTATE = f"""mutation($i: String!) {{ rotateWebhookSecret(institution: $i) {{ __typename {REFUSED}
  ... on NewWebhook {{ secret webhook {{ previousSecretUntil }} }} }} }}"""
DISABLE = f"""mutation($i: String!) {{ disableWebhook(institution: $i) {{ __typename {REFUSED}
  ... on Webhook {{ status }} }} }}"""
REPLAY = f"""mutation($v: ReplayWebhookInput!) {{ replayWebhook(input: $v) {{ __typename {REFUSED}
  ... on WebhookReplay {{ events }} }} }}"""
ONE = "query($i: String!) { webhook(institution: $i) { id url types status } }"
LIST = """query($i: String!, $s: WebhookDeliveryStatus, $n: Int, $a: String) {
  webhookDeliveries(institution: $i, status: $s, first: $n, after: $a) {
    edges { node { id type payload status attempts attemptedAt nextAttemptAt httpStatus error } cursor }
    pageInfo { hasNextPage } } }"""


@pytest.fixture
async def admin(client: Client) -> Caller:
    for code in ("BANK", "AIR"):
        await client.hub.institution(code)
    await client.hub.currency("BP", "BANK")
    key, _ = await client.hub.key("BANK", Role.INSTITUTION_ADMIN)
    return client.caller(key)


async def happened(client: Client, *names: str) -> None:
    """Issues, followed into events."""
    for name in names:
        await client.hub.issue("BP", "BANK", name, "5")
    follower = Follower(client.hub.database, client.hub.engine, Updates(client.hub.addresses.server), Counts())
    while await follower.step():
        pass


async def test_the_secret_is_shown_once_and_kept_sealed(client: Client, admin: Caller) -> None:
    made = await admin.ask(SET, i="BANK", u=URL)
    assert made["secret"].startswith("whsec_")
    assert made["webhook"] | {"id": "any"} == {
        "id": "any", "url": URL, "types": ["*"], "status": "ACTIVE", "previousSecretUntil": None,
        "institution": {"code": "BANK"},
    }  # fmt: skip
    [row] = await client.hub.sql("SELECT document FROM configuration_change WHERE noun = 'webhook'")
    assert made["secret"] not in row["document"]
    [webhook] = client.hub.engine.configuration.webhooks.values()
    assert SecretsKey.of(client.settings).open(webhook.secret) == made["secret"]
    again = await admin.ask(SET, i="BANK", u=URL + "/2", t=["window.closed"])
    assert (again["secret"], again["webhook"]["types"]) == (None, ["window.closed"])
    rotated = await admin.ask(ROTATE, i="BANK")
    assert rotated["secret"] not in (None, made["secret"])
    assert rotated["webhook"]["previousSecretUntil"] is not None
    assert (await admin.ask(DISABLE, i="BANK"))["status"] == "DISABLED"
    assert (await admin.ask(ONE, i="BANK"))["status"] == "DISABLED"
    node = "query($id: ID!) { node(id: $id) { id __typename } }"
    assert (await admin.ask(node, id=made["webhook"]["id"]))["__typename"] == "Webhook"


async def test_refusals_are_data_in_both_languages(client: Client, admin: Caller) -> None:
    assert (await admin.ask(SET, i="BANK", u="http://partner.example"))["reason"] == "INVALID_INPUT"
    assert (await admin.ask(ROTATE, i="BANK"))["reason"] == "NOT_FOUND"
    chinese = client.caller(admin.credential, "zh")
    assert (await chinese.ask(ROTATE, i="BANK"))["message"] != (await admin.ask(ROTATE, i="BANK"))["message"]


async def test_deliveries_are_listed_the_newest_first_by_status_and_page(client: Client, admin: Caller) -> None:
    await admin.ask(SET, i="BANK", u=URL)
    await happened(client, "a", "b", "c")
    events = await client.hub.sql("SELECT id FROM webhook_event ORDER BY id")
    names = [ids.text(ids.EVENT, row["id"]) for row in events]
    await client.hub.sql(
        "UPDATE webhook_event SET status = 'DEAD', attempts = 10, http_status = 500, error = '500: no',"
        " attempted_at = now() WHERE id = $1",
        events[0]["id"],
    )
    page = await admin.ask(LIST, i="BANK", n=2)
    assert [edge["node"]["id"] for edge in page["edges"]] == [names[2], names[1]]
    assert page["pageInfo"] == {"hasNextPage": True}
    rest = await admin.ask(LIST, i="BANK", n=2, a=page["edges"][1]["cursor"])
    [dead] = [edge["node"] for edge in rest["edges"]]
    assert (dead["id"], dead["status"], dead["attempts"]) == (names[0], "DEAD", 10)
    assert (dead["httpStatus"], dead["error"], dead["nextAttemptAt"]) == (500, "500: no", None)
    assert dead["attemptedAt"] is not None
    assert '"type":"issue.posted"' in dead["payload"]
    by_status: dict[str, Any] = {
        status: [edge["node"]["id"] for edge in (await admin.ask(LIST, i="BANK", s=status))["edges"]]
        for status in ("PENDING", "DELIVERED", "DEAD")
    }
    assert by_status == {"PENDING": [names[2], names[1]], "DELIVERED": [], "DEAD": [names[0]]}


async def test_what_is_dead_is_sent_again_by_identifier_or_from_an_instant(client: Client, admin: Caller) -> None:
    await admin.ask(SET, i="BANK", u=URL)
    await happened(client, "a", "b")
    await client.hub.sql("UPDATE webhook_event SET status = 'DEAD', attempts = 10")
    rows = await client.hub.sql("SELECT id, happened_at FROM webhook_event ORDER BY id")
    name = ids.text(ids.EVENT, rows[0]["id"])
    assert (await admin.ask(REPLAY, v={"institution": "BANK", "id": name}))["events"] == 1
    states = "SELECT status, attempts FROM webhook_event ORDER BY id"
    assert [tuple(row) for row in await client.hub.sql(states)] == [("PENDING", 0), ("DEAD", 10)]
    since = rows[1]["happened_at"].isoformat()
    assert (await admin.ask(REPLAY, v={"institution": "BANK", "since": since}))["events"] == 1
    assert [tuple(row) for row in await client.hub.sql(states)] == [("PENDING", 0), ("PENDING", 0)]


async def test_a_replay_names_one_thing_and_one_that_is_there(client: Client, admin: Caller) -> None:
    await admin.ask(SET, i="BANK", u=URL)
    await happened(client, "a")
    [row] = await client.hub.sql("SELECT id FROM webhook_event")
    event, now = ids.text(ids.EVENT, row["id"]), "2026-01-01T00:00:00Z"
    for named in ({}, {"id": event, "since": now}):
        assert (await admin.ask(REPLAY, v={"institution": "BANK"} | named))["reason"] == "INVALID_INPUT"
    for id in ("we_1", "nonsense", event.replace("we", "wh")):
        assert (await admin.ask(REPLAY, v={"institution": "BANK", "id": id}))["reason"] == "NOT_FOUND"
    operator = client.caller(client.hub.admin)
    assert (await operator.ask(REPLAY, v={"institution": "AIR", "since": now}))["reason"] == "NOT_FOUND"
    await operator.ask(SET, i="AIR", u=URL)
    assert (await operator.ask(REPLAY, v={"institution": "AIR", "id": event}))["reason"] == "NOT_FOUND"


async def test_others_neither_see_nor_touch_an_endpoint(client: Client, admin: Caller) -> None:
    await admin.ask(SET, i="BANK", u=URL)
    await happened(client, "a")
    [row] = await client.hub.sql("SELECT id FROM webhook_event")
    other, _ = await client.hub.key("AIR", Role.INSTITUTION_ADMIN, Role.INSTITUTION_AUDITOR)
    auditor, _ = await client.hub.key("BANK", Role.INSTITUTION_AUDITOR)
    stranger, within = client.caller(other), client.caller(auditor)
    assert await stranger.ask(ONE, i="BANK") is None
    assert (await stranger.ask(LIST, i="BANK"))["edges"] == []
    event = ids.text(ids.EVENT, row["id"])
    assert await stranger.ask("query($id: ID!) { node(id: $id) { id } }", id=event) is None
    assert (await within.ask(ONE, i="BANK"))["url"] == URL
    assert len((await within.ask(LIST, i="BANK"))["edges"]) == 1
    for caller in (stranger, within):
        for document, variables in (
            (SET, {"i": "BANK", "u": URL}),
            (ROTATE, {"i": "BANK"}),
            (DISABLE, {"i": "BANK"}),
            (REPLAY, {"v": {"institution": "BANK", "id": event}}),
        ):
            assert await caller.codes(document, **variables) == ["FORBIDDEN"]
