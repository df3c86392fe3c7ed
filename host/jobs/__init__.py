"""Many renders unattended: a manifest, a ledger, workers here or on a cluster, and what came of them."""
