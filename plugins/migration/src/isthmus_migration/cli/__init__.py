"""The commands ``isthmus migrate``, ``export``, ``import`` and ``verify``."""
