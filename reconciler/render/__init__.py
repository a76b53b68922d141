"""Plans, reports and problems → text, JSON, Markdown, HTML and workflow commands: pure functions that return text.

`words` has the wording of values, fields and sentences, the same in every format. `safe` makes text from servers and
manifests harmless in each format. The other modules only do the layout.
"""
