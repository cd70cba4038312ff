"""Dagster code only: the graph that wires onedata's stages. Start at definitions.py."""
