"""Items that could not be moved: listed, shown, acknowledged, tried again."""
