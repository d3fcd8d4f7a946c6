"""What a comparison says to people: advice, kinds of failure, pictures, the page."""
