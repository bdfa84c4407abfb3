"""A host is asked like what is here, and answers the same."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import ninebrains as nb
from tests.making import jpeg
from tests.making import photo as drawn

BRAINS = ("pets", "pets@1", "many", "weight")


def alike(remote, local):
    """Whether two inferences are the same but for what batches of other sizes round differently."""
    np.testing.assert_allclose(remote.answers, local.answers, rtol=1e-5)
    assert (remote.brain, remote.answer) == (local.brain, local.answer)
    return True


def same(remote, local):
    """Whether two inferences are the same in every bit."""
    np.testing.assert_array_equal(remote.answers, local.answers)
    assert remote.answers.dtype == np.float32
    assert remote.brain == local.brain
    assert remote.unfamiliar == local.unfamiliar
    assert remote.photo_size == local.photo_size
    assert remote.contract == local.contract
    assert tuple(remote.labels) == tuple(local.labels)
    assert remote.instances == local.instances
    assert (remote.answer, remote.top) == (local.answer, local.top)
    for one, other in ((remote.features, local.features), (remote.heatmaps, local.heatmaps)):
        assert one is None or np.array_equal(one, other)
    return True


def test_a_host_knows_its_brains(host):
    assert set(host.names) == {"pets", "many", "weight"}
    assert "pets" in host
    assert "cars" not in host


def test_all_brains_answer_the_same_as_here(host, mind, photo):
    found = host.run(photo, BRAINS, heatmaps=True, features=True)
    assert tuple(found) == BRAINS
    local = mind.run(photo, ["pets@2", "pets@1", "many@1", "weight@1"], heatmaps=True)
    for wish, member in zip(BRAINS, local, strict=True):
        assert same(found[wish], local[member])
        assert found[wish].features is not None
        assert np.array_equal(found[wish].heatmap(), local[member].heatmap())
    assert found.answers == {wish: found[wish].answer for wish in BRAINS}
    assert found.photo_size == (96, 72)
    assert found.timings["total_ms"] > 0
    assert found.request_id


def test_answers_say_where_they_come_from(host, photo):
    found = host.run(photo, ["pets", "pets@1"])
    assert (found["pets"].version, found["pets"].variant) == (2, "stable")
    assert (found["pets@1"].version, found["pets@1"].variant) == (1, "version")
    assert found["pets"].prediction_id != found["pets@1"].prediction_id


def test_all_are_asked_where_none_is_named(host, photo):
    assert set(host.run(photo)) == {"pets", "many", "weight"}


def test_a_brain_is_used_like_one_that_is_here(host, mind, models, photo):
    remote, local = host.get("pets"), nb.load(models / "pets/2.brain")
    assert (remote.name, remote.version, remote.task) == (local.name, "2", local.task)
    assert tuple(remote.labels) == tuple(local.labels)
    assert (remote.contract, remote.metrics) == (local.contract, local.metrics)
    here = mind.run(photo, ["pets@1", "pets@2"], heatmaps=True)
    assert same(remote.run(photo, heatmaps=True), here["pets@2"])
    assert len(remote.run(photo, top=1).instances) == 1
    assert same(host.get("pets@1").run(photo), here["pets@1"])
    assert "pets" in repr(remote)


def sources(tmp_path, photo):
    """One photo in every form that people have it in."""
    path = tmp_path / "cat.jpg"
    path.write_bytes(photo)
    pixels = np.asarray(Image.open(io.BytesIO(photo)))
    return [
        path,
        str(path),
        photo,
        bytearray(photo),
        io.BytesIO(photo),
        Image.fromarray(pixels),
        pixels,
    ]


def test_photos_come_in_every_form(host, mind, photo, tmp_path):
    here = mind.run(photo, "pets@2")["pets@2"]
    for source in sources(tmp_path, photo):
        assert same(host.run(source, "pets")["pets"], here), type(source)


def test_many_photos_are_answered_in_their_order(host, mind):
    photos = [jpeg(label, number) for number in range(20) for label in ("cat", "dog")]
    found = list(host.run_many(photos, "pets"))
    for remote, local in zip(found, mind.run_many(photos, "pets@2"), strict=True):
        assert alike(remote["pets"], local["pets@2"])
    by_brain = list(host.get("pets").run_many(photos[:5], top=1))
    assert [one.answer for one in by_brain] == [one["pets"].answer for one in found[:5]]


def test_many_photos_with_a_broken_one(host, photo):
    found = list(host.run_many([photo, b"no photo", photo], "pets", on_error="yield"))
    assert [isinstance(one, nb.PhotoError) for one in found] == [False, True, False]
    told = host.get("pets").run_many(iter([photo, b"no photo", photo]))
    assert next(told).top.label
    with pytest.raises(nb.PhotoError):
        next(told)


def test_an_endless_stream_is_taken_from_as_needed(host, photo):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield photo

    told = host.run_many(endless(), "pets")
    for _ in range(10):
        next(told)
    told.close()
    assert len(taken) < 200


def test_futures(host, mind, photo):
    futures = [host.submit(photo, "pets") for _ in range(20)]
    here = mind.run(photo, "pets@2")["pets@2"]
    assert all(alike(future.result()["pets"], here) for future in futures)


def test_it_is_awaited_as_well(serving, mind, photo):
    async def ask():
        async with nb.connect(str(serving), shrink=False) as host:
            assert set(await host.anames()) == {"pets", "many", "weight"}
            brain = await host.aget("pets")
            many = await asyncio.gather(*(host.answer(photo, "pets") for _ in range(20)))
            await host.afeedback(many[0]["pets"], none=True)
            return [await brain.answer(photo), *(one["pets"] for one in many)]

    here = mind.run(photo, "pets@2")["pets@2"]
    assert all(alike(one, here) for one in asyncio.run(ask()))


def test_one_connection_serves_several_event_loops(serving, photo):
    host = nb.connect(str(serving))

    async def ask():
        try:
            return (await host.answer(photo, "pets"))["pets"].answer
        finally:
            await host._doing._awaiting[asyncio.get_running_loop()].client.aclose()

    assert asyncio.run(ask()) == asyncio.run(ask())
    host.close()


def test_many_threads_share_a_host(host, mind):
    photos = [jpeg("cat", number) for number in range(8)]
    here = [mind.run(photo, "pets@2")["pets@2"] for photo in photos]

    def ask(number):
        return alike(host.run(photos[number % 8], "pets")["pets"], here[number % 8])

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(160)))


def test_a_user_gets_what_is_said_of_them_and_consents(serving, photo):
    with nb.connect(str(serving), user="ünal", consent=True) as host:
        first = host.run(photo, "pets")["pets"]
        second = host.run(photo, "pets", user="someone else", consent=False)["pets"]
        assert host.feedback(first, label="dog").has_photo
        assert not host.feedback(second, label="dog").has_photo


@pytest.mark.parametrize(
    "said", [{"rank": 1}, {"rank": 2}, {"label": "cat"}, {"label": "id-dog"}, {"none": True}]
)
def test_feedback(host, photo, said):
    answer = host.run(photo, "pets")["pets"]
    noted = host.feedback(answer, **said)
    assert noted.is_confirmed is (said == {"none": True})  # it finds the photo unfamiliar
    assert host.feedback(answer.prediction_id, **said) == noted


def test_a_large_array_is_sent_without_loss(host, mind):
    pixels = np.asarray(drawn("dog", 3, size=(500, 400)))
    assert same(host.run(pixels, "pets")["pets"], mind.run(pixels, "pets@2")["pets@2"])
