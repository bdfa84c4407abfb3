"""gRPC: TensorFlow Serving's services, the Open Inference Protocol's, and the health service."""

import os

# The library writes lines of its own to standard error about what clients do wrong; calls are in
# the log already. It reads this once, when it is first imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
