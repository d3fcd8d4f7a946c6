"""The data room: training data are read, checked, parted and kept before anything is spent."""
