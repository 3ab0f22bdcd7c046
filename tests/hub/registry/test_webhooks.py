"""Configuring webhooks: who may, which URLs and types pass, and what a change keeps."""

from datetime import timedelta
from typing import Any

import pytest

from hub.access import Role
from hub.errors import Forbidden, InvalidInput, NotFound, Suspended
from hub.institutions import Status
from hub.ledger import commands
from hub.webhooks.endpoints import BOTH_SIGN_FOR, Webhook
from tests.conftest import Hub

URL = "https://partner.example/hooks"


def setting(hub: Hub, institution: str = "BANK", url: str = URL, *types: str, **more: Any) -> commands.SetWebhook:
    given: dict[str, Any] = {"actor": hub.admin, "secret": "sealed", "plain": False} | more
    return commands.SetWebhook(institution=institution, url=url, types=types or ("*",), **given)


@pytest.fixture
async def world(hub: Hub) -> Hub:
    await hub.institution("BANK")
    await hub.institution("BRANCH", parent="BANK")
    await hub.institution("AIR")
    return hub


async def test_administrators_set_their_own_endpoint_and_those_below_and_nobody_else(world: Hub) -> None:
    admin, _ = await world.key("BANK", Role.INSTITUTION_ADMIN)
    trader, _ = await world.key("BANK", Role.INSTITUTION_TRADER, Role.INSTITUTION_AUDITOR)
    below, _ = await world.key("BRANCH", Role.INSTITUTION_ADMIN)
    for institution in ("BANK", "BRANCH"):
        made = await world.do(setting(world, institution, actor=admin))
        assert (made.institution, made.url, made.types) == (
            world.engine.configuration.institution_codes[institution],
            URL,
            ("*",),
        )
    for actor, institution in ((trader, "BANK"), (below, "BANK"), (admin, "AIR")):
        commands_of = (
            setting(world, institution, actor=actor),
            commands.RotateWebhookSecret(actor=actor, institution=institution, secret="s"),
            commands.DisableWebhook(actor=actor, institution=institution),
        )
        for command in commands_of:
            with pytest.raises(Forbidden):
                await world.do(command)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/",
        "ftp://partner.example/",
        "partner.example/hooks",
        "https://",
        "https:///path",
        "https://user:pass@partner.example/",
        "https://user@partner.example/",
        "https://partner.example/#part",
        "https://partner.example:0/",
        "https://partner.example:70000/",
        "https://partner.example:x/",
        "https://partner.example/a b",
        "https://partner.example/a\tb",
        "https://pärtner.example/",
        "https://[::1/",
        "https://partner.example\\@other.example/",
        "https://partner.example/" + "x" * 1000,
        "",
    ],
)
async def test_what_cannot_be_sent_to_is_refused(world: Hub, url: str) -> None:
    with pytest.raises(InvalidInput):
        await world.do(setting(world, "BANK", url))


async def test_http_passes_only_where_it_is_allowed(world: Hub) -> None:
    assert (await world.do(setting(world, "BANK", "http://127.0.0.1:8/x", plain=True))).url == "http://127.0.0.1:8/x"


@pytest.mark.parametrize("types", [("conversion",), ("transfer.posted", "no.such"), ("**",)])
async def test_types_that_are_none_are_refused(world: Hub, types: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        await world.do(setting(world, "BANK", URL, *types))


async def test_no_types_are_refused_and_one_that_is_named_twice_counts_once(world: Hub) -> None:
    twice = setting(world, "BANK", URL, "window.closed", "window.closed")
    assert (await world.do(twice)).types == ("window.closed",)
    with pytest.raises(InvalidInput):
        await world.do(
            commands.SetWebhook(actor=world.admin, institution="BANK", url=URL, types=(), secret="s", plain=False)
        )


async def test_a_change_keeps_the_endpoint_and_its_secret(world: Hub) -> None:
    first: Webhook = await world.do(setting(world, secret="first"))
    other: Webhook = await world.do(setting(world, "BANK", URL + "/v2", "window.closed", secret="second"))
    assert (other.id, other.secret, other.since) == (first.id, "first", first.since)
    assert (other.url, other.types) == (URL + "/v2", ("window.closed",))


async def test_a_rotation_keeps_the_secret_before_for_a_day_and_no_older_one(world: Hub) -> None:
    await world.do(setting(world, secret="one"))
    for secret in ("two", "three"):
        made: Webhook = await world.do(
            commands.RotateWebhookSecret(actor=world.admin, institution="BANK", secret=secret)
        )
    assert (made.secret, made.previous) == ("three", "two")
    assert made.previous_until is not None
    until = made.previous_until
    [entry] = await world.sql("SELECT at FROM journal_entry ORDER BY batch DESC LIMIT 1")
    assert until - entry["at"] == BOTH_SIGN_FOR == timedelta(hours=24)
    assert made.sealed_at(until - timedelta(microseconds=1)) == ("three", "two")
    assert made.sealed_at(until) == ("three",)


async def test_without_an_endpoint_there_is_nothing_to_rotate_or_disable(world: Hub) -> None:
    for command in (
        commands.RotateWebhookSecret(actor=world.admin, institution="BANK", secret="s"),
        commands.DisableWebhook(actor=world.admin, institution="BANK"),
        setting(world, "NOBODY"),
    ):
        with pytest.raises(NotFound):
            await world.do(command)


async def test_a_suspended_institution_sets_none(world: Hub) -> None:
    suspend = commands.SetInstitutionStatus(actor=world.admin, code="BANK", status=Status.SUSPENDED, reason="r")
    await world.do(suspend)
    with pytest.raises(Suspended):
        await world.do(setting(world))


async def test_only_the_url_that_is_gone_is_left_alone_and_a_disabled_one_stays_so(world: Hub) -> None:
    made: Webhook = await world.do(setting(world))
    late = commands.DisableWebhook(actor=world.admin, institution="BANK", gone=URL + "/old")
    assert (await world.do(late)).status == "ACTIVE"
    gone = commands.DisableWebhook(actor=world.admin, institution="BANK", gone=URL)
    assert (await world.do(gone)).status == "GONE"
    again: Webhook = await world.do(setting(world))
    assert (again.status, again.since) == ("ACTIVE", made.since)  # what happened meanwhile is told
    disable = commands.DisableWebhook(actor=world.admin, institution="BANK")
    assert (await world.do(disable)).status == "DISABLED"
    assert (await world.do(gone)).status == "DISABLED"
    later: Webhook = await world.do(setting(world))
    assert later.status == "ACTIVE"
    assert later.since > made.since  # of what happened meanwhile it is told nothing
