"""A project of very many photos, made in seconds."""

import hashlib
from pathlib import Path

from tests.making import jpeg

NUM_PICTURES = 40


def write_large_project(folder, num_photos):
    """A project with two labels: few pictures in many files, as pages do not care for pixels."""
    from ninebrains.studio.folder import open_folder
    from ninebrains.studio.store.database import Database
    from ninebrains.studio.store.labels import make_label
    from ninebrains.studio.store.photos import NewPhoto, insert_photo

    photos = Path(folder) / "photos"
    photos.mkdir()
    pictures = [jpeg("cat", number) for number in range(NUM_PICTURES)]
    project = open_folder(Path(folder) / "large")
    database = Database(project.database)
    with database.writing() as connection:
        for name in ("cat", "dog"):
            make_label(connection, name)
        for number in range(num_photos):
            file = photos / f"{number}.jpg"
            data = _with_comment(pictures[number % NUM_PICTURES], f"{number:05}")
            file.write_bytes(data)
            insert_photo(
                connection,
                NewPhoto(
                    sha256=hashlib.sha256(data).hexdigest(),
                    path=file,
                    is_copy=False,
                    name=f"photo-{number:05}.jpg",
                    source="folder",
                    format="JPEG",
                    width=96,
                    height=72,
                    num_bytes=len(data),
                ),
            )
    database.close()
    return project.root


def _with_comment(data, text):
    """The same picture in other bytes."""
    comment = text.encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
