"""`python -m recommender`: the same as the console script."""

from recommender.cli import main

main()
