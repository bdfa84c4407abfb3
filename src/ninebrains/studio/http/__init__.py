"""The studio over HTTP: JSON for the page, pictures, events; and who may ask at all."""
