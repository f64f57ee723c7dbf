"""Where data comes from and goes to: databases of any backend, and folders with exports."""
