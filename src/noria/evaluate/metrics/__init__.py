"""What is measured of answers: one module a family, and ``measures``, which names them all."""
