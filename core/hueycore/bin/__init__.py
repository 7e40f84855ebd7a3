"""Programs under the names that they have in Huey."""
