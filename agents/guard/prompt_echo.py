"""Prompt echo: a text that repeats what the model was asked, or in which the model speaks of itself."""

from __future__ import annotations

import re

_SMALL_TALK = (
    r"[ \t]*(?:sure|certainly|of course|absolutely|okay|got it)\b[^.\n]{0,12}\bhere(?:'s| is| are)\b",
    r"[ \t]*(?:sure|certainly|of course|absolutely|okay|here(?:'s| is| are))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*here(?:'s| is| are) (?:an?|your|the|\d+|some|two)\b(?: \S+){0,3} (?:post|hook|draft)s? (?:about|for)\b",
    r"[ \t]*¡?(?:claro|por supuesto)\b[^.\n]{0,12}\baquí (?:tienes|está|va|van)\b",
    r"[ \t]*¡?(?:claro|por supuesto|aquí (?:tienes|está|va|van))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*(?:klar|natürlich|gerne?)\b[^.\n]{0,12}\bhier (?:ist|sind|kommt|kommen)\b",
    r"[ \t]*(?:klar|natürlich|gerne?|hier (?:ist|sind|kommt|kommen))\b[^.\n]{0,60}:\s*$",
    r"[ \t]*(?:звісно|звичайно|авжеж)\b[^.\n]{0,12}\bось\b",
    r"[ \t]*(?:звісно|звичайно|авжеж|ось)\b[^.\n]{0,60}(?:допис|пост\b|чернетк|гачок)[^.\n]{0,30}:\s*$",
)
_ANYWHERE = (
    r"\blet me know if you(?:'d| would)? (?:like|want|need)\b[^.\n]{0,40}(?:change|another|version|adjust|edit)",
    r"\bas an? (?:ai|artificial intelligence|language model)\b|\bi(?:'m| am) (?:just )?an? (?:ai|language model)\b",
    r"\bi (?:can't|cannot|am unable to) (?:help|assist|write|create)\b",
    r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje)\b",
    r"\bals (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell|ki-sprachmodell)\b",
    r"\bяк (?:мовна модель|штучний інтелект|модель штучного інтелекту)\b",
    r"<\|?(?:im_start|im_end|endoftext)\|?>|\bwrites short posts for\b",
)
_LABELS = (
    r"[ \t]*(?:a post about|write a post|write \d+ (?:different )?hooks)\b[^.!?\n]{0,80}:",
    r"[ \t]*(?:brief|topic|hook|body|first line|rest|user|assistant|system)\s?:",
    r"[ \t]*(?:tema|gancho|cuerpo|usuario|asistente|thema|aufhänger|тема|гачок|користувач)\s?:",
)
_FOUND_ANYWHERE = re.compile("|".join(_ANYWHERE), re.IGNORECASE)
_AT_LINE_START = re.compile("|".join((*_SMALL_TALK, *_LABELS)), re.IGNORECASE | re.MULTILINE)
_LINE_START = re.compile(r"^", re.MULTILINE)
_SIGNS = ("let me know", "as a", "i am", "i'm ", "i can", "como ", "als ", "як ", "<", "writes short")
"""What every text has that `_ANYWHERE` is found in; most texts have none, and a look for them is quick."""


def prompt_echo(text: str) -> str | None:
    """Return the first place where the text repeats a prompt or speaks as a model; None where it does not."""
    plain = text.replace("’", "'")
    starts = (_AT_LINE_START.match(plain, line.start()) for line in _LINE_START.finditer(plain))
    found = next(filter(None, starts), None)
    if found is None and _has_a_sign(plain.casefold()):
        found = _FOUND_ANYWHERE.search(plain)
    return found.group(0).strip() if found else None


def _has_a_sign(folded: str) -> bool:
    return any(sign in folded for sign in _SIGNS)
