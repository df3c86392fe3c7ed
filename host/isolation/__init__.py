"""Isolation: a node's processor in a process of its own; what kills it ends one render, not the host."""
