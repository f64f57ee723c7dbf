"""Real engines for tests, demos and benchmarks: found or fetched, started on the loopback interface, ended for sure."""

from isthmus_engines.errors import EngineError, EngineMissing
from isthmus_engines.kinds import Kind, Running
from isthmus_engines.mongodb_set import MongoDBSet, mongodb_set
from isthmus_engines.shared import Engines, engine

__all__ = ["EngineError", "EngineMissing", "Engines", "Kind", "MongoDBSet", "Running", "engine", "mongodb_set"]
