"""Cards of the published models that the separators run, as data."""
