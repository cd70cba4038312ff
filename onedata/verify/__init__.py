"""Hold a data home against itself: ledger, lake, warehouse and what is published, by hash, count and sum. Nothing is changed."""

from onedata.verify.home import VerifyError, verify_home
from onedata.verify.report import Area, told

__all__ = ["Area", "VerifyError", "told", "verify_home"]
