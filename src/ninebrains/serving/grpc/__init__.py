"""gRPC: TensorFlow Serving's services, the Open Inference Protocol's, and the health service."""
