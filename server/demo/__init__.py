"""The demo: MovieLens-100K from download to personalised feeds, through the same commands that everybody uses."""
