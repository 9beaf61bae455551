same as 3.0.2
