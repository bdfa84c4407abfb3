"""Killed in the middle of labelling or importing: what was answered for is there afterwards."""

import sqlite3
import threading

import httpx

from tests.making import jpeg, write_photos


def test_no_label_that_was_answered_for_is_lost(tmp_path, open_page):
    page = open_page(tmp_path / "project")
    ids = page.bring(*[(f"{n}.jpg", jpeg("cat", n)) for n in range(40)])["ids"]
    label = page.post("/api/labels", 201, name="cat")["id"]
    kept, begun = [], threading.Event()

    def work():
        with httpx.Client(base_url=page.url, cookies=page.http.cookies) as client:
            for photo in ids:
                try:
                    reply = client.post("/api/label", json={"ids": [photo], "label": label})
                except httpx.HTTPError:
                    return
                assert reply.status_code == 200
                kept.append(photo)
                if len(kept) == 10:
                    begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait(60)
    page.kill()
    worker.join()
    again = open_page(tmp_path / "project")
    labelled = again.get("/api/photos", view=f"label:{label}")["ids"]
    assert set(kept) <= set(labelled)
    assert len(labelled) <= len(kept) + 1
    for _ in labelled:
        again.post("/api/undo")
    assert again.get("/api/photos", view=f"label:{label}")["ids"] == []


def test_an_import_that_was_killed_is_begun_again_and_whole(tmp_path, open_page):
    folder = write_photos(tmp_path / "mine", {"cat": 150, "dog": 150})
    page = open_page(tmp_path / "project")
    page.post("/api/import/folder", 202, path=str(folder), copies=True)
    while page.get("/api/project")["counts"]["photos"] < 64:
        pass
    page.kill()
    with sqlite3.connect(tmp_path / "project" / "studio.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT path, label FROM photos").fetchall()
    connection.close()
    assert all(label for _, label in rows)
    assert all((tmp_path / "project" / path.decode()).is_file() for path, _ in rows)
    again = open_page(tmp_path / "project")
    report = again.bring_folder(folder, copies=True)
    assert report["added"] + report["known"] == 300
    assert report["known"] >= len(rows)
    told = again.get("/api/project")
    assert told["counts"]["labelled"] == 300
    assert {one["name"]: one["count"] for one in told["labels"]} == {"cat": 150, "dog": 150}


def test_a_studio_ends_while_pages_are_open(tmp_path, open_page):
    page = open_page(tmp_path / "project")
    begun = threading.Event()

    def listen():
        with (
            httpx.Client(base_url=page.url, cookies=page.http.cookies, timeout=60) as client,
            client.stream("GET", "/api/events") as stream,
        ):
            for line in stream.iter_lines():
                if line.startswith("event: reset"):
                    begun.set()

    listening = threading.Thread(target=listen)
    listening.start()
    assert begun.wait(60)
    page.close()
    listening.join()
    assert page.process.returncode == 0
