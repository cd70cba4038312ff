"""Check the consistency of a data home: ledger, lake, warehouse and publications, by hash, count and sum. Nothing is
changed."""

from onedata.verify.home import verify_home
from onedata.verify.report import Area, told

__all__ = ["Area", "told", "verify_home"]
