"""LiteRT, formerly TensorFlow Lite: networks for phones, small boards and microcontrollers."""
