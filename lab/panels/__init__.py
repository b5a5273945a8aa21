"""Views of experiments that have many: declarations alone, over the experiments' own series."""
