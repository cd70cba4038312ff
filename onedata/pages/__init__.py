"""Pages for a browser, whole in one file and without a network."""

from onedata.pages.status import Run, draw_status

__all__ = ["Run", "draw_status"]
