"""What came of a batch: its status, and its report."""
