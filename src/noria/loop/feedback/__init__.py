"""What people think of answers: looked through, asked for, and made into examples."""
