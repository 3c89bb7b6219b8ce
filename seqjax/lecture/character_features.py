"""What may be followed in a play: places in lines and words, names of speakers; from the text alone.

Legend: N characters.
"""

import numpy as np


def features(text: str) -> dict[str, np.ndarray]:
    """What might be followed, [N] of each, known at the character that has just been read.

    `line position`: characters since the line began. `word position`: letters since the word began, 0 between words.
    `speaker name`: 1 within a name in front of a speech, from its first letter to the colon. `lines of speech`: lines
    since the name. `capital`: 1 at a capital letter. `blank line`: 1 at the second of two line ends.
    """
    characters = np.array(list(text))
    ends, count = characters == "\n", len(text)
    places = np.arange(count)
    start = np.maximum.accumulate(np.where(np.concatenate([[True], ends[:-1]]), places, 0))
    within = np.array([one.isalpha() or one == "'" for one in text])
    outside = np.maximum.accumulate(np.where(within, -1, places))
    names, lines = _speeches(text)
    return {
        "line position": (places - start).astype(float),
        "word position": np.where(within, places - outside, 0).astype(float),
        "speaker name": names,
        "lines of speech": lines,
        "capital": np.array([one.isupper() for one in text], float),
        "blank line": (ends & (start == places)).astype(float),
    }


def _speeches(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Whether each character is of a speaker's name, and how many lines the speech has had: [N] each."""
    name, age, at = np.zeros(len(text)), np.zeros(len(text)), 0
    fresh, lines = True, 0
    for line in text.split("\n"):
        is_name = fresh and line.endswith(":")
        lines = 0 if is_name or not line else lines + 1
        stop = at + len(line) + 1
        name[at : stop - 1] = is_name
        age[at:stop] = lines
        fresh, at = not line, stop
    return name, age
