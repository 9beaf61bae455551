same as 2.15.2
