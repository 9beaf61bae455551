same as 3.1.0~rc2
