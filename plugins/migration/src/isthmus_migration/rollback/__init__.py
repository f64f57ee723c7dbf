"""Putting a target back to what it was before a migration."""
