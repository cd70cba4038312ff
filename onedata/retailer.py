"""One retailer, loaded: settings, canonical entities, identifier policy and feeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from onedata.contracts import Entity, Feed, load_entities, load_feeds
from onedata.contracts.derive import ensure_lake
from onedata.contracts.identifiers import IdentifierPolicy, load_identifier_policy
from onedata.identity.known_tokens import require_vault
from onedata.identity.tables import create_tables
from onedata.landing.control_totals import create_control_totals
from onedata.landing.ledger import create_ledger
from onedata.quality.reconcile import create_reconciliation
from onedata.settings import REPOSITORY, Settings


@dataclass(frozen=True)
class Retailer:
    """Everything the contracts and settings say; nothing in it changes while a night runs."""

    settings: Settings
    entities: Mapping[str, Entity]
    policy: IdentifierPolicy
    feeds: tuple[Feed, ...]

    def feeds_of(self, entity: str) -> list[Feed]:
        """Feeds that fill `entity`; may be none."""
        return [feed for feed in self.feeds if feed.entity.name == entity]


def load_retailer(settings: Settings) -> Retailer:
    """Read contracts and policy.

    Raises:
        ContractError: a contract, canonical entity or the policy is not valid.
    """
    entities = load_entities(settings.canonical)
    policy = load_identifier_policy(REPOSITORY / "data_contracts" / "identifiers.yaml")
    return Retailer(settings, entities, policy, load_feeds(settings.contracts, entities))


def prepare_warehouse(con: duckdb.DuckDBPyConnection, retailer: Retailer) -> None:
    """Create what every stage expects to find: ledger, control totals, balances, OneID tables, the lake's shape, vault.

    Raises:
        VaultError: the vault is lost, an older copy, damaged, or not of its key.
        OldTablesError: the warehouse is of an earlier onedata.
    """
    create_ledger(con)
    create_control_totals(con)
    create_reconciliation(con)
    create_tables(con)
    con.execute("create schema if not exists ods")
    ensure_lake(con, retailer.settings.lake, retailer.entities)
    require_vault(con, retailer.settings, retailer.entities, retailer.feeds)
