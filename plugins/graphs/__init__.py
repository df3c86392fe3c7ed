"""Ready-made graphs, found through the hook ``unbraid_graphs``."""
