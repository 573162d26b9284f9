"""Classes and domains that a network is told. May import what `handrail.tasks.alone` may."""
