"""Figures for papers and the numbers behind them, drawn by matplotlib from the same view specs as the screen. No Qt."""
