"""Data of a study: what is recorded of it, where it is, and that it has not changed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slimlm.data.prose import builtin_prose
from slimlm.data.synthetic import known_entropy
from slimlm.engines.data import check_data, open_tokens, study_data, write_generator, write_places
from slimlm.study.study import Study, open_study
from tests.engines.small_study import VOCABULARY, small_study


def test_a_study_records_its_tokens(tmp_path: Path) -> None:
    tokens = builtin_prose(512, tmp_path / "prose")
    found = study_data(tokens)
    assert (found.name, found.digest, found.vocab_size, found.unit) == (tokens.name, tokens.digest, 512, "byte")
    assert found.train_tokens == len(tokens.train)
    exact = tokens.token_lengths[np.asarray(tokens.train, dtype=np.int64)].sum() / len(tokens.train)
    assert found.units_per_token == pytest.approx(float(exact), rel=1e-12)
    assert study_data(known_entropy(64, train_tokens=100)).units_per_token == 1.0


def with_prose(folder: Path, place: Path) -> Study:
    """Return a study whose tokens are of the built-in prose, which is in a folder."""
    study = small_study(folder)
    base = replace(study.request.base, vocab_size=512, total_params=100_000)
    return Study(replace(study.request, base=base), {512: study_data(builtin_prose(512, place))})


def test_a_corpus_is_found_in_the_study_or_elsewhere_on_the_machine(tmp_path: Path) -> None:
    study = with_prose(tmp_path / "a", tmp_path / "a" / "data" / "512")
    assert open_tokens(tmp_path / "a", study, 512).digest == study.data[512].digest
    (tmp_path / "a" / "data" / "512").rename(tmp_path / "moved")
    with pytest.raises(
        ValueError, match=r"data/512 is no folder with the tokens .* folder in local\.json, would work$"
    ):
        open_tokens(tmp_path / "a", study, 512)
    write_places(tmp_path / "a", {512: tmp_path / "moved"})
    assert open_tokens(tmp_path / "a", study, 512).digest == study.data[512].digest


def test_records_agree_on_the_name_wherever_the_tokens_are(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    renamed = Study(study.request, {VOCABULARY: replace(study.data[VOCABULARY], name="chain")})
    assert open_tokens(tmp_path, renamed, VOCABULARY).name == "chain"


def test_a_generated_source_of_default_settings_needs_no_file(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    (tmp_path / "data" / str(VOCABULARY) / "generator.json").unlink()
    plain = Study(study.request, {VOCABULARY: study_data(known_entropy(VOCABULARY, train_tokens=4096))})
    check_data(tmp_path, plain)


def test_changed_data_is_refused(new: Path) -> None:
    write_generator(new, VOCABULARY, train_tokens=4096, heldout_tokens=301)
    with pytest.raises(ValueError, match=r"^the data of vocab_size=64 changed: its sha256 is \w{12}…, the study's is"):
        open_tokens(new, open_study(new), VOCABULARY)


def test_a_vocabulary_that_the_study_does_not_have_is_refused(new: Path) -> None:
    with pytest.raises(ValueError, match=r"^the study has no data for vocab_size=65$"):
        open_tokens(new, open_study(new), 65)


@pytest.mark.parametrize("places", ['{"data": []}', '{"data": {"64": 1}}', '{"data": null}'])
def test_a_damaged_local_file_is_refused(new: Path, places: str) -> None:
    (new / "local.json").write_text(places)
    with pytest.raises(ValueError, match=r"^local\.json has data=.*: paths by vocabulary size, .*, would work$"):
        open_tokens(new, open_study(new), VOCABULARY)


@pytest.mark.parametrize("settings", [{}, {"seed": 0, "train_tokens": "4", "heldout_tokens": 4}, {"x\n": 1}])
def test_damaged_settings_of_a_generator_are_refused(new: Path, settings: dict[str, object]) -> None:
    (new / "data" / "64" / "generator.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"generator\.json holds .*: whole numbers for heldout_tokens, seed, train_"):
        open_tokens(new, open_study(new), VOCABULARY)
