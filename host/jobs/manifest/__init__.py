"""What a batch is to do: manifests, and the paths and names in them."""
