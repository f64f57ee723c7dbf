"""SQLite backend of Isthmus: ``isthmus.connect("sqlite:///path")``."""

from isthmus_sqlite.plugin import SQLitePlugin

__all__ = ["SQLitePlugin"]
