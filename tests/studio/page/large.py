"""A project of very many photos, made in seconds."""

import hashlib
from pathlib import Path

from tests.making import jpeg

NUM_FILES = 40


def write_large_project(folder, num_photos):
    """A project with two labels: few files under many names, as pages do not care for pixels."""
    from ninebrains.studio.folder import open_folder
    from ninebrains.studio.store.database import Database
    from ninebrains.studio.store.labels import make_label
    from ninebrains.studio.store.photos import NewPhoto, insert_photo

    photos = Path(folder) / "photos"
    photos.mkdir()
    files = [photos / f"{number}.jpg" for number in range(NUM_FILES)]
    for number, file in enumerate(files):
        file.write_bytes(jpeg("cat", number))
    project = open_folder(Path(folder) / "large")
    database = Database(project.database)
    with database.writing() as connection:
        for name in ("cat", "dog"):
            make_label(connection, name)
        for number in range(num_photos):
            file = files[number % NUM_FILES]
            insert_photo(
                connection,
                NewPhoto(
                    sha256=hashlib.sha256(f"{number}".encode()).hexdigest(),
                    path=file,
                    is_copy=False,
                    name=f"photo-{number:05}.jpg",
                    source="folder",
                    format="JPEG",
                    width=96,
                    height=72,
                    num_bytes=file.stat().st_size,
                ),
            )
    database.close()
    return project.root
