"""Networks that take mixtures apart, by architecture, with the published checkpoints' own key names."""
