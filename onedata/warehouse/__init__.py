"""The warehouse's file: opened by one writer, read by others, and what is the matter where it cannot be."""

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
