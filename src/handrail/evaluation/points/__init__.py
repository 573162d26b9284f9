"""Figures of clouds of points: how well they fall into clusters, and how alike two of them are."""
