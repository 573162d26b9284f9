"""Traces of why networks generalise, or cannot: early stopping, noise on inputs, no free lunch."""
