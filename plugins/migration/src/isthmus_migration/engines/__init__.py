"""Where slices run: inline, in threads, in processes, or on a Dask cluster. The slice function is the same."""
