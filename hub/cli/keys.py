"""``points-hub keys``: the keys that sign reports, and that partners' secrets are kept under."""

import asyncio
from typing import Annotated

import typer

from hub.cli.shared import OPTIONS, chosen_settings, database, instant_of, progress_bar
from hub.host.door import check
from hub.host.keys import reseal, revoke
from hub.revocations import RevocationReason
from hub.sealing import SecretsKey
from settlement import signing
from settlement.publish import Keys

commands = typer.Typer(**OPTIONS, help="The keys that sign reports and that partners' secrets are kept under.")


@commands.command("rotate")
def rotate() -> None:
    """Replace the signing key in the data folder. The old key's public half stays, so that what it signed can be
    verified for ever; its private half is destroyed. A running server signs with the new key from its next report on.
    """
    keys = Keys.of(chosen_settings())
    if keys.text is not None:
        raise signing.SigningError(
            "it comes from HUB_SIGNING_KEY; change it there, and keep the key set of before in HUB_SIGNING_JWKS"
        )
    old = signing.SigningKey.from_file(keys.folder / signing.CURRENT)
    new = signing.rotate(keys.folder)
    typer.echo(f"Reports are signed with {new.kid} from now on; {old.kid} is kept for verification.")


@commands.command("revoke")
def revoke_key(
    kid: Annotated[str, typer.Argument(help="The key's thumbprint, as in the key set and in each signature.")],
    reason: Annotated[RevocationReason, typer.Option(help="Why.")],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="INSTANT",
            help="Since when it may have been in other hands, such as 2026-01-01T00:00+08:00: what it signed of "
            "windows that closed then or later is not believed.",
        ),
    ],
) -> None:
    """Say for ever, to everybody who verifies, that a signing key is not to be believed from an instant on. Rotate it
    first if it still signs. Its reports are signed anew, with the current key, when they are asked for. Runs beside
    `serve`. A revocation is never taken back; an earlier instant can be told later.
    """
    chosen = chosen_settings()
    instant = instant_of("--from", since)
    if instant is None:
        raise typer.BadParameter("an instant is needed.", param_hint="--from")
    with progress_bar("Revoking"), database(chosen) as where:
        asyncio.run(check(where.server))
        made = asyncio.run(revoke(chosen, where.server, kid, instant, reason))
    typer.echo(f"{kid} is revoked from {made.since.isoformat()} on ({made.reason}); fetch the key set anew.")


@commands.command("reseal")
def reseal_secrets() -> None:
    """Seal the secrets of partners' configurations and of webhooks anew, with the first of the keys that
    HUB_SECRETS_KEY or the file in the data folder holds; afterwards the others can be taken away. Runs beside `serve`.
    """
    chosen = chosen_settings()
    with progress_bar("Sealing"), database(chosen) as where:
        asyncio.run(check(where.server))
        done = asyncio.run(reseal(where.server, SecretsKey.of(chosen)))
    typer.echo(f"The secrets of {len(done)} partners and webhooks are sealed with the first key.")
