"""Plans, reports and problems → text, JSON, Markdown, HTML, workflow commands: pure functions that give a text.

`words` says what a value, a field or a step is called, the same in every format; `safe` makes a text from a server or a
manifest harmless in each of them; the other modules only lay out.
"""
