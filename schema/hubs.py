"""The hub itself: its name, its clock and where its keys are. Open to whoever asks, but for its window."""

from datetime import datetime
from importlib.metadata import version

import strawberry

from hub import lookups
from hub.clock import now
from schema.context import Info
from schema.fields import field
from schema.windows import SettlementWindow, to_window

VERSION = version("points-hub")


@strawberry.type(description="The hub itself.")
class Hub:
    name: str = strawberry.field(description="What it is called.")
    version: str = strawberry.field(description="The version of its software.")
    time: datetime = strawberry.field(description="Its clock.")
    jwks_url: str = strawberry.field(description="Where the public keys are that verify its reports (RFC 7517).")

    @field("The open settlement window of the model `default`. It needs a key.")
    async def window(self, info: Info) -> SettlementWindow:
        async with info.context.read() as reader:
            found = await lookups.open_window(reader)
        if found is None:
            raise LookupError("the hub has no open window")
        return to_window(found)


@strawberry.type
class HubQuery:
    @field("The hub itself. This needs no key.")
    def hub(self, info: Info) -> Hub:
        settings = info.context.settings
        return Hub(name=settings.name, version=VERSION, time=now(), jwks_url=jwks_url(settings.public_url))


def jwks_url(public_url: str) -> str:
    """Where the application serves the public keys."""
    return f"{public_url.rstrip('/')}/.well-known/jwks.json"
