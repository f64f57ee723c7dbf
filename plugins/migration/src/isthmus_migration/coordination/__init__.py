"""Handing out slices, journaling what became of them, and keeping to rates, limits and commands."""
