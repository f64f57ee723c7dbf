"""SQLite backend of Isthmus: ``isthmus.connect("sqlite:///path")``."""
