"""Series as items of a column: whole ones in memory, and windows on one long table."""

from handrail.data.series.store import SeriesStore
from handrail.data.series.window_store import WindowStore

__all__ = ["SeriesStore", "WindowStore"]
