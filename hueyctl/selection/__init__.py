"""Which jobs: options, filters, ids."""
