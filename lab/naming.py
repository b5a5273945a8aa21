"""How the field writes a series, and what tells those of one plot apart."""

from collections import Counter
from collections.abc import Iterable

from lab.stream import Source


def symbol(source: Source, name: str) -> str:
    """The symbol of a series, else its label, else its name."""
    return source.attrs(name).get("symbol") or label(source, name)


def label(source: Source, name: str) -> str:
    """A series in words."""
    return source.attrs(name).get("label") or name.replace("_", " ")


def symbols(source: Source, names: Iterable[str]) -> dict[str, str]:
    """Symbols of the series of one plot; labels for those that share a symbol, as a training and a test loss do."""
    written = {name: symbol(source, name) for name in names}
    shared = Counter(written.values())
    return {name: text if shared[text] == 1 else label(source, name) for name, text in written.items()}
