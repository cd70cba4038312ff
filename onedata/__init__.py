"""onedata: an open data middle platform for omnichannel retail.

Plain Python, no Dagster: each folder is a stage of the data's way (contracts, readers, landing, quality, identity,
warehouse). `assets/` wires them into Dagster.
"""
