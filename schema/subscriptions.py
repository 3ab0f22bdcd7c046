"""Subscriptions: word of what changes. Each look is a read of its own, so a key that was revoked hears nothing more.

A subscriber looks after batches that have changed an act, or a window, and not after every one; and when it is free, so
that it sees the latest state. The announcements are subscribed to before the first look, so nothing falls between the
two.
"""

from collections.abc import AsyncGenerator

import strawberry

from hub import ids, lookups
from hub.channels import Channel
from schema.acts import Act
from schema.context import Context, Info
from schema.conversions import Conversion, to_conversion
from schema.faults import NotFound
from schema.fields import subscription
from schema.inputs import Id
from schema.nodes import FINDERS
from schema.windows import SettlementWindow, to_window

# A change of the configuration may be the end of the subscriber's key, or of what it may see.
OF_ACTS = (Channel.ACTS, Channel.CONFIGURATION)
OF_WINDOWS = (Channel.WINDOWS, Channel.CONFIGURATION)
ACTS = (ids.REDEMPTION, ids.TRANSFER, ids.ISSUE, ids.REVERSAL)


@strawberry.type
class Subscription:
    @subscription("A conversion as it is, and again each time that it changes.")
    async def conversion_updated(self, info: Info, id: Id) -> AsyncGenerator[Conversion, None]:
        number = ids.number(id, ids.CONVERSION)
        async with info.context.updates.subscribe(*OF_ACTS) as told:
            seen, current = await _changed(info.context, number, None)
            if current is None:
                raise NotFound
            yield current
            async for _ in told:
                seen, current = await _changed(info.context, number, seen)
                if current is not None:
                    yield current

    @subscription(
        "An act as it is, and again each time that a partner's answer changes it: a Redemption, Transfer, Issue or "
        "Reversal."
    )
    async def act_updated(self, info: Info, id: Id) -> AsyncGenerator[Act, None]:
        parsed = ids.parse(id)
        find = FINDERS.get(parsed[0]) if parsed is not None and parsed[0] in ACTS else None
        async with info.context.updates.subscribe(*OF_ACTS) as told:
            seen, current = None if find is None else await _changed_in(info.context, id), None
            if parsed is not None and find is not None:
                current = await find(info.context, parsed[1])
            if parsed is None or find is None or not isinstance(current, Act):
                raise NotFound
            yield current
            async for _ in told:
                latest = await _changed_in(info.context, id)
                if latest != seen:
                    current, seen = await find(info.context, parsed[1]), latest
                    if isinstance(current, Act):
                        yield current

    @subscription("Each settlement window that changes.")
    async def window_updated(self, info: Info) -> AsyncGenerator[SettlementWindow, None]:
        async with info.context.updates.subscribe(*OF_WINDOWS) as told:
            async with info.context.read() as reader:
                seen = await lookups.windows_changed_in(reader)
            async for _ in told:
                async with info.context.read() as reader:
                    latest = await lookups.windows_changed_in(reader)
                    changed = await lookups.windows_changed_after(reader, seen) if latest > seen else []
                seen = latest
                for window in changed:
                    yield to_window(window)


async def _changed_in(context: Context, id: str) -> int | None:
    """The batch that last changed an act over partners; None: its first changed it for good."""
    number = ids.number(id, *ACTS)
    async with context.read() as reader:
        return None if number is None else await lookups.exchange_changed_in(reader, number)


async def _changed(context: Context, id: int | None, seen: int | None) -> tuple[int | None, Conversion | None]:
    """The batch that last changed a conversion, and the conversion if it exists for the caller and that was not
    ``seen``."""
    async with context.read() as reader:
        changed_in = None if id is None else await lookups.conversion_changed_in(reader, id)
        if id is None or changed_in is None or changed_in == seen:
            return changed_in, None
        found = (await lookups.conversions(reader, {id})).get(id)
        if found is None or not reader.sees(found.source.institution, found.target.institution):
            return changed_in, None
        return changed_in, to_conversion(reader.configuration, found)
