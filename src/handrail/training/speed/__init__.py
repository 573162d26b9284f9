"""What decides how fast a step is: compilation, threads, the way of multiplying; each chosen by measuring."""
