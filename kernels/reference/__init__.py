"""The oracle: every kernel in plain float64 NumPy, written from its source rather than for speed."""
