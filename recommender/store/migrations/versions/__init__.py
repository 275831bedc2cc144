"""One file per schema version, in order; a released one never changes."""
