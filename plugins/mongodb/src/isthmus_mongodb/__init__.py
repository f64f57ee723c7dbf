"""MongoDB backend of Isthmus: ``isthmus.connect("mongodb://…")``."""

from isthmus_mongodb.plugin import MongoDBPlugin

__all__ = ["MongoDBPlugin"]
