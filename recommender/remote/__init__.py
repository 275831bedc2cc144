"""Files at a remote place, such as an object store, by any path that fsspec knows; and generations there, with a cache on this machine.

Nothing of it, nor of fsspec, is imported where no remote path is set.
"""
