"""Public data sets, fetched from where they are published and written as import files; none of them is redistributed."""
