"""One suite for each area of the contract."""
