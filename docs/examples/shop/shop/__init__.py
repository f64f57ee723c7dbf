"""A small shop: customers with credit, stock, and orders that reserve it."""
