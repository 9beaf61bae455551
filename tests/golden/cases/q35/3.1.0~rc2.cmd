same as 3.1.1
