"""The window: Qt and pyqtgraph. Shows and asks, computes no science."""
