"""Finding files: folders, globs and lists, in natural order."""

from pathlib import Path

import pytest
from PIL import Image

from mallenet_tf.image_io import list_images
from mallenet_tf.image_io.file_search import find_files, natural_order, unique_names


def test_a_file_from_a_folder_keeps_its_place(folder):
    found = find_files([folder / "deep", folder / "img10.png"], (".png", ".bmp", ".tiff"))
    places = [place.as_posix() for _, place in found]
    assert places == ["b.bmp", "er/a.tiff", "img10.png"]
    assert [file for file, _ in found] == [
        folder / "deep" / "b.bmp",
        folder / "deep" / "er" / "a.tiff",
        folder / "img10.png",
    ]


def test_subfolders_are_searched_on_request(folder):
    found = find_files(folder, (".png", ".bmp"), recursive=False)
    assert names(file for file, _ in found) == ["img2.PNG", "img10.png"]
    with pytest.raises(FileNotFoundError, match="--recursive searches its subfolders"):
        find_files(folder, (".bmp",), recursive=False)


def test_names_are_paths_where_two_files_share_one():
    assert unique_names([Path("a/x.png"), Path("b/y.png")]) == ["x.png", "y.png"]
    assert unique_names([Path("a/x.png"), Path("b/x.png")]) == ["a/x.png", "b/x.png"]


def names(paths):
    return [path.name for path in paths]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    image = Image.new("RGB", (14, 9))
    for name in ("img10.png", "img2.PNG", "deep/b.bmp", "deep/er/a.tiff", ".hidden.png"):
        image.save(tmp_path / name)
    (tmp_path / "notes.md").write_text("not an image")
    return tmp_path


def test_folder_is_searched_recursively_in_natural_order(folder):
    assert names(list_images(folder)) == ["b.bmp", "a.tiff", "img2.PNG", "img10.png"]


def test_glob_file_and_list_are_found_and_not_repeated(folder):
    assert names(list_images(str(folder / "*.png"))) == ["img10.png"]
    assert names(list_images(str(folder / "**" / "*.tiff"))) == ["a.tiff"]
    assert names(list_images([folder / "img10.png", str(folder / "img*")])) == [
        "img2.PNG",
        "img10.png",
    ]


def test_glob_that_matches_folders_searches_them(folder):
    assert names(list_images(str(folder / "de*"))) == ["b.bmp", "a.tiff"]


def test_text_file_lists_images_relative_to_itself(folder):
    listing = folder / "deep" / "train.txt"
    listing.write_text("b.bmp\n\n../img10.png\n")
    assert names(list_images(listing)) == ["b.bmp", "img10.png"]
    listing.write_text("absent.png\n")
    with pytest.raises(FileNotFoundError, match=r"train\.txt names .*Received: .*absent\.png"):
        list_images(listing)


def test_name_with_glob_characters_is_taken_literally(tmp_path):
    path = tmp_path / "holiday [1].png"
    Image.new("RGB", (14, 9)).save(path)
    assert list_images(path) == [path]


@pytest.mark.parametrize("pattern", ["nothing.png", "*.jpg", "deep/missing"])
def test_pattern_without_a_match_is_named(folder, pattern):
    with pytest.raises(FileNotFoundError, match="No such file or folder. Received: ") as error:
        list_images([folder / "img10.png", folder / pattern])
    assert str(folder / pattern) in str(error.value)


def test_folder_without_images_and_empty_list_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No image files \(.*\) in this folder\. "):
        list_images(tmp_path)
    with pytest.raises(ValueError, match=r"Received: patterns=\[\]"):
        list_images([])


def test_natural_order_is_by_the_value_of_numbers():
    given = [Path(name) for name in ("a10", "a9", "b1", "a", "10", "9")]
    assert names(natural_order(given)) == [
        *("9", "10"),
        *("a", "a9", "a10", "b1"),
    ]
