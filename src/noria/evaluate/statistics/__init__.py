"""What chance allows us to say: intervals, differences, slices, folds, numbers of questions."""
