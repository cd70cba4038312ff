"""The ledger: what was received and what became of it, to the row. The only writer of everything in `ops` that belongs
to a delivery.

A delivery (`ops.delivery`) is the rows of one feed for one night that landed together; `states` says which states it
goes through, and `belongings` what belongs to it. Beside its files in the lake lies its manifest (`manifest`), from
which the ledger can be rebuilt.
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
