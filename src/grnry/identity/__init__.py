"""Who calls, and what they may do: identities, tokens, and the built-in issuer."""
