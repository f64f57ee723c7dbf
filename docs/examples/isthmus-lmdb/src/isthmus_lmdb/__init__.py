"""A backend for Isthmus that keeps its tables in one LMDB file."""

from isthmus_lmdb.backend import LMDBBackend

__all__ = ["LMDBBackend"]
