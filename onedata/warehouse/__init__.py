"""The warehouse: one native DuckDB file, private to the build, with a single writer."""

from onedata.warehouse.open import WarehouseBusy, open_warehouse

__all__ = ["WarehouseBusy", "open_warehouse"]
