"""How well and at what cost the nearest vectors are found, beside exact search."""
