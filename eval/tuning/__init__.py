"""Tuning: build settings searched on cuts of the training part, and written only where a cut that the search never saw agrees."""
