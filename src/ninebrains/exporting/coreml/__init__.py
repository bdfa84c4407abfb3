"""Core ML: a brain's graph as an ML program, and the saved program read back and computed.

ONNX ─► writing ─► ML program ─► .mlpackage ─► checking ─► ONNX Runtime ─► the brain's answers?
"""
