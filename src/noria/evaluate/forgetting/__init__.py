"""What a model could do before: general abilities, and whether tuning lost them."""
