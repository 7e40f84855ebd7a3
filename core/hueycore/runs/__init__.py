"""From a claim to an ending."""
