"""The warehouse's file: opened by one writer or by readers, and examined if it cannot be opened."""

from onedata.warehouse.damage import (
    WarehouseBusy,
    WarehouseDamaged,
    WarehouseError,
    WarehouseMissing,
    WarehouseUnreadable,
)
from onedata.warehouse.open import last_night, open_warehouse, read_warehouse

__all__ = [
    "WarehouseBusy",
    "WarehouseDamaged",
    "WarehouseError",
    "WarehouseMissing",
    "WarehouseUnreadable",
    "last_night",
    "open_warehouse",
    "read_warehouse",
]
