"""onedata: an open data middle platform for omnichannel retail.

Plain Python without Dagster: each folder is one stage of the data flow (contracts, readers, landing, quality, identity,
warehouse). `assets/` wires them into Dagster.
"""
