"""``points-hub keys``: the keys that sign reports, and that partners' secrets are kept under."""

import asyncio

import typer

from hub.cli.shared import OPTIONS, chosen_settings, database, progress_bar
from hub.host import check, reseal
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
        raise signing.SigningError("it comes from HUB_SIGNING_KEY; change it there")
    old = signing.SigningKey.from_file(keys.folder / signing.CURRENT)
    new = signing.rotate(keys.folder)
    typer.echo(f"Reports are signed with {new.kid} from now on; {old.kid} is kept for verification.")


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
