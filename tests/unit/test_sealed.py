"""A sealed text is read back as written, or not at all."""

import hashlib
import json

import pytest

from onedata.sealed import SEAL, seal, unseal

CONTENT = {"batch": "survey-20260105", "rows": 3, "share": 0.5, "none": None, "names": ["a", "ü"], "inner": {"x": True}}


def test_what_was_sealed_is_read_back() -> None:
    assert unseal(seal(CONTENT)) == CONTENT


def test_the_seal_is_the_hash_of_the_rest() -> None:
    # An oracle of its own: the text without the seal's line is JSON of the content, and sha256sum of that JSON is the
    # seal.
    text = json.loads(seal(CONTENT))
    rest = json.dumps({name: value for name, value in text.items() if name != SEAL}, indent=1)
    assert text[SEAL] == hashlib.sha256(rest.encode()).hexdigest()


def test_every_flip_of_one_bit_is_found() -> None:
    whole = seal(CONTENT).encode()
    for place in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match=r"\S"):
            unseal(flipped.decode("utf-8"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rows": 3}', "null"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        unseal(text)


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_a_cut_text_is_refused(kept: int) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        unseal(seal(CONTENT)[:kept])
