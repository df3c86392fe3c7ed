"""Benchmarks that print ratios against peers: ``python -m benches``."""
