"""Tunes until it is killed: `python tuning_program.py DATA BUILD STUDY OUT`."""

import sys

from eval.tuning.command import tune
from recommender.cli import run

data, build, study, out = sys.argv[1:]
sys.exit(run(["--data", data, "--build", build, "--study", study, "--out", out, "--only", "popular", "--trials", "1000"], tune))
