"""The verbs together: what is said about the modules they are in."""

from hospes.manager.verbs import MODULES, verbs


def test_a_word_that_is_a_modules_name_has_all_its_verbs_there() -> None:
    for first in MODULES:
        wanted = [verb for verb in verbs() if verb.words[0] == first]
        found = [verb for verb in verbs(first) if verb.words[0] == first]
        assert found == wanted


def test_any_other_word_is_looked_for_everywhere() -> None:
    assert verbs("ps") == verbs("no such word") == verbs()
    assert len({verb.words for verb in verbs()}) == len(verbs())
