"""Words in one spelling, and what a word is found by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.search.spelling import Vocabulary, is_one_slip
from recommender.search.word_index import title_keys
from recommender.search.words import folded, key_of, terms_of, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Amélie", "AMELIE"),
        ("\uff21\uff4c\uff49\uff45\uff4e", "alien"),
        ("Straße", "STRASSE"),
        ("Ben-Hur", "ben hur"),
        ("Schindler’s List", "schindlers list"),
        ("Þór & Ægir", "thor aegir"),
        ("ﬁlm_noir", "Film noir"),
        ("Łódź", "lodz"),
        ("I \u2764\ufe0f NY", "I \u2764 NY"),
        ("co\u00adop", "coop"),
        ("\u202bبيت\u202c", "بيت"),
        ("نیم\u200cفصل", "نیمفصل"),
        ("葛\U000e0100城", "葛城"),
    ],
)
def test_texts_that_differ_in_case_accents_and_signs_are_the_same(one: str, other: str) -> None:
    assert key_of(one) == key_of(other) != ""


def test_marks_that_are_letters_of_their_scripts_stay() -> None:
    assert words_of("हिन्दी फ़िल्म") == tuple(folded("हिन्दी फ़िल्म").split())
    assert folded("が") != folded("か")


def test_a_text_of_signs_alone_is_one_word_and_an_empty_one_none() -> None:
    assert words_of("???") == ("???",)
    assert words_of(" \t ") == ()


def test_signs_that_only_signs_nobody_sees_have_in_common_differ() -> None:
    heart, sun = "\u2764\ufe0f", "\u2600\ufe0f"
    assert key_of(heart) != key_of(sun)
    assert words_of(f"{sun} Weather") == ("weather",)
    assert words_of("co\u00adop") == ("coop",)
    assert words_of("\u200b\ufeff") == ()


def test_a_mark_by_itself_is_no_word() -> None:
    assert words_of("a \u093f b") == ("a", "b")


def test_a_script_without_spaces_is_found_by_signs_and_pairs_of_them() -> None:
    assert terms_of("東京物語") == ("東", "京", "物", "語", "東京", "京物", "物語")
    assert terms_of("ゴジラ2000") == ("ゴ", "ジ", "ラ", "ゴジ", "ジラ", "2000")
    assert terms_of("alien") == ("alien",)


def test_a_title_is_known_without_its_year_and_with_its_article_in_front() -> None:
    assert title_keys("Godfather, The (1972)") == ("godfather the 1972", "godfather the", "the godfather")
    assert title_keys("Kolya (1996)") == ("kolya 1996", "kolya")
    assert title_keys("Diva") == ("diva",)
    assert title_keys("") == ()


WORDS = ("diva", "div", "alien", "aliens", "m", "the", "star")


@pytest.mark.parametrize("word", ["iva", "xdiva", "dvia", "divas", "idva", "duva", "d1va"])
def test_a_slip_at_any_place_finds_the_word(word: str) -> None:
    vocabulary = Vocabulary.of(WORDS)
    assert "diva" in [vocabulary.term(place) for place in vocabulary.alike(word)]


def test_words_are_found_by_how_they_begin() -> None:
    vocabulary = Vocabulary.of(WORDS)
    assert [vocabulary.term(place) for place in vocabulary.beginning("al")] == ["alien", "aliens"]
    assert [vocabulary.term(place) for place in vocabulary.beginning("zz")] == []
    assert vocabulary.place("star") >= 0 > vocabulary.place("sta")


@given(st.text("abé東", max_size=6), st.text("abé東", max_size=6))
def test_words_a_slip_apart_are_found_and_no_others(one: str, other: str) -> None:
    vocabulary = Vocabulary.of([other] if other else [])
    spelt = not any(sign == "東" for sign in (one[:1], other[:1]))
    found = bool(vocabulary.alike(one))
    assert found == (bool(other) and is_one_slip(one, other)) or not spelt


def test_slips_are_symmetric_and_counted_once() -> None:
    for one, other, one_slip in [("ab", "ba", True), ("abc", "cba", False), ("a", "a", False), ("", "a", True), ("abc", "ab", True)]:
        assert is_one_slip(one, other) is is_one_slip(other, one) is one_slip
