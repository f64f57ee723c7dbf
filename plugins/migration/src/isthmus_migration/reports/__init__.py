"""What a migration tells of itself afterwards, and while it runs from another shell."""
