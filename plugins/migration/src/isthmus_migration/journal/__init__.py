"""The work directory: plan, journal, lock; everything that a migration needs to go on after any interruption."""
