"""Decisions: served records, made again from the generation that decided, and explained."""
