"""Names that C accepts."""

import re

# C99, C11 and C++11 together: the files are compiled as any of them.
_WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class
    compl const const_cast constexpr continue decltype default delete do double dynamic_cast else enum
    explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
    not not_eq nullptr operator or or_eq private protected public register reinterpret_cast restrict
    return short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
    xor_eq
"""
_KEYWORDS = frozenset(_WORDS.split())


def check_identifier(name):
    """Raises ValueError unless `name` can name files, functions and arrays in C and C++."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            "name must be a C identifier: letters, digits and underscores, a letter first. "
            f"Received: name={name!r}. For example: kws_model."
        )
    if name in _KEYWORDS:
        raise ValueError(
            f"name must not be a keyword of C or C++. Received: name={name!r}. Try {name}_model."
        )
