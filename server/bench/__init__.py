"""The load generator: what a running server costs and how long it takes to answer."""
