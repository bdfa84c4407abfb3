import hashlib

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ninebrains import images
from ninebrains.photos import (
    PhotoFacts,
    data_fingerprint,
    duplicate_groups,
    examine,
    examine_all,
    find_photos,
    read_dataset,
)
from tests.photos.making import classes, jpeg, looked, picture, write


def facts_of(data):
    return examine(data, *images.decode(data))


def bits(one, other):
    return (one.phash ^ other.phash).bit_count()


def test_facts_say_what_the_photo_is():
    data = jpeg(1, (120, 80))
    facts = facts_of(data)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert (facts.width, facts.height, facts.format) == (120, 80, "JPEG")
    assert 0.3 < facts.brightness < 0.7
    assert len(facts.thumbnail) == 256


def test_facts_survive_the_cache_exactly_and_damage_is_noticed():
    facts = facts_of(jpeg(1))
    packed = facts.to_bytes()
    assert PhotoFacts.from_bytes(packed) == facts
    for wrong in (b"", packed[:-1], b"\xff" + packed[1:]):
        with pytest.raises(ValueError, match="no photo facts"):
            PhotoFacts.from_bytes(wrong)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (17, 3), (2000, 40)])
@pytest.mark.parametrize("value", [0, 200])
def test_photos_of_any_shape_and_of_one_colour_have_finite_facts(size, value):
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    facts = examine(b"x", pixels, images.PhotoInfo("PNG", *size, 1))
    assert facts.brightness == pytest.approx(value / 255, abs=1e-3)
    assert facts.contrast == facts.sharpness == 0


def test_blur_lowers_sharpness_and_light_raises_brightness():
    scene = picture(5, (500, 375))
    info = images.PhotoInfo("JPEG", 500, 375, 1)

    def seen(image):
        return examine(b"x", np.asarray(image), info)

    soft = seen(scene.filter(ImageFilter.GaussianBlur(6)))
    assert soft.sharpness < 0.1 < seen(scene).sharpness
    assert seen(scene.point(lambda v: v // 20)).brightness < 0.1
    assert seen(scene.point(lambda v: 255 - v // 20)).brightness > 0.9


def test_a_soft_background_is_not_blur():
    scene = picture(5, (500, 375)).filter(ImageFilter.GaussianBlur(8))
    sharp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8))
    scene.paste(sharp, (200, 100))
    assert examine(b"x", np.asarray(scene), images.PhotoInfo("JPEG", 500, 375, 1)).sharpness > 0.3


def test_broken_photos_become_problems_and_the_others_facts(tmp_path):
    write(tmp_path / "a.jpg", 1)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "truncated.jpg").write_bytes(jpeg(2)[:700])
    (tmp_path / "lies.jpg").write_bytes(b"%PDF-1.7 not a photo")
    (tmp_path / "png.jpg").unlink(missing_ok=True)
    picture(3).save(tmp_path / "png.jpg", "PNG")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    dataset = find_photos([tmp_path])
    calls = []
    facts, problems = examine_all(dataset.photos, progress=lambda *call: calls.append(call))
    by_name = dict(zip((p.name for p in dataset.photos), facts, strict=True))
    assert [name for name, fact in by_name.items() if fact] == ["a.jpg", "png.jpg"]
    assert by_name["png.jpg"].format == "PNG"
    told = {problem.name: problem.reason for problem in problems}
    assert "0 bytes" in told["empty.jpg"]
    assert "damaged" in told["truncated.jpg"]
    assert "a PDF" in told["lies.jpg"]
    assert "No such file" in told["gone.jpg"]
    assert calls == [(number, 6) for number in range(1, 7)]


def test_limits_are_kept(tmp_path):
    photos = find_photos([write(tmp_path / "a.jpg", 1)]).photos
    facts, problems = examine_all(photos, images.Limits(max_pixels=100))
    assert facts == [None]
    assert "more than the limit" in problems[0].reason


def test_copies_are_exact_and_photos_saved_again_are_near(tmp_path):
    scene = picture(1, (400, 300))
    for name, image, quality in [
        ("a", scene, 90),
        ("b", scene, 90),
        ("c", scene, 30),
        ("d", scene.resize((200, 150)), 90),
        ("e", scene.crop((4, 3, 396, 297)), 90),
        ("f", picture(2, (400, 300)), 90),
    ]:
        image.save(tmp_path / f"{name}.jpg", quality=quality)
    groups = duplicate_groups(looked(find_photos([tmp_path])))
    assert groups.exact == [[0, 1]]
    assert groups.near == [[0, 1, 2, 3, 4]]


def test_different_parts_before_a_fixed_camera_are_not_duplicates():
    background = np.asarray(picture(3, (320, 240))).copy()
    facts = []
    for seed in range(6):
        frame = background.copy()
        frame[60:180, 90:230] = np.asarray(picture(50 + seed, (140, 120)))
        facts.append(examine(str(seed).encode(), frame, images.PhotoInfo("PNG", 320, 240, 1)))
    assert duplicate_groups(facts).near == []


def test_flat_photos_are_duplicates_only_byte_for_byte():
    flat = [np.full((60, 60, 3), value, np.uint8) for value in (10, 10, 250)]
    info = images.PhotoInfo("PNG", 60, 60, 1)
    facts = [examine(bytes(pixels), pixels, info) for pixels in flat]
    assert duplicate_groups(facts).near == [[0, 1]]


def test_unreadable_photos_and_empty_lists_have_no_duplicates():
    facts = facts_of(jpeg(1))
    assert duplicate_groups([None, facts, None, facts]).near == [[1, 3]]
    assert duplicate_groups([]).near == []
    assert duplicate_groups([None, None]).exact == []


def test_thousands_of_photos_are_grouped(monkeypatch):
    from dataclasses import replace

    from ninebrains.photos import duplicates

    monkeypatch.setattr(duplicates, "_BLOCK_PAIRS", 50_000)  # many blocks
    rng = np.random.default_rng(0)
    base = facts_of(jpeg(1))
    facts = [
        replace(base, sha256=f"{n:064x}", phash=int(rng.integers(2**63)), thumbnail=rng.bytes(256))
        for n in range(2000)
    ]
    twins = [replace(fact, sha256=f"{n:064x}") for n, fact in enumerate(facts[:50], 5000)]
    groups = duplicate_groups(facts + twins)
    assert groups.near == [[n, 2000 + n] for n in range(50)]
    assert groups.exact == []


def test_the_real_near_duplicates_are_found_and_real_photos_are_kept_apart(shared):
    dataset = find_photos([shared / "data/retrieval/imagededup/mixed_images"])
    facts, problems = examine_all(dataset.photos)
    groups = duplicate_groups(facts)
    assert [[dataset.photos[i].name for i in group] for group in groups.near] == [
        ["ukbench00120.jpg", "ukbench00120_resize.jpg"]
    ]
    assert [problem.name for problem in problems] == ["ukbench09268_corrupt.jpg"]
    clothes = looked(read_dataset(shared / "data/classification/clothing343"))
    assert duplicate_groups(clothes).near == []


def test_the_fingerprint_follows_content_and_labels_not_names(tmp_path):
    one = read_dataset(classes(tmp_path / "one", a=3, b=2))
    print_one = data_fingerprint(one, looked(one))
    for photo in list((tmp_path / "one").rglob("*.jpg")):
        target = tmp_path / "two" / photo.parent.name / f"{9 - int(photo.stem)}.jpeg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(photo.read_bytes())
    two = read_dataset(tmp_path / "two")
    assert data_fingerprint(two, looked(two)) == print_one
    (tmp_path / "two/a/9.jpeg").rename(tmp_path / "two/b/x.jpeg")
    three = read_dataset(tmp_path / "two")
    assert data_fingerprint(three, looked(three)) != print_one
