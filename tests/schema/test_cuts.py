"""Zones and cuts through the API."""

from hub.ledger import commands
from hub.ledger.commands import Party
from tests.schema.acting import act, holder, institution
from tests.schema.conftest import Client

CUTS = """query C($w: ID!, $i: String) {
  tree: settlementCut(windowId: $w, by: TREE, institution: $i) { institution { code } zone currency debit credit }
  zones: settlementCut(windowId: $w, by: ZONE, institution: $i) { institution { code } zone currency debit credit } }"""


async def test_a_window_is_seen_by_the_tree_and_by_zones(client: Client) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    for code, parent, zones in (("BANK", "HUB", []), ("SHOP", "BANK", ["east"]), ("AIR", "HUB", ["east", "sea"])):
        await institution(root, code, parent=parent, zones=zones)
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "alice", "100")
    selection = (
        '... on Institution { zones zoneVersions { zones effectiveFrom } later: zones(at: "2999-01-01T00:00:00Z") }'
    )
    later = {"institution": "AIR", "zones": ["north"], "effectiveFrom": "2990-01-01T00:00:00.000000Z"}
    made = await act(root, "setZones", "SetZonesInput", selection, **later)
    assert (made["zones"], made["later"]) == (["east", "sea"], ["north"])
    assert [version["zones"] for version in made["zoneVersions"]] == [["north"]]
    refused = await act(root, "setZones", "SetZonesInput", selection, **later)
    assert refused["reason"] == "DUPLICATE"
    for merchant, amount in (("SHOP", "20"), ("AIR", "60")):
        await hub.do(
            commands.Redeem(
                actor=hub.admin,
                key=merchant,
                currency="BP",
                customer=Party("BANK", "alice"),
                merchant=merchant,
                amount=amount,
                memo=None,
            )
        )
    window = (await root.ask("{ hub { window { id } } }"))["window"]["id"]

    def share(institution: str | None, zone: str | None, debit: str, credit: str) -> dict[str, object]:
        named = None if institution is None else {"code": institution}
        return {"institution": named, "zone": zone, "currency": "CNY", "debit": debit, "credit": credit}

    # 20 × 0.05 = 1.00 inside BANK, 60 × 0.05 = 3.00 to AIR
    assert await root.ask(CUTS, w=window, i=None) == {
        "tree": [share("BANK", None, "4.00", "1.00"), share("AIR", None, "0.00", "3.00")],
        "zones": [share(None, None, "4.00", "0.00"), share(None, "east", "0.00", "4.00")],
    }
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_AUDITOR")
    own = {
        "tree": [share("BANK", None, "4.00", "0.00"), share("SHOP", None, "0.00", "1.00")],
        "zones": [share(None, None, "4.00", "0.00"), share(None, "east", "0.00", "1.00")],
    }
    assert await bank.ask(CUTS, w=window, i=None) == own
    assert await root.ask(CUTS, w=window, i="BANK") == own
    assert await bank.ask(CUTS, w=window, i="AIR") == {"tree": None, "zones": None}
