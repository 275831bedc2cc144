"""How fast a store takes events and gives people's state: without a network, so that it is the store that is measured."""
