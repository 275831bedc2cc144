"""Learners: each a function from interactions to something immutable that a generation holds."""
