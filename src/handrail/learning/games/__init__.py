"""What rules of two players have in common. May import what `handrail.learning` may."""
