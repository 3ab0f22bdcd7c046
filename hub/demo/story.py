"""The story in order: nine chapters, told to one hub by its operator and the persons of its institutions."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from hub.demo import documents
from hub.demo.client import Connection
from hub.demo.closing import close, settle
from hub.demo.exchanging import exchange
from hub.demo.family import collect
from hub.demo.journey import show_terms, travel
from hub.demo.keeping import keep
from hub.demo.opening import agree_rates, register
from hub.demo.proof import audit, verify_report
from hub.demo.stage import Stage, own_environment
from hub.demo.trading import trade


async def run(
    url: str,
    key: str,
    folder: Path,
    console: Console,
    suffix: str = "",
    *,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Tell the whole story to the hub at ``url`` with the operator's first ``key``; report files go to ``folder``.

    ``suffix`` is appended to all codes, for a hub that knows them already. ``environment``, by default this process's
    own, is what `points-hub verify` and `points-hub audit` are run with.

    Raises:
        DemoFailed: something did not go as told; its message is one sentence.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(Connection(url, key))
        viewer = await operator.ask(documents.VIEWER)
        hub = await operator.ask(documents.HUB)
        stage = Stage(
            root=url,
            folder=folder,
            console=console,
            suffix=suffix,
            environment=own_environment() if environment is None else environment,
            stack=stack,
            operator=operator,
            operator_code=viewer["institution"]["code"],
        )
        stage.say(
            f"\n[bold]{escape(hub['name'])} {escape(hub['version'])}[/]: points of one programme become points of "
            "another, and what the programmes then owe each other is netted and settled."
        )
        await register(stage)
        await agree_rates(stage)
        await show_terms(stage)
        await travel(stage)
        await keep(stage)
        await collect(stage)
        await trade(stage)
        await exchange(stage)
        window = await close(stage)
        await verify_report(stage, window)
        await settle(stage, window)
        await audit(stage)
        stage.console.print()
        stage.good(f"[bold]All of it went as told, in {time.monotonic() - started:.0f} s.[/]")
