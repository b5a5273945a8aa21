"""How well a few typed letters match a text: letters in order, better at word starts and side by side. No Qt."""

import re


def score(query: str, text: str) -> float | None:
    """Higher is better; None when some word of the query is not found in ``text``, its letters in order."""
    total = 0.0
    for word in query.casefold().split():
        found = _word_score(word, text.casefold())
        if found is None:
            return None
        total += found
    return total - 0.01 * len(text)


def _word_score(word: str, text: str) -> float | None:
    at = text.find(word)
    if at >= 0:  # whole: the earlier and the nearer to a word's start the better
        starts = at == 0 or not text[at - 1].isalnum()
        return 10.0 * len(word) + (20.0 if starts else 0.0) - 0.05 * at
    initials = "".join(part[0] for part in re.findall(r"\w+", text))
    if word in initials:
        return 8.0 * len(word)
    position, total = -1, 0.0
    for letter in word:
        following = text.find(letter, position + 1)
        if following < 0:
            return None
        total += 2.0 if following == position + 1 else 0.5
        position = following
    return total if total >= len(word) else None  # letters strewn about are no match
