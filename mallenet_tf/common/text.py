"""Text from files' names, as a line that every terminal takes."""


def printable(text: object) -> str:
    r"""Returns text with control characters and bytes that are no UTF-8 as escapes.

    A file's name may hold any byte but 0 and "/"; a line break in it would end the line.

    Example:
        >>> printable("a\nb.png")
        'a\\nb.png'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )
