"""What every network here shares when it is trained: the learning rate and the number of threads."""
