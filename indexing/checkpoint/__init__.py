"""Checkpoints: what each finished stage of a build made, so that a killed build can go on where it was."""

from indexing.checkpoint.begun import Begun
from indexing.checkpoint.folder import Checkpoint, files_taken_in
from indexing.checkpoint.forms import Form
from recommender.generation.leftovers import BUILDING

__all__ = ["BUILDING", "Begun", "Checkpoint", "Form", "files_taken_in"]
