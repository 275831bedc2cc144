"""The wire contract: modules generated from `proto/recommender/v1/`. Regenerate them with `make proto`."""
