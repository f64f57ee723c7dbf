"""What a worker does: one slice of one unit, so that doing it twice does no harm."""
