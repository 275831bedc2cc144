"""Titles of films as people write them."""

from __future__ import annotations

import pytest

from eval.datasets.film_titles import UNKNOWN_TITLE, natural_title, title_and_year


@pytest.mark.parametrize(
    ("given", "natural"),
    [
        ("Heat", "Heat"),
        ("Postman, The", "The Postman"),
        ("Fish Called Wanda, A", "A Fish Called Wanda"),
        ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ("Horseman on the Roof, The (Hussard sur le toit, Le)", "The Horseman on the Roof (Le Hussard sur le toit)"),
        ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker (L'Uomo delle stelle)"),
        ("Misérables, Les", "Les Misérables"),
        ("Á köldum klaka (Cold Fever)", "Á köldum klaka (Cold Fever)"),
        ("Paris, Texas", "Paris, Texas"),
        ("Bye Bye, Love", "Bye Bye, Love"),
        ("I, Worst of All (Yo, la peor de todas)", "I, Worst of All (Yo, la peor de todas)"),
    ],
)
def test_a_trailing_article_goes_first_and_nothing_else_moves(given: str, natural: str) -> None:
    assert natural_title(given) == natural


@pytest.mark.parametrize(
    ("given", "title", "year"),
    [
        ("Heat (1995)", "Heat", 1995),
        ("Postman, The (1997)", "The Postman", 1997),
        ("Convent, The (Convento, O) (1995)", "The Convent (O Convento)", 1995),
        ("Land Before Time III: The Time of the Great Giving (1995) (V)", "Land Before Time III: The Time of the Great Giving", 1995),
        ("Marlene Dietrich: Shadow and Light (1996) ", "Marlene Dietrich: Shadow and Light", 1996),
        ("187 (1997)", "187", 1997),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Untold, The", "The Untold", None),
        ("unknown", UNKNOWN_TITLE, None),
        ("unkonwn (unkonwn)", UNKNOWN_TITLE, None),
    ],
)
def test_the_year_is_taken_off_the_title(given: str, title: str, year: int | None) -> None:
    assert title_and_year(given) == (title, year)
