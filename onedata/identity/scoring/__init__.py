"""Scoring: how alike two profiles are, as the log2 of the odds that they are one person's (Fellegi, Sunter 1969), computed by Splink."""

from onedata.identity.scoring.model import LINK_WEIGHT, Model
from onedata.identity.scoring.score import score
from onedata.identity.scoring.train import train

__all__ = ["LINK_WEIGHT", "Model", "score", "train"]
