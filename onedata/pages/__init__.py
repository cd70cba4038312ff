"""HTML pages, each self-contained in one file that needs no network."""

from onedata.pages.status import Run, draw_status

__all__ = ["Run", "draw_status"]
