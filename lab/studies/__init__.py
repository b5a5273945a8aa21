"""Sets of runs with one question, and who carries them out: workers of this machine or of a cluster."""
