"""Quality benchmark: the default profile on public sets, beside what is published on them."""
