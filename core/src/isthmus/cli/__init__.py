"""The ``isthmus`` command. Nothing here is needed by the library, and ``main`` is importable without click and rich."""
