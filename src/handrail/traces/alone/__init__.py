"""Traces of learning without a target: units that settle, centres that move, units that compete."""
