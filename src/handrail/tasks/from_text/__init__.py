"""What is made from a text and is none itself: pictures.

May import what `handrail.tasks` may. A new one is a file with a `Task`, entered in `handrail.tasks`.
"""
