"""How a message is put before a user."""


def sentence(message: str) -> str:
    """A message on one line, begun and ended like a sentence."""
    text = " ".join(message.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
