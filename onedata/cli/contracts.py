"""`onedata contracts` and `derive`: check the contracts, and generate the files derived from them."""

import typer

from onedata.cli.root import SettingsOption, fail, settings_from
from onedata.contracts import load_entities, load_feeds
from onedata.contracts.derive import write_derived
from onedata.contracts.history import changes
from onedata.contracts.identifiers import load_identifier_policy
from onedata.contracts.shared import undecided_feeds
from onedata.pages.feeds import write_pages
from onedata.retailer import load_retailer
from onedata.settings import IDENTIFIERS, Settings
from onedata.shipped import checkout, shipped
from onedata.warehouse import WarehouseBusy, WarehouseMissing, read_warehouse

contracts_app = typer.Typer()


@contracts_app.command()
def contracts(settings_file: SettingsOption = None) -> None:
    """Check every contract and list its feeds, with the changes since rows last landed by it, and the drafts.

    Nights skip a contract with `status: draft`. Exit code 1 if a night would refuse a contract."""
    settings = settings_from(settings_file, None)
    retailer = load_retailer(settings)
    for feed in retailer.feeds:
        typer.echo(
            f"{feed.name:28} {feed.entity.name:20} {feed.location.format:8} {feed.location.path:44} "
            f"{feed.contract.name}"
        )
    files = len({feed.contract for feed in retailer.feeds})
    typer.echo(f"\n{len(retailer.feeds)} feeds in {files} contracts, all valid")
    for name, why in retailer.drafts.items():
        typer.echo(f"DRAFT {name}, which nights skip: {why or 'it loads; `status: active` puts it into effect'}")
    for entity, system, names in undecided_feeds(retailer.feeds):
        typer.echo(
            f"{entity} of {system} comes by {', '.join(names)}: where two of them differ in a column, with one version "
            "and night, the night stops; `priority` in their contracts says which holds"
        )
    try:
        with read_warehouse(settings) as con:
            waiting = changes(con, retailer.feeds)
    except WarehouseMissing:
        return
    except WarehouseBusy:
        typer.echo(
            "a night holds the warehouse, so the contracts were not compared with those that rows landed by", err=True
        )
        return
    for name, change in waiting.items():
        typer.echo(f"\n{'REFUSED' if change.refused else 'CHANGED'} {name}\n{change.message}")
    if any(change.refused for change in waiting.values()):
        raise typer.Exit(1)


@contracts_app.command()
def derive() -> None:
    """Generate the files derived from data_contracts: ODS models of the dbt project, pages in docs/feeds.

    For a checkout of onedata only."""
    repository = checkout()
    if repository is None:
        fail("derive writes into a checkout of onedata, and this is an installed package: there is nothing to derive")
    settings = Settings()
    policy = load_identifier_policy(shipped("data_contracts") / IDENTIFIERS)
    entities = load_entities(settings.canonical)
    changed = write_derived(settings.dbt_project, entities, policy)
    changed += write_pages(repository / "docs" / "feeds", load_feeds(settings.contracts, entities))
    typer.echo("\n".join(str(file.relative_to(repository)) for file in changed) or "everything is current")
