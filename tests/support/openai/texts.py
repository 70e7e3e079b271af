"""What the loopback model writes: a few sentences a language about a brief, which differ by number and place."""

from __future__ import annotations

_HOOKS = {
    "en": (
        "I counted {number} mistakes with {brief}, and nobody noticed.",
        "After {number} days of {brief} I threw my old plan away.",
        "Why did nobody warn me about {brief} {number} weeks ago?",
        "{number} people asked me about {brief}. Here is my answer.",
    ),
    "de": (
        "Ich habe {number} Fehler bei {brief} gezählt, und niemand hat es gemerkt.",
        "Nach {number} Tagen mit {brief} habe ich meinen alten Plan weggeworfen.",
        "Warum hat mich vor {number} Wochen niemand vor {brief} gewarnt?",
    ),
    "es": (
        "Conté {number} errores con {brief} y nadie se dio cuenta.",
        "Después de {number} días con {brief} tiré mi viejo plan.",
        "¿Por qué nadie me avisó hace {number} semanas de {brief}?",
    ),
    "uk": (
        "Я нарахував {number} помилок: {brief}. І ніхто не помітив.",
        "Після {number} днів ({brief}) я викинув свій старий план.",
        "Чому ніхто не попередив мене {number} тижнів тому: {brief}?",
    ),
}
_BODIES = {
    "en": (
        "The first cost me {small} evenings and one good pan. Now I write {brief} on paper before I start.",
        "I kept one rule and dropped {small} others. It took a week until {brief} felt easy.",
        "Most of it was habit. I set a timer for {small} minutes, and {brief} stopped eating my mornings.",
    ),
    "de": (
        "Der erste hat mich {small} Abende gekostet. Jetzt schreibe ich {brief} auf, bevor ich anfange.",
        "Ich habe eine Regel behalten und {small} andere gestrichen. Nach einer Woche war {brief} leicht.",
    ),
    "es": (
        "El primero me costó {small} tardes. Ahora apunto {brief} en un papel antes de empezar.",
        "Me quedé con una regla y quité otras {small}. En una semana {brief} ya era fácil.",
    ),
    "uk": (
        "Перша коштувала мені {small} вечорів. Тепер я спершу пишу це на папері: {brief}.",
        "Я залишив одне правило і прибрав ще {small}. За тиждень стало легко: {brief}.",
    ),
}
_QUESTIONS = {
    "en": "What was yours with {brief}?",
    "de": "Was war es bei dir mit {brief}?",
    "es": "¿Cuál fue el tuyo con {brief}?",
    "uk": "А що було у вас: {brief}?",
}
LANGUAGES = tuple(_HOOKS)


def sentence(part: str, brief: str, language: str, number: int, place: int) -> str:
    """Return a text for a field of that name: a hook, a question that calls to action, else a body."""
    language = language if language in _HOOKS else "en"
    if "hook" in part:
        texts = _HOOKS[language]
    elif "action" in part or "question" in part:
        texts = (_QUESTIONS[language],)
    else:
        texts = _BODIES[language]
    return texts[place % len(texts)].format(brief=brief, number=number, small=number % 7 + 2)
