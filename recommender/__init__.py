"""What items, events, people and feeds are, and how a feed is made."""
