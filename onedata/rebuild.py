"""Rebuild the warehouse from lake, log and vault: ledger and OneID here, all later layers by the run that follows."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path

from onedata.durable import make_folders, move_aside, replace_durably
from onedata.errors import OnedataError
from onedata.identity.keep import KIND, missing_decisions, restore_state, states
from onedata.identity.known_tokens import require_vault
from onedata.identity.take_in import RESTORED
from onedata.ledger.log import LogDamaged, log_folder
from onedata.ledger.migrations import migrate
from onedata.ledger.own_columns import hold_own_columns
from onedata.ledger.rebuild import rebuild_ledger
from onedata.retailer import Retailer, create_tables_of
from onedata.settings import Settings
from onedata.sql import transaction
from onedata.warehouse import WarehouseDamaged, WarehouseMissing, open_warehouse
from onedata.warehouse.open import refuse_half_restored


@dataclass(frozen=True)
class _Aside(Settings):
    """The same data home, with a warehouse that is built beside the existing one."""

    @property
    def warehouse(self) -> Path:
        return self.home / "tmp" / "rebuild" / "onedata.duckdb"


class NothingToRebuild(OnedataError):
    """No delivery has ever entered the lake."""


def rebuild(retailer: Retailer, leave_out: bool, say: Callable[[str], None]) -> date:
    """Build a warehouse with ledger and OneID beside the existing one, move that one aside, and replace it by the new
    one.

    Args:
        retailer: The retailer of the data home.
        leave_out: Continue without deliveries whose files are incomplete.
        say: Called with one sentence per completed action.

    Returns:
        The last night in the lake, for the run that builds the layers.

    Raises:
        NothingToRebuild: the lake contains no delivery.
        LakeDamaged, ManifestError, LogDamaged: see `rebuild_ledger`; nothing was changed.
        WarehouseBusy: a run is in progress.
        OwnColumnGone: the lake has a column of the retailer's own that no file defines any more.
        VaultError: the vault is lost, damaged, or older than the state of OneID.
    """
    settings = retailer.settings
    refuse_half_restored(settings.home)
    with suppress(WarehouseDamaged, WarehouseMissing), open_warehouse(settings, say, begin=False):
        pass  # wait for a running night, then refuse; rebuild exists for a warehouse that cannot be opened
    scratch = _Aside(**{item.name: getattr(settings, item.name) for item in fields(settings)})
    shutil.rmtree(scratch.warehouse.parent, ignore_errors=True)
    make_folders(scratch.warehouse.parent)
    with open_warehouse(scratch, say) as con:
        migrate(con, scratch)
        create_tables_of(con, retailer)
        with transaction(con):
            found = rebuild_ledger(con, settings, leave_out)
            hold_own_columns(con, settings, retailer.entities)
            oneid = restore_state(con, settings.lake, RESTORED)
        _refuse_missing(missing_decisions(con, settings.lake), found.left_out, leave_out)
        require_vault(con, settings, retailer.entities, retailer.feeds)
        row = con.execute("select max(ds) from ops.batch").fetchone()
        con.execute("checkpoint")
    nights_published = any((settings.published / "publications").glob("[0-9]*"))
    if nights_published and not states(settings.lake) and not leave_out:
        raise LogDamaged(
            f"{log_folder(settings.lake, KIND)} holds no state of OneID, "
            "though nights were published: every id would be new. Restore it from a back-up "
            "(`onedata repair --from BACKUP`), or go on with new ids: `onedata rebuild --leave-out`."
        )
    if row is None or row[0] is None:
        raise NothingToRebuild(
            f"no delivery has ever entered {settings.lake}; `onedata run` takes everything from the source"
        )
    say(f"the ledger has {found.deliveries:,} deliveries from the manifests of {settings.lake}; {oneid}")
    for text in found.left_out:
        say(f"left out: {text}")
    for moved in _move_warehouse_aside(settings):
        say(f"the warehouse that was there lies at {moved} now")
    make_folders(settings.warehouse.parent)
    replace_durably(scratch.warehouse, settings.warehouse)
    shutil.rmtree(scratch.warehouse.parent)
    night: date = row[0]
    return night


def _refuse_missing(missing: str, left_out: list[str], leave_out: bool) -> None:
    """Lost decisions are left out only if the user says so."""
    if missing and not leave_out:
        raise LogDamaged(
            f"{missing}: what they merged, split or blocked would come undone. Restore them "
            "from a back-up (`onedata repair --from BACKUP`), or go on "
            "without them: `onedata rebuild --leave-out`."
        )
    if missing:
        left_out.append(missing)


def _move_warehouse_aside(settings: Settings) -> list[Path]:
    files = [
        path
        for path in (settings.warehouse, settings.warehouse.with_name(settings.warehouse.name + ".wal"))
        if path.exists()
    ]
    return move_aside(files, settings.home, settings.home / "aside" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}")
