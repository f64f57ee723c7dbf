"""Proving that two places hold the same items, naming those that differ, and repairing exactly these."""
