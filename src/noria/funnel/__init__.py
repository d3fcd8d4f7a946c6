"""retrieve -> filter -> rank -> order, for answers and for feeds alike."""
