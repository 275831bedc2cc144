"""Search: items by what somebody typed, by their words, by their spelling and by their meaning."""
