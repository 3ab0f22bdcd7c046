"""Reconciliations and breaks over the API: what is shown, page by page, and how two persons end a break."""

from typing import Any

from hub.access import Role
from tests.hub.ledger.test_breaks import DAY, found, reconcile
from tests.hub.ledger.test_exchanges import network
from tests.schema.acting import REFUSED
from tests.schema.conftest import Client

BREAK = """__typename ... on Break { id day type reference status owner ageDays difference currency { code }
  sides { source rows amount status } history { id kind person owner ending posted text } }"""
BREAKS = """query($status: BreakStatus, $type: BreakType, $owner: String, $day: String, $first: Int, $after: String) {
  breaks(currency: "MILE", status: $status, type: $type, owner: $owner, day: $day, first: $first, after: $after) {
    edges { cursor node { id reference } } pageInfo { hasNextPage endCursor } } }"""


async def act(caller: Any, field: str, id: str, **given: Any) -> Any:
    """The answer to a mutation of a break; enumerations are in the document."""
    kinds = {"owner": "String", "text": "String!", "proposalId": "ID!", "ending": "BreakEnding!"}
    declared = "".join(f", ${name}: {kinds[name]}" for name in given)
    passed = "".join(f", {name}: ${name}" for name in given)
    document = f"mutation($id: ID!{declared}) {{ {field}(id: $id{passed}) {{ {BREAK} {REFUSED} }} }}"
    return await caller.ask(document, id=id, **given)


def references(page: Any) -> list[str]:
    return [edge["node"]["reference"] for edge in page["edges"]]


async def test_a_break_is_shown_assigned_commented_and_ended_by_two_persons(client: Client) -> None:
    hub = client.hub
    await network(hub)
    issuer = client.caller((await hub.key("AIR", Role.INSTITUTION_ADMIN, person="ann"))[0])
    root, second = client.caller(hub.admin), client.caller(hub.second)
    await hub.do(reconcile(hub, found("X-1", members="JOURNAL: M-1")))
    [run] = (await root.ask("{ reconciliations { edges { node { id day matched opened currency { code }"
                            " sides { source rows digest } } } } }"))["edges"]  # fmt: skip
    assert run["node"]["day"] == DAY
    assert (run["node"]["matched"], run["node"]["opened"]) == (3, 1)
    assert [side["source"] for side in run["node"]["sides"]] == ["HUB", "JOURNAL"]
    found_again = await issuer.ask("query($id: ID!) { reconciliation(id: $id) { id } }", id=run["node"]["id"])
    assert found_again == {"id": run["node"]["id"]}
    [edge] = (await root.ask(BREAKS))["edges"]
    id = edge["node"]["id"]

    shown = await act(issuer, "noteBreak", id, text="It was done by hand.")
    assert (shown["type"], shown["status"], shown["difference"], shown["ageDays"]) == ("MISSING_HERE", "OPEN", "50", 0)
    assert shown["sides"][1] == {"source": "JOURNAL", "rows": 1, "amount": "0.000050", "status": "SUCCEEDED"}
    assert [(step["kind"], step["person"], step["text"]) for step in shown["history"]] == [
        ("FOUND", "host", "JOURNAL: M-1"),
        ("NOTED", "ann", "It was done by hand."),
    ]
    assert (await act(root, "assignBreak", id, owner="second"))["owner"] == "second"
    proposed = await act(root, "proposeBreakEnd", id, ending="WRITE_OFF", text="Below what it would cost to ask.")
    assert proposed["status"] == "PROPOSED"
    proposal = proposed["history"][-1]["id"]
    same = await act(root, "approveBreakEnd", id, proposalId=proposal)
    assert (same["__typename"], same["reason"]) == ("Refused", "SAME_APPROVER")
    ended = await act(second, "approveBreakEnd", id, proposalId=proposal)
    assert ended["status"] == "WRITTEN_OFF"
    assert ended["history"][-1] == {
        "id": ended["history"][-1]["id"],
        "kind": "APPROVED",
        "person": "second",
        "owner": None,
        "ending": "WRITE_OFF",
        "posted": "50",
        "text": "",
    }
    again = await act(root, "proposeBreakEnd", id, ending="ACCEPT", text="x")
    assert (again["reason"], again["details"]) == ("INVALID_INPUT", [{"key": "status", "value": "WRITTEN_OFF"}])
    chinese = client.caller(hub.admin, "zh")
    assert (await act(chinese, "proposeBreakEnd", id, ending="ACCEPT", text="x"))["message"] == "参数 status 无效。"
    assert await root.ask("query($id: ID!) { node(id: $id) { ... on Break { status } } }", id=id) == {
        "status": "WRITTEN_OFF"
    }


async def test_breaks_are_listed_by_what_is_asked_for_page_by_page(client: Client) -> None:
    hub = client.hub
    await network(hub)
    root = client.caller(hub.admin)
    await hub.do(reconcile(hub, *(found(f"X-{number}") for number in range(5))))
    await hub.do(reconcile(hub, found("Y-1"), day="2026-03-02"))
    first = await root.ask(BREAKS, first=4)
    assert references(first) == ["Y-1", "X-4", "X-3", "X-2"]
    rest = await root.ask(BREAKS, after=first["pageInfo"]["endCursor"])
    assert (references(rest), rest["pageInfo"]["hasNextPage"]) == (["X-1", "X-0"], False)
    await act(root, "assignBreak", first["edges"][1]["node"]["id"], owner="root")
    proposed = await act(root, "proposeBreakEnd", rest["edges"][0]["node"]["id"], ending="ACCEPT", text="t")
    assert proposed["status"] == "PROPOSED"
    for wanted, expected in (
        ({"owner": "root"}, ["X-4"]),
        ({"owner": "nobody"}, []),
        ({"status": "PROPOSED"}, ["X-1"]),
        ({"type": "AMOUNT"}, []),
        ({"type": "MISSING_HERE", "day": "2026-03-02"}, ["Y-1"]),
    ):
        assert references(await root.ask(BREAKS, **wanted)) == expected, wanted
    for caller in ("HOTEL", "BANK"):
        other = client.caller((await hub.key(caller, Role.INSTITUTION_ADMIN))[0])
        assert references(await other.ask(BREAKS)) == []
