"""One retailer, loaded: settings, canonical entities, identifier policy and feeds."""

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb

from onedata.contracts import ContractError, Entity, Feed, load_drafts, load_entities, load_feeds
from onedata.contracts.derive import ensure_lake, identity_keys, usable_in_models
from onedata.contracts.identifiers import IdentifierPolicy, load_identifier_policy
from onedata.identity.keep import keep_first_state, log_decisions
from onedata.identity.known_tokens import require_vault
from onedata.identity.policy_held import hold_policy
from onedata.identity.tables import create_tables
from onedata.identity.take_in import STAGE
from onedata.landing.own_files import has_rows
from onedata.ledger import check_lake
from onedata.ledger.migrations import migrate
from onedata.ledger.own_columns import hold_own_columns
from onedata.quality.reconcile import create_reconciliation
from onedata.readers.xml_beside import PLACE
from onedata.settings import IDENTIFIERS, Settings
from onedata.shipped import shipped
from onedata.warehouse.publications import mend_names
from onedata.warehouse.publish import finish_publishing

MOST_POLICY_BYTES = 100_000
"""A variable of the environment holds 128 KiB on Linux."""


@dataclass(frozen=True)
class Retailer:
    """All contracts and settings of a retailer; immutable during a run. `drafts` are the contracts that nights skip,
    by file name, with the first mistake of one that does not load yet ('' if it does)."""

    settings: Settings
    entities: Mapping[str, Entity]
    policy: IdentifierPolicy
    feeds: tuple[Feed, ...]
    drafts: Mapping[str, str] = field(default_factory=dict)

    def feeds_of(self, entity: str) -> list[Feed]:
        """Feeds that fill `entity`; may be empty."""
        return [feed for feed in self.feeds if feed.entity.name == entity]

    def feeds_later(self, feed: Feed) -> list[Feed]:
        """Feeds that read the same files and land after this one: a night lands feeds by name."""
        return [other for other in self.feeds if other.location == feed.location and other.name > feed.name]

    def environment(self) -> dict[str, str]:
        """Environment of dbt and child processes: the settings, the SQL that decides whether an identifier is usable,
        and which of the files that the retailer keeps by hand say something."""
        return self.settings.environment() | {
            "ONEDATA_USABLE": json.dumps(usable_in_models(self.entities, self.policy)),
            "ONEDATA_OWN_FILES_WITH_ROWS": " ".join(
                name for name, file in self.settings.own_files.items() if has_rows(file)
            ),
        }

    @property
    def regions(self) -> tuple[str, ...]:
        """ISO 3166 codes of the countries of phone numbers without a country code, the default first."""
        return tuple(
            dict.fromkeys([self.settings.default_region, *(feed.region for feed in self.feeds if feed.region)])
        )


def load_retailer(settings: Settings, drafts: bool = False) -> Retailer:
    """Load contracts and policy; with `drafts`, also the feeds of the drafts that load, which no night takes.

    Raises:
        ContractError: a contract, canonical entity or the policy is invalid.
    """
    entities = load_entities(settings.canonical, settings.own_entities)
    policy = load_identifier_policy(shipped("data_contracts") / IDENTIFIERS, settings.identifiers)
    for entity in entities.values():
        identity_keys(entity, policy)  # refuses an unknown type of identifier
    own = [shipped("data_contracts") / "own" / f"{name}.odcs.yaml" for name in settings.own_files]
    retailer = Retailer(
        settings,
        entities,
        policy,
        load_feeds(settings.contracts, entities, drafts, own),
        {
            name: found if isinstance(found, str) else ""
            for name, found in load_drafts(settings.contracts, entities).items()
        },
    )
    size = len(retailer.environment()["ONEDATA_USABLE"].encode())
    if size > MOST_POLICY_BYTES:
        raise ContractError(
            f"{settings.identifiers}: the blocked values are {size:,} bytes of SQL, {MOST_POLICY_BYTES:,} at most: "
            "write a {pattern: ...} that matches many of them"
        )
    return retailer


def skipped_drafts(drafts: Mapping[str, str]) -> list[str]:
    """A sentence for each draft that nights skip."""
    return [
        f"{name} is skipped: it is a draft ({why or 'it loads; `status: active` puts it into effect'})"
        for name, why in drafts.items()
    ]


def prepare_warehouse(con: duckdb.DuckDBPyConnection, retailer: Retailer, again: Collection[date] = ()) -> list[str]:
    """Create what every stage needs (ledger, balances, OneID tables, the lake's schema), and check the lake against the
    ledger.

    Args:
        con: The warehouse.
        retailer: Its retailer.
        again: Nights that are being replaced, whose lake files may be incomplete.

    Returns:
        Which drafts are skipped and what was tidied up, as sentences for the user.

    Raises:
        UnknownLakeFiles: the lake was written by another ledger.
        LakeDamaged: a lake file is missing or truncated.
        HomeFormatError: the data home has the format of a later onedata.
        PolicyChanged: rows landed by another identifier policy.
        OwnColumnGone: rows landed with a column of the retailer's own that no file defines any more.
        VaultError: the vault is lost, an older copy, damaged, or does not match its key.
    """
    said = skipped_drafts(retailer.drafts) + migrate(con, retailer.settings)
    hold_policy(con, retailer.settings.lake, retailer.policy)
    # Rows of a feed that did not land in the run that kept them: it reads its files again.
    shutil.rmtree(retailer.settings.home.joinpath(*PLACE), ignore_errors=True)
    finish_publishing(con, retailer.settings)
    mend_names(retailer.settings, said.append)
    create_tables_of(con, retailer)
    require_vault(con, retailer.settings, retailer.entities, retailer.feeds)
    said += check_lake(con, retailer.settings, again)
    hold_own_columns(con, retailer.settings, retailer.entities)
    log_decisions(con, retailer.settings.lake)
    keep_first_state(con, retailer.settings.lake, STAGE)
    return said


def create_tables_of(con: duckdb.DuckDBPyConnection, retailer: Retailer) -> None:
    """Create missing tables that dbt does not build, and the lake's schema."""
    create_reconciliation(con)
    create_tables(con)
    con.execute("create schema if not exists ods")
    ensure_lake(con, retailer.settings.lake, retailer.entities)
