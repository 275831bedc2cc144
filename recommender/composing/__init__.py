"""From a ranking to a slate: rules of editors, variety, what was passed over, and trials of what is new."""
