"""``isthmus demo``: real data loaded, queried, changed, copied and verified."""
