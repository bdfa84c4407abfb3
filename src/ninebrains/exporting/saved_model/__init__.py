"""TensorFlow's SavedModel, as TensorFlow Serving loads it."""
