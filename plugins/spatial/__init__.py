"""Nodes that make scenes, master them, and let them be heard."""
