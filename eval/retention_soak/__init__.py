"""How large a store grows when the same amount comes every day and what has expired goes every night."""
