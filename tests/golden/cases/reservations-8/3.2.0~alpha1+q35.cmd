same as 3.2.0~alpha1
