"""Plans: what shall be moved and how, fixed before the first item is read."""
