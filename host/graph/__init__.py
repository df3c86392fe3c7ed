"""The graph: its document, its checks, its drawing. Nothing here runs audio."""
