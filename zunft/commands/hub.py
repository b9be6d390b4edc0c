"""`zunft hub`: run a hub, back one up, restore it. All work on its settings, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from typer.core import TyperGroup

from zunft.commands.connection import Json
from zunft.commands.membership import join, keep, leave, membership, share
from zunft.commands.output import err, tell
from zunft.commands.settings import DataDir, hub_settings

if TYPE_CHECKING:
    from hub.operations.archive import BackupManifest
    from hub.settings import Settings

__all__ = ["app"]


class _RunByDefault(TyperGroup):
    """`zunft hub --port 8080` is `zunft hub run --port 8080`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name before arguments that begin with no command."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault)
app.command(
    epilog="Example: [bold]zunft hub join --hub https://guild.example --token ze_... --name 'North Works'[/]"
)(join)
app.command(epilog="Example: [bold]zunft hub share weld-seam --quorum 3[/]")(share)
app.command(epilog="Example: [bold]zunft hub keep weld-seam[/]")(keep)
app.command(epilog="Example: [bold]zunft hub membership --json[/]")(membership)
app.command(epilog="Example: [bold]zunft hub leave[/]")(leave)


@app.command("run", epilog="Example: [bold]zunft hub --data-dir zunft-data --port 8080[/]")
def hub(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for database, blobs and keys.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="So many serve the port, on PostgreSQL; each does whatever comes.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Run a hub. Every other setting comes from the environment: see docs/settings.md."""
    # Imported here: the other commands should not wait for the web server's modules.
    from hub.supervisor import serve_with  # noqa: PLC0415
    from zunft.halls.loop import larger_hall  # noqa: PLC0415

    settings = hub_settings(data_dir=data_dir, host=host, port=port)

    def announce(address: str) -> None:
        said = f"The hub is up at {address}; {_admin_token(settings)}"
        said += _root_keys(settings)
        log = "Its log follows, one JSON document a line. Ctrl-C stops it."
        tell({"address": address, "admin_token": _admin_token(settings)}, f"{said} {log}", as_json=as_json)

    serve_with(settings, processes, announce=announce, beside=larger_hall)


@app.command(
    epilog="Examples: [bold]zunft hub backup backups/[/]; with the key: "
    "[bold]zunft hub backup /mnt/safe/hub.tar --with-key --json[/]; with what is pinned to a region: "
    "[bold]zunft hub backup /mnt/eu --region eu[/]"
)
def backup(
    target: Annotated[Path, typer.Argument(help="A folder, or a new FILE.tar.")],
    data_dir: DataDir = None,
    with_key: Annotated[
        bool,
        typer.Option(
            "--with-key",
            help="Put the hub's signing key in. Whoever reads the file can then publish skills in the hub's "
            "name; without the key, a restored hub that lost it is a stranger to its robots.",
        ),
    ] = False,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Put in the blobs of organisations that are pinned to this region; may be repeated. The "
            "file must then lie where the region's data may. Without it they are left out and counted.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Back a hub up, running or not: rows of one moment and their blobs; status 1 where blobs are lost."""
    # Imported here: the other commands should not wait for the hub's modules.
    from hub.operations.backup import back_up  # noqa: PLC0415

    settings = _settings(data_dir)
    with _progress("blobs copied") as progress:
        path, manifest = back_up(
            settings,
            target,
            datetime.now(UTC),
            with_key=with_key,
            regions=region or (),
            progress=progress,
        )
    _show(path, manifest, as_json=as_json)
    if not with_key and not as_json:
        err.print("Not in it: the hub's signing key (--with-key, or keep hub-key.pem apart).", soft_wrap=True)
    for name, count in manifest.left_out.items():
        err.print(
            f"[bold yellow]Left out: {count} blobs of the region {name}[/], which stay in its own store. "
            f"Back that store up where it is, or say --region {name} where the file may hold them.",
            soft_wrap=True,
        )
    if manifest.missing:
        err.print(
            f"[bold red]{len(manifest.missing)} blobs are missing or damaged in the store[/]; "
            f"the backup is without them. The first: {manifest.missing[0]}",
            soft_wrap=True,
        )
        raise typer.Exit(1)


@app.command(
    epilog="Example: [bold]zunft hub restore backups/zunft-20260301T120000Z.tar --data-dir new-data "
    "--hub-key ed25519:...[/]"
)
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    data_dir: DataDir = None,
    hub_key: Annotated[
        str,
        typer.Option(help="Public key of the hub that made it; else that of the folder's hub-key.pem."),
    ] = "",
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Believe whoever made it; older ones are not signed."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fill a new hub from a backup, before its first start. Databases and stores may be of other kinds."""
    # Imported here: the other commands should not wait for the hub's modules.
    from hub.operations.restore import restore as restore_hub  # noqa: PLC0415

    settings = _settings(data_dir)
    with _progress("blobs restored") as progress:
        trusted = None if unverified else hub_key
        restored = restore_hub(settings, file, hub_key=trusted, progress=progress)
    _show(file, restored.manifest, as_json=as_json)
    for name, count in restored.absent.items():
        err.print(
            f"[bold red]{count} blobs of the region {name} are not in its store[/] and were not in the "
            "backup; restore that store from its own.",
            soft_wrap=True,
        )
    if not restored.has_key:
        err.print(
            "[bold yellow]This hub has no signing key yet.[/] Put the old hub-key.pem into its folder before "
            "the first start. If it is lost: zunft hub new-key, and zunft keys rotate, which robots follow.",
            soft_wrap=True,
        )


@app.command("new-key", epilog="Example: [bold]zunft hub new-key --data-dir zunft-data[/]")
def new_key(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Give a stopped hub whose signing key is lost a new one; zunft keys rotate has robots follow it."""
    from hub.access.hub_key import replace_key  # noqa: PLC0415 - as above

    key = replace_key(_settings(data_dir), datetime.now(UTC))
    tell({"hub_key": key.text}, f"the hub signs with {key.text}", as_json=as_json)


def _root_keys(settings: Settings) -> str:
    """What the root's keys are worth where they lie."""
    from hub.tuf.keys import ROOT_KEYS  # noqa: PLC0415 - as above

    folder = settings.data_dir / ROOT_KEYS
    if not any(folder.glob("*.pem")):
        return ""
    return f" The root keys in {folder} end a thief's power over robots only once they lie elsewhere."


def _admin_token(settings: Settings) -> str:
    """Where it is, or how to come by one: who started the hub can always let themselves in."""
    if settings.admin_token.get_secret_value():
        return "the admin's token is what ZUNFT_ADMIN_TOKEN says."
    file = settings.data_dir / "admin-token"
    if file.is_file():
        return f"the admin's token is in {file}."
    return (
        "its users keep the tokens that they have. For a new one of the user admin, set ZUNFT_ADMIN_TOKEN to "
        "32 characters or more (openssl rand -hex 32 makes them) and start the hub again."
    )


def _settings(data_dir: Path | None) -> Settings:
    """Of the hub whose files are read or written from here on."""
    from skills.files import keep_private  # noqa: PLC0415

    keep_private()
    return hub_settings(data_dir=data_dir)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _show(path: Path, manifest: BackupManifest, *, as_json: bool) -> None:
    blobs = sum(1 for name in manifest.members if name.startswith(("blobs/", "regions/")))
    size = sum(member.size for member in manifest.members.values())
    made = f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, Zunft {manifest.zunft}"
    rows = sum(manifest.rows.values())
    found = {
        "file": path,
        "bytes": size,
        "blobs": blobs,
        "with_key": "hub-key.pem" in manifest.members,
        **manifest.model_dump(mode="json", exclude={"members"}),
    }
    key = f"hub key {manifest.hub_key or 'none'}"
    said = f"{path}: {rows} rows, {blobs} blobs, {size / 1e6:.1f} MB; {made}; {key}"
    tell(found, said, as_json=as_json)
