"""Synthetic worlds of any size, for load and for tests of scale: a catalogue and a history of realistic shape."""

from eval.world.files import World, write_world
from eval.world.shape import Shape

__all__ = ["Shape", "World", "write_world"]
