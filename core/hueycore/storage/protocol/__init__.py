"""What a storage can do: small protocols, one for each reader."""
