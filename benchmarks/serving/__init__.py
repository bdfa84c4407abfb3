"""What serving costs: our server beside those that people use, under the same load."""
