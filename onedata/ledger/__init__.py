"""The ledger: what was received and its state, to the row. It is the only writer of the `ops` tables of deliveries.

A delivery (`ops.delivery`) is the rows of one feed for one night that landed together. `states` defines its states,
`belongings` the tables with its rows. Its manifest (`manifest`) is beside its files in the lake; the ledger can be
rebuilt from the manifests.
"""

from onedata.ledger.clock import tick
from onedata.ledger.moves import accept, apply, has_replaced, judge
from onedata.ledger.recover import UnknownLakeFiles, check_lake, recover
from onedata.ledger.schema import create_ledger
from onedata.ledger.states import LedgerError, Status

__all__ = [
    "LedgerError",
    "Status",
    "UnknownLakeFiles",
    "accept",
    "apply",
    "check_lake",
    "create_ledger",
    "has_replaced",
    "judge",
    "recover",
    "tick",
]
